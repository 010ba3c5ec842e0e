// Timelines: which history an instance has lived through, and whether it can follow another one.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "failover/report.hpp"
#include "failover/types.hpp"

namespace twinspan::postgres {

// The content of a NNNNNNNN.history file (PostgreSQL: access/timeline.c): "1\t0/3000148\treason", oldest first.
Result<std::vector<TimelineSwitch>> parse_history(std::string_view text);
// "00000002.history"
std::string history_file_name(uint32_t timeline);

struct Ancestry {
  std::string system_id;
  uint32_t timeline = 0;
  std::vector<TimelineSwitch> history;  // oldest first, without `timeline`
  std::optional<Position> end;          // of its log: everything received or written; nullopt: not measured
  bool in_recovery = false;
};

enum class Kinship {
  kSame,        // everything here is part of the source's log: it can be followed
  kForeign,     // another database system altogether
  kForked,      // this log left the source's history: rewind, clone, or a person's decision
  kUnmeasured,  // the end of the own log isn't known
};
struct Judgement {
  Kinship kinship = Kinship::kUnmeasured;
  std::string reason;            // for people
  std::optional<Position> fork;  // where the histories part, for kForked
};
// Whether `own` can follow `source` without losing or overwriting anything.
Judgement judge(const Ancestry& own, const Ancestry& source);

}  // namespace twinspan::postgres
