// Running one of PostgreSQL's programs to its end.
#pragma once
#include <chrono>
#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "engines/postgres/children.hpp"

namespace twinspan::postgres {

struct Command {
  std::string program;
  std::vector<std::string> arguments;  // visible to everybody on the machine: never a secret
  std::vector<std::pair<std::string, std::string>> environment;
  std::chrono::milliseconds timeout{60000};
  // Each line of standard error as it arrives (ended by \n or \r); progress is reported there.
  std::function<void(std::string_view)> on_line;
  int in = -1, out = -1;  // descriptors to become its 0 and 1, closed here once it runs; -1: nothing, and Outcome::out
};

struct Outcome {
  Exit exit;
  std::string out;   // standard output, the first MiB
  std::string last;  // the last lines of standard error, for people
};

// kTimeout and kCancelled: it was killed. Whatever it started is gone when this returns. An exit code other than 0 is
// an Outcome, not an error. Output is in English (LC_ALL=C).
Result<Outcome> run(Children& children, const Command& command, const std::stop_token& stop = {});
// The same, and kInternal with the program's last words where it failed.
Result<Outcome> run_checked(Children& children, const Command& command, const std::stop_token& stop = {});
// Both at once, what the first writes is what the second reads. The error is that of the one that failed first: the
// other only lost its end of the pipe.
Status run_piped(Children& children, Command from, Command to, const std::stop_token& stop = {});
// The same command, which the kernel ends before anything else where memory runs out.
Command first_to_end(Command command);

}  // namespace twinspan::postgres
