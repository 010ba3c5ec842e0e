// What is known of one place that a link writes to, and which of them may take over. Pure. Such places can't be fenced
// and have no log that can be compared: what a failover leaves behind is counted, and only as far as it was seen.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "failover/flow/reason.hpp"
#include "failover/types.hpp"

namespace twinspan {

enum class Reach {
  kUnknown,  // no worker has said so recently
  kReachable,
  kUnreachable,  // no connection, no answer, or answers 5xx
  kRefused,      // it answers, and refuses: credentials, a place that is not there. A person's matter, never a trigger
};
std::string_view to_string(Reach reach);  // "Reachable" …
std::optional<Reach> parse_reach(std::string_view text);

// What the engine calls its places and what it counts in them, for sentences that people read.
struct FlowWords {
  std::string_view place, places;  // as S3 says: "bucket", "buckets"
  std::string_view one, many;      // "key", "keys"
  std::string_view bound;          // the policy's field of candidates that bounds how many may be missing
};

struct PlaceSeen {
  std::string name;
  Reach reach = Reach::kUnknown;
  std::chrono::milliseconds reach_for{0};  // so for how long
  std::string since{};                     // the same as a time, RFC 3339, for people
  int failures = 0;                        // probes in a row that found it unreachable
  std::string message;                     // what it said, where it is not reachable
  std::optional<bool> writable;            // whether the last trial write was taken
  // As a copy of the primary:
  bool complete_once = false;       // one full sync from this primary has reached its end
  bool caught_up = false;           // one that began in the epoch all workers have adopted has, and nothing waits
  std::optional<uint64_t> missing;  // known to be at the primary and not here; nullopt: nobody knows
  std::string listed_at;            // RFC 3339: what is newer at the primary may be unknown; empty: never listed
  std::chrono::milliseconds sync_took{0};  // the last full sync; 0: not known
};

struct PlaceElection {
  FlowWords words;
  std::vector<PlaceSeen> candidates;    // all but the one to be replaced, in the order of the link
  std::optional<uint64_t> max_missing;  // nullopt: no bound
  std::string wish;                     // counts above `prefer`; empty: none
  bool only_wish = false;               // nobody else will do
  std::vector<std::string> prefer;      // best first
};
struct PlaceElected {
  std::string name;
  std::optional<uint64_t> missing;
  std::string listed_at;
};
struct PlaceRefused {
  FlowReason reason = FlowReason::kNone;
  std::string message;  // of every candidate, with names and numbers
};
std::variant<PlaceElected, PlaceRefused> elect(const PlaceElection& input);

// What a failover would leave behind, for people: what is known, and what can't be.
std::string missing_for_people(const FlowWords& words, std::optional<uint64_t> missing, const std::string& listed_at,
                               const std::string& from, const std::string& to);

}  // namespace twinspan
