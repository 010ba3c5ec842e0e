// twinspan-archive: PostgreSQL's archive_command and restore_command.
//   twinspan-archive store SOCKET FILE           asks the agent to store FILE, and waits until it is
//   twinspan-archive fetch CONFIG STANZA NAME TO [TIMELINE [POSITION|- [TAKEN]]]  gets NAME from the repository, or
//   where a whole segment is surely absent there what was flushed of it: 0, 1 (surely absent) or 126 (can't tell).
//   TIMELINE: whose history is followed; absent: the archive alone is asked. POSITION: what lies behind it is as if it
//   was not there. TAKEN: the histories of all later timelines up to this number are said to be there
//   twinspan-archive follow CONFIG STANZA NAME TO HISTORY  gets the segment NAME for a replica of that history: 0 or 1
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <string_view>

#include "core/clock.hpp"
#include "engines/postgres/archive/fetch.hpp"
#include "engines/postgres/archive/follow.hpp"
#include "engines/postgres/archive/request.hpp"

namespace {

using twinspan::postgres::FetchAnswer;

// nullopt: a signal, SIGALRM after `longest_seconds` among them; 0: for as long as it takes.
std::optional<int> archive_get(const std::string& config, const std::string& stanza, const std::string& name,
                               const std::string& to, int longest_seconds = 0) {
  const pid_t child = fork();
  if (child < 0) return std::nullopt;
  if (child == 0) {
    if (longest_seconds > 0) alarm(static_cast<unsigned>(longest_seconds));
    const std::string config_option = "--config=" + config, stanza_option = "--stanza=" + stanza;
    execl("/usr/bin/pgbackrest", "pgbackrest", config_option.c_str(), stanza_option.c_str(), "archive-get",
          name.c_str(), to.c_str(), nullptr);
    _exit(twinspan::postgres::kExitUnsure);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || !WIFEXITED(status)) return std::nullopt;
  return WEXITSTATUS(status);
}

int fetch(const std::string& config, const std::string& stanza, const char* name, const char* to,
          std::string_view timeline, const char* until, std::string_view taken) {
  using namespace twinspan;
  postgres::FetchWanted wanted{0, name, to};
  const auto parsed = std::from_chars(timeline.data(), timeline.data() + timeline.size(), wanted.timeline);
  if (parsed.ec != std::errc() || parsed.ptr != timeline.data() + timeline.size()) {
    std::fprintf(stderr, "twinspan-archive: %s: a timeline's number is expected\n", std::string(timeline).c_str());
    return postgres::kExitUnsure;
  }
  if (std::from_chars(taken.data(), taken.data() + taken.size(), wanted.taken).ec != std::errc()) {
    std::fprintf(stderr, "twinspan-archive: %s: a timeline's number is expected\n", std::string(taken).c_str());
    return postgres::kExitUnsure;
  }
  if (until != nullptr && std::string_view(until) != "-") {
    const auto position = parse_position(until);
    if (!position) {
      std::fprintf(stderr, "twinspan-archive: %s: a position such as 0/5000148 is expected\n", until);
      return postgres::kExitUnsure;
    }
    wanted.until = position->value;
  }
  const SystemClock clock;
  const auto with_tails = [&](const auto& ask) -> decltype(ask(std::declval<postgres::TailStore&>())) {
    auto store = postgres::TailStore::open(config, stanza, clock);
    if (!store) return std::unexpected(store.error());
    return ask(*store);
  };
  const FetchAnswer answer = postgres::fetch(
      wanted,
      {[&](const std::string& file, const std::string& into) { return archive_get(config, stanza, file, into); },
       [&](const std::string& segment) {
         return with_tails([&](postgres::TailStore& store) { return store.list(segment, {}); });
       },
       [&](const backup::TailName& tail) {
         return with_tails([&](postgres::TailStore& store) { return store.get(tail, {}); });
       }});
  if (!answer.words.empty()) std::fprintf(stderr, "twinspan-archive: %s\n", answer.words.c_str());
  return answer.code;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view what = argc > 1 ? argv[1] : "";
  if (what == "store" && argc == 4)
    return twinspan::postgres::ask_to_store(argv[2], argv[3]) == twinspan::postgres::StoreAnswer::kStored
               ? 0
               : twinspan::postgres::kExitEnding;
  if (what == "fetch" && argc >= 6 && argc <= 9)
    return fetch(argv[2], argv[3], argv[4], argv[5], argc > 6 ? argv[6] : "0", argc > 7 ? argv[7] : nullptr,
                 argc > 8 ? argv[8] : "0");
  if (what == "follow" && argc == 7) {
    if (const auto followed = twinspan::postgres::parse_followed(argv[6]))
      return twinspan::postgres::follow(
          *followed, argv[4], argv[5], [&](const std::string& name, const std::string& to) {
            return archive_get(argv[2], argv[3], name, to, twinspan::postgres::kFollowSeconds);
          });
    std::fprintf(stderr, "twinspan-archive: %s: expected a history, as 1@0000000003000148,2\n", argv[6]);
    return 1;
  }
  std::fputs(
      "usage: twinspan-archive store SOCKET FILE | fetch CONFIG STANZA NAME TO [TIMELINE [POSITION|- [TAKEN]]] | "
      "follow CONFIG STANZA NAME TO HISTORY\n",
      stderr);
  return twinspan::postgres::kExitUnsure;
}
