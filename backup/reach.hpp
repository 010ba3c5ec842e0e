// Whether a goal can be reached, as far as what is stored tells before anything is fetched: what is not stored yet is
// waited for, for a while, what can never be is not. Pure.
#pragma once
#include <optional>
#include <string>

#include "backup/goal.hpp"
#include "backup/mark.hpp"

namespace twinspan::backup {

struct ReachSeen {
  Goal goal;
  std::string newest_segment;                // of the log; empty: none is stored
  std::optional<WallTime> newest_stored_at;  // when that was, by the bucket's clock; nullopt: it is not known
  // The tail of that timeline: how far it goes, and until when all that was flushed is stored, by the primary's clock.
  std::optional<Position> tail_end;
  std::optional<WallTime> tail_at;
  std::optional<Mark> mark;  // of that timeline, of an idle database
  std::string exhausted;     // what was the newest when an earlier attempt came to the end of the log before the goal
  std::optional<Position> whole_until;  // that attempt's whole_if_read()
  Timeline timeline = 0;                // that is followed
  Timeline later = 0;                   // that a later primary than the one of `timeline` wrote by now; 0: none did
  bool waits = true;        // for what is not stored yet; false: what is stored of that timeline is all that is wanted
  WallTime now{}, until{};  // nothing is waited for after `until`
};

enum class Reach { kTry, kWait, kNever };

struct ReachVerdict {
  Reach reach = Reach::kTry;
  std::string words;  // for people: what is stored, and until when it is waited for; empty for kTry
  // Of a time that nothing was committed after, as far as anything is stored: the log up to there is all there was
  // then. PostgreSQL finds no such time in it, and dies of that: it recovers to the end, and here that is.
  std::optional<Position> end = std::nullopt;
};

// What is stored so far, as `exhausted` has it.
std::string frontier_of(const std::string& newest_segment, std::optional<Position> tail_end);

// Of an attempt that will have read all that is stored, and found no commit after the moment: up to where that is all
// there was before it. nullopt: nobody says that all of before the moment is stored.
std::optional<Position> whole_if_read(const ReachSeen& seen);

ReachVerdict judge_reach(const ReachSeen& seen);

}  // namespace twinspan::backup
