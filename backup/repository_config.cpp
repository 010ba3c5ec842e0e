#include "backup/repository_config.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>
#include <vector>

#include "core/text.hpp"

namespace twinspan::backup {
namespace {

constexpr const char* kCipherPass = "repo1-cipher-pass";

using Options = std::vector<std::pair<std::string, std::string>>;

// Host and port of "https://host:port".
Result<std::pair<std::string, std::string>> place_of(const std::string& endpoint) {
  constexpr std::string_view kScheme = "https://";
  if (!endpoint.starts_with(kScheme))
    return fail(Code::kInvalid,
                fmt::format("endpoint {}: expected https://HOST, since pgBackRest speaks TLS only", endpoint));
  std::string host = endpoint.substr(kScheme.size()), port = "443";
  if (const size_t colon = host.rfind(':'); colon != std::string::npos) {
    port = host.substr(colon + 1);
    host.resize(colon);
  }
  if (host.empty() || port.empty() || port.find_first_not_of("0123456789") != std::string::npos)
    return fail(Code::kInvalid, fmt::format("endpoint {}: expected https://HOST:PORT", endpoint));
  return std::pair{host, port};
}

}  // namespace

Result<std::string> render_configuration(const Repository& repository, const Instance& instance) {
  const auto place = place_of(repository.endpoint);
  if (!place) return std::unexpected(place.error());
  std::string path = repository.prefix;
  while (path.ends_with('/')) path.pop_back();
  Options global{
      {"repo1-type", "s3"},
      {"repo1-s3-endpoint", place->first},
      {"repo1-storage-port", place->second},
      {"repo1-s3-bucket", repository.bucket},
      {"repo1-s3-region", repository.region},
      {"repo1-s3-uri-style", repository.path_style ? "path" : "host"},
      {"repo1-s3-key", repository.access_key},
      {"repo1-s3-key-secret", repository.secret_key},
      {"repo1-storage-ca-file", repository.ca_file},
      {"repo1-path", "/" + path},
      {"repo1-bundle", "y"},
      {"repo1-retention-full", "9999999"},  // what goes, goes by nobody's default
      {"expire-auto", "n"},
      {"compress-type", "zst"},
      {"compress-level", "1"},
      {"start-fast", "y"},
      {"archive-mode-check", "n"},  // archive_mode is always, not on
      // A side that is frozen costs seconds, not half an hour.
      {"io-timeout", "10"},
      {"db-timeout", "50"},
      {"protocol-timeout", "60"},
      {"lock-path", instance.state_directory + "/lock"},
      {"spool-path", instance.state_directory + "/spool"},
      {"log-level-file", "off"},
      {"log-level-console", "off"},
      {"log-level-stderr", "info"},
      {"log-timestamp", "n"},
  };
  if (!repository.passphrase.empty()) {
    global.emplace_back("repo1-cipher-type", "aes-256-cbc");
    global.emplace_back(kCipherPass, repository.passphrase);
  }
  const Options own{{"pg1-path", instance.pgdata},
                    {"pg1-port", std::to_string(instance.port)},
                    {"pg1-socket-path", instance.socket_directory},
                    {"pg1-user", "postgres"}};
  std::string text;
  for (const auto& [section, options] :
       {std::pair<std::string, const Options*>{"global", &global}, {instance.stanza, &own}}) {
    text += fmt::format("[{}]\n", section);
    for (const auto& [name, value] : *options) {
      if (value.empty() || value.find_first_of(std::string("\r\n\0", 3)) != std::string::npos)
        return fail(Code::kInvalid, fmt::format("{}: expected one line that is not empty", name));
      text += fmt::format("{}={}\n", name, value);
    }
  }
  return text;
}

Result<Repository> parse_repository(std::string_view configuration) {
  std::map<std::string, std::string, std::less<>> options;
  bool global = false;
  for (const std::string_view line : split_lines(configuration)) {
    if (line.starts_with('['))
      global = line == "[global]";
    else if (const size_t equals = line.find('='); global && equals != line.npos)
      options[std::string(line.substr(0, equals))] = line.substr(equals + 1);
  }
  for (const char* needed : {"repo1-s3-endpoint", "repo1-storage-port", "repo1-s3-bucket", "repo1-s3-region",
                             "repo1-s3-uri-style", "repo1-s3-key", "repo1-s3-key-secret", "repo1-path"})
    if (options[needed].empty()) return fail(Code::kInvalid, fmt::format("configuration: {} is expected", needed));
  if (!options[kCipherPass].empty() != !options["repo1-cipher-type"].empty())
    return fail(Code::kInvalid, "configuration: a cipher and a passphrase are expected, or neither");
  Repository repository;
  repository.endpoint = fmt::format("https://{}:{}", options["repo1-s3-endpoint"], options["repo1-storage-port"]);
  repository.region = options["repo1-s3-region"];
  repository.bucket = options["repo1-s3-bucket"];
  repository.prefix = options["repo1-path"].substr(1);
  if (!repository.prefix.empty()) repository.prefix += '/';
  repository.path_style = options["repo1-s3-uri-style"] == "path";
  repository.access_key = options["repo1-s3-key"];
  repository.secret_key = options["repo1-s3-key-secret"];
  repository.ca_file = options["repo1-storage-ca-file"];
  repository.passphrase = options[kCipherPass];
  return repository;
}

std::string target_time(WallTime time) {
  std::string text = to_rfc3339_micro(time);  // 2026-11-25T13:30:00.000000Z
  text[10] = ' ';
  text.back() = '+';
  return text + "00";
}

}  // namespace twinspan::backup
