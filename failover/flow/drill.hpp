// Rehearsals of a link's way: something is written to the primary, must arrive at every target, and is removed again.
// Pure. The operator asks for one, the worker whose share it falls into answers.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "core/cron.hpp"
#include "core/json.hpp"

namespace twinspan {

inline constexpr std::string_view kDrillAnnotation = "twinspan.dev/drill";

struct Arrival {
  std::string endpoint;
  std::optional<std::chrono::milliseconds> took;  // since the primary acknowledged it; nullopt: it did not arrive
  std::string error;                              // what went wrong, also with one that arrived; empty: nothing
  bool operator==(const Arrival&) const = default;
};

// What the worker says of the rehearsal that was asked for at `requested_at`.
struct RehearsalReport {
  std::string requested_at;
  bool finished = false;
  std::vector<Arrival> arrivals;
  bool operator==(const RehearsalReport&) const = default;
};
Json to_json(const RehearsalReport& report);
std::optional<RehearsalReport> parse_rehearsal_report(const Json& json);  // nullopt: none, or not understood

enum class DrillOutcome { kRunning, kPassed, kFailed };
std::string_view to_string(DrillOutcome outcome);
std::optional<DrillOutcome> parse_drill_outcome(std::string_view text);

// status.drill of a policy.
struct Drill {
  std::string request;       // the annotation's value that was last acted upon; empty: none ever
  std::string requested_at;  // RFC 3339
  DrillOutcome outcome = DrillOutcome::kRunning;
  std::string finished_at{};                           // empty while it runs
  std::optional<std::chrono::milliseconds> arrival{};  // the slowest target's
  std::string message{};
  bool operator==(const Drill&) const = default;
};

struct DrillSeen {
  std::optional<Drill> last;
  std::string asked;             // the annotation's value; empty: none
  std::optional<Cron> schedule;  // nullopt: none
  WallTime scheduled_since{};    // what the schedule names before the last drill or this time is over
  WallTime now{};
  bool steady = false;                    // nothing is paused, no change of primary under way
  std::string primary;                    // endpoint
  std::vector<std::string> targets;       // endpoints that it must arrive at
  std::optional<bool> failover_possible;  // as the policy says it; nullopt: not known
  std::string why;                        // of that, for people
  std::vector<RehearsalReport> reports;   // of the workers that are heard
};

// The drill as it is to be known; nullopt: there never was one. One that is kRunning is to be asked for.
std::optional<Drill> next_drill(const DrillSeen& seen);

}  // namespace twinspan
