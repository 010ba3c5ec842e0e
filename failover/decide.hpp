// What the operator does about a link's primary, from what was seen. Pure and total; the simulator and the operator run
// the same code. The answer is the whole state wanted, not a delta: carrying it out twice, or by another operator, is
// safe.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "failover/assignment.hpp"
#include "failover/elect.hpp"
#include "failover/lease.hpp"
#include "failover/report.hpp"

namespace twinspan {

enum class Mode {
  kRestartOnly,  // no policy: the primary is only ever given its own right again
  kManual,       // switchovers when asked; a dead primary waits for a person, or comes back by itself
  kDryRun,       // as Manual, and says what Automatic would have done
  kAutomatic,
};

enum class FailbackMode { kNever, kManual, kAutomatic };

struct FailoverRules {
  Mode mode = Mode::kRestartOnly;
  std::string desired_primary;
  std::chrono::milliseconds unreachable{3000};
  int consecutive_failures = 3;
  uint64_t max_lag_bytes = 0;
  std::vector<std::string> prefer;
  std::chrono::milliseconds promotion_timeout{30000};
  LeaseTiming lease;
  DurabilityRule durability;
  FailbackMode failback = FailbackMode::kManual;
  std::chrono::milliseconds failback_stable{300000};
};

enum class Step { kSteady, kFencing, kElecting, kPromoting, kRerouting };
std::string_view to_string(Step step);  // "Steady", "Fencing" …
std::optional<Step> parse_step(std::string_view text);

// A change under way, as FailoverPolicy status.current keeps it.
struct Transition {
  Step step = Step::kSteady;
  Epoch epoch;  // the epoch that the change leads to
  std::string from;
  std::string to;  // empty until elected
  Cause cause = Cause::kInitial;
  std::vector<std::string> excluded;  // candidates that did not promote in time
  std::optional<uint64_t> lost_bytes;
  bool operator==(const Transition&) const = default;
};

struct MemberSeen {
  std::string name;
  std::optional<MemberReport> report;       // the last one that arrived
  bool fresh = false;                       // it arrived after the lease's last change and recently enough to act upon
  int failures = 0;                         // attempts to reach it since it last answered
  std::chrono::milliseconds silent_for{0};  // since it last answered, or since this operator began to ask
};

enum class Routing { kUnknown, kWithdrawn, kTo };

struct FailoverSeen {
  std::string source;                // the link's first primary
  std::vector<MemberSeen> members;   // every endpoint of the link
  std::optional<LeaseRecord> lease;  // nullopt: not observed
  std::chrono::milliseconds lease_unchanged_for{0};
  bool lease_may_be_taken = false;  // as this operator's own clock sees it: a hint, the candidate's clock decides
  std::optional<Assignment> assignment;
  std::optional<Transition> current;
  std::chrono::milliseconds step_for{0};    // how long `current.step` has lasted
  std::chrono::milliseconds stable_for{0};  // since the last change of primary ended
  Routing routing = Routing::kUnknown;
  std::string routed_to;
  bool endpoints_ready = false;  // EndpointSlices show the routed endpoint and no other
  std::string desired_reached;   // the value of desired_primary that was last reached: not acted upon again
  std::optional<Position> primary_last_known;  // survives the operator: kept in the link's status
  bool paused = false;
};

struct Decision {
  std::optional<Transition> current;    // nullopt: nothing under way
  std::optional<Assignment> assign;     // nullopt: leave as it is
  std::optional<std::string> route_to;  // name: select it; "": withdraw; nullopt: leave as it is
  bool completed = false;               // `current` of the input is over: write its history
  std::string outcome;                  // with completed: Completed, Cancelled
  bool possible = false;                // a failover would succeed now
  std::string reason;                   // CamelCase: why this, or why not more
  std::string message;                  // for people: what, why, what next
  bool operator==(const Decision&) const = default;
};

Decision decide(const FailoverSeen& seen, const FailoverRules& rules);

}  // namespace twinspan
