// twinspan-archive: PostgreSQL's archive_command and restore_command.
//   twinspan-archive store SOCKET FILE           asks the agent to store FILE, and waits until it is
//   twinspan-archive fetch CONFIG STANZA NAME TO  gets NAME from the repository: 0, 1 (surely absent) or 126 (can't
//   tell)
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <string_view>

#include "engines/postgres/archive/request.hpp"

namespace {

int fetch(const std::string& config, const std::string& stanza, const char* name, const char* to) {
  using twinspan::postgres::restore_exit_code;
  const pid_t child = fork();
  if (child < 0) return restore_exit_code(std::nullopt);
  if (child == 0) {
    const std::string config_option = "--config=" + config, stanza_option = "--stanza=" + stanza;
    execl("/usr/bin/pgbackrest", "pgbackrest", config_option.c_str(), stanza_option.c_str(), "archive-get", name, to,
          nullptr);
    _exit(restore_exit_code(std::nullopt));
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) return restore_exit_code(std::nullopt);
  return restore_exit_code(WEXITSTATUS(status));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  if (what == "store" && argc == 4)
    return twinspan::postgres::ask_to_store(argv[2], argv[3]) == twinspan::postgres::StoreAnswer::kStored
               ? 0
               : twinspan::postgres::kExitEnding;
  if (what == "fetch" && argc == 6) return fetch(argv[2], argv[3], argv[4], argv[5]);
  std::fputs("usage: twinspan-archive store SOCKET FILE | fetch CONFIG STANZA NAME TO\n", stderr);
  return twinspan::postgres::kExitUnsure;
}
