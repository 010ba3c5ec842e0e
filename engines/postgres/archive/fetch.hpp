// restore_command: a file of the log from the archive, or, where that surely has no such segment, its tail.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "engines/postgres/archive/tail_store.hpp"

namespace twinspan::postgres {

struct FetchWanted {
  backup::Timeline timeline = 0;  // whose history is followed; 0: no tails
  std::string name, to;           // the file, and where it is written
  uint64_t until = UINT64_MAX;    // what lies behind this position is not wanted, and as if it was not there
  // Numbers of timelines up to this one are taken, whether or not their histories are stored: PostgreSQL, which takes
  // the first number above the followed one that has none, is told that they are there.
  backup::Timeline taken = 0;
};

struct FetchSources {
  // Gets a file from the archive: its exit code; nullopt: a signal.
  std::function<std::optional<int>(const std::string& name, const std::string& to)> archive_get;
  std::function<Result<std::vector<backup::TailName>>(const std::string& segment)> list_tails;
  std::function<Result<Tail>(const backup::TailName& name)> get_tail;
};

struct FetchAnswer {
  int code = 0;       // 0: it is there; 1: surely absent; kExitUnsure
  std::string words;  // for the log; empty: nothing to say
};

FetchAnswer fetch(const FetchWanted& wanted, const FetchSources& sources);

}  // namespace twinspan::postgres
