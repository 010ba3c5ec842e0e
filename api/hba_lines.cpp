#include "api/hba_lines.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string_view>

#include "core/text.hpp"

namespace twinspan::api {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t'; }

// By blanks: enough to tell a rule's kind and method where nobody quotes a blank, and warnings alone go by the latter.
std::vector<std::string_view> words_of(std::string_view line) {
  std::vector<std::string_view> words;
  size_t at = 0;
  while (at < line.size()) {
    while (at < line.size() && is_blank(line[at])) ++at;
    const size_t begin = at;
    while (at < line.size() && !is_blank(line[at])) ++at;
    if (at > begin) words.push_back(line.substr(begin, at - begin));
  }
  return words;
}

// PostgreSQL takes @NAME for a file wherever a word or an item of a list begins.
bool names_a_file(std::string_view line) {
  for (size_t i = 0; i < line.size(); ++i)
    if (line[i] == '@' && (i == 0 || is_blank(line[i - 1]) || line[i - 1] == ',')) return true;
  return false;
}

// PostgreSQL 15 resolves them while it reads the line (hba.c), others when somebody logs in.
bool resolves_names(std::string_view line) {
  constexpr std::string_view kOption = "radiusservers=";
  const size_t at = line.find(kOption);
  if (at == std::string_view::npos) return false;
  std::string_view servers = line.substr(at + kOption.size());
  servers = servers.substr(0, servers.find_first_of(servers.starts_with('"') ? "\"" : " \t", 1));
  return servers.find_first_not_of("0123456789abcdefABCDEF:.,\" ") != std::string_view::npos;
}

std::optional<std::string> refuse_line(std::string_view line) {
  static const std::set<std::string_view> kKinds{"host", "hostssl", "hostnossl", "hostgssenc", "hostnogssenc"};
  if (std::any_of(line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < ' ' && c != '\t'; }))
    return "must be one line: write each rule as an item of its own";
  if (line.ends_with('\\')) return "must not end with \\, which would take the next rule along";
  const size_t blank = line.find_first_of(" \t");
  if (blank == std::string_view::npos || !kKinds.contains(line.substr(0, blank)))
    return "must begin with host, hostssl, hostnossl, hostgssenc or hostnogssenc: the socket is the agent's own, and "
           "no files are included";
  if (names_a_file(line)) return "names a file by @, write its names here";
  if (resolves_names(line))
    return "radiusservers must be addresses: PostgreSQL looks names up as it reads the file, and does not start where "
           "it can't";
  return std::nullopt;
}

}  // namespace

void check_hba(const std::vector<std::string>& lines, std::vector<FieldError>& errors) {
  for (size_t i = 0; i < lines.size(); ++i)
    if (auto refused = refuse_line(lines[i]))
      errors.push_back({fmt::format("spec.postgres.hba[{}]", i), std::move(*refused)});
}

void warn_of_hba(const std::vector<std::string>& lines, std::vector<std::string>& warnings) {
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::vector<std::string_view> words = words_of(lines[i]);
    const auto method = [&](std::string_view name) {
      return words.size() > 4 && std::find(words.begin() + 4, words.end(), name) != words.end();
    };
    const bool encrypted = !words.empty() && (words.front() == "hostssl" || words.front() == "hostgssenc");
    const auto warn = [&](const char* what) { warnings.push_back(fmt::format("spec.postgres.hba[{}]: {}", i, what)); };
    if (method("trust"))
      warn(encrypted
               ? "trust asks for no password: whoever reaches PostgreSQL from there is let in"
               : "trust without encryption: whoever reaches PostgreSQL from there is let in without a password, and "
                 "what they send can be read and altered on the way; say hostssl and scram-sha-256");
    else if (!encrypted && (method("password") || method("ldap") || method("pam") || method("radius")))
      warn("the password may travel without encryption, where it can be read on the way; say hostssl");
  }
}

std::string hba_fingerprint(const std::vector<std::string>& lines) {
  Fingerprint all;
  for (const std::string& line : lines) all.add(line);
  return all.hex();
}

}  // namespace twinspan::api
