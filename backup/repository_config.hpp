// What pgBackRest is told: a configuration file, since secrets must not stand in arguments. Pure.
#pragma once
#include <string>
#include <string_view>

#include "core/clock.hpp"
#include "core/result.hpp"

namespace twinspan::backup {

// Below `prefix` of one bucket.
struct Repository {
  std::string endpoint;  // "https://s3.example:9000"
  std::string region = "us-east-1", bucket, prefix;
  bool path_style = true;
  std::string access_key, secret_key;
  std::string ca_file;
  std::string passphrase;  // empty: not encrypted
};

// The database it works on.
struct Instance {
  std::string stanza;
  std::string pgdata, socket_directory;
  int port = 5432;
  std::string state_directory;  // for its locks
};

inline constexpr size_t kPassphraseLeast = 32;

// kInvalid says what is wrong with the endpoint, or which value would break a line.
Result<std::string> render_configuration(const Repository& repository, const Instance& instance);
// The repository of a configuration that render_configuration wrote. kInvalid names the option that is missing.
Result<Repository> parse_repository(std::string_view configuration);
// As --target of a restore takes it.
std::string target_time(WallTime time);

}  // namespace twinspan::backup
