// Running pgBackRest, in a process group that ends as a whole: a worker of its own that is left behind keeps its lock.
#pragma once
#include <chrono>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "engines/postgres/children.hpp"
#include "engines/postgres/command.hpp"

namespace twinspan::worker {

class PgBackRest {
 public:
  PgBackRest(postgres::Children& children, std::string config, std::string stanza)
      : children_(children), config_(std::move(config)), stanza_(std::move(stanza)) {}

  const std::string& config() const { return config_; }
  const std::string& stanza() const { return stanza_; }

  struct How {
    std::chrono::milliseconds timeout{std::chrono::minutes(2)};
    bool background = false;  // after everything else: nice, idle I/O, first to be killed when memory is short
    std::function<void(std::string_view)> on_line;
  };
  // `arguments`: options and the command; never a secret. An exit code other than 0 is an Outcome.
  Result<postgres::Outcome> run(std::vector<std::string> arguments, const How& how, const std::stop_token& stop) const;
  // The same, and failure_of where it failed.
  Result<postgres::Outcome> run_checked(std::vector<std::string> arguments, const How& how,
                                        const std::stop_token& stop) const;

 private:
  postgres::Children& children_;
  const std::string config_, stanza_;
};

// The SHA-1 of a segment as it is stored, by a listing; nullopt: it is not there.
Result<std::optional<std::string>> stored_digest(const PgBackRest& program, const std::string& segment,
                                                 const std::stop_token& stop);

// "pgbackrest archive-push: other bytes are stored under this segment's name (pgBackRest 045): …"
Error failure_of(const postgres::Outcome& outcome, const std::string& command);

}  // namespace twinspan::worker
