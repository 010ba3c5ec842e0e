#include "worker/postgres/backup/pgbackrest.hpp"

#include <fmt/format.h>
#include <sys/wait.h>

#include "backup/archive.hpp"
#include "backup/pgbackrest.hpp"

namespace twinspan::worker {

Error failure_of(const postgres::Outcome& outcome, const std::string& command) {
  const int status = outcome.exit.status;
  Error error = backup::error_of_exit(WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status), outcome.last);
  error.message = "pgbackrest " + command + ": " + error.message;
  return error;
}

Result<std::optional<std::string>> stored_digest(const PgBackRest& program, const std::string& segment,
                                                 const std::stop_token& stop) {
  const auto listing = program.run_checked({"--filter=^" + segment + "-", "repo-ls",
                                            fmt::format("archive/{}/{}", program.stanza(), backup::folder_of(segment))},
                                           {}, stop);
  if (!listing) return std::unexpected(listing.error());
  return backup::stored_digest(listing->out, segment);
}

Result<postgres::Outcome> PgBackRest::run(std::vector<std::string> arguments, const How& how,
                                          const std::stop_token& stop) const {
  constexpr const char* kProgram = "/usr/bin/pgbackrest";
  postgres::Command command{kProgram, {}, {}, how.timeout, how.on_line};
  if (how.background) {
    command.program = "/usr/bin/nice";
    command.arguments = {"-n", "19", "/usr/bin/ionice", "-c", "3", "/usr/bin/choom", "-n", "1000", "--", kProgram};
  }
  command.arguments.push_back("--config=" + config_);
  command.arguments.push_back("--stanza=" + stanza_);
  command.arguments.insert(command.arguments.end(), arguments.begin(), arguments.end());
  return postgres::run(children_, command, stop);
}

Result<postgres::Outcome> PgBackRest::run_checked(std::vector<std::string> arguments, const How& how,
                                                  const std::stop_token& stop) const {
  const std::string command = arguments.empty() ? "" : arguments.back();
  auto outcome = run(std::move(arguments), how, stop);
  if (outcome && !outcome->exit.clean()) return std::unexpected(failure_of(*outcome, command));
  return outcome;
}

}  // namespace twinspan::worker
