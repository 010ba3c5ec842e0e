// What the operator does about a link's primary, from what was seen. Pure and total; the simulator and the operator run
// the same code. The answer is the whole state wanted, not a delta: carrying it out twice, or by another operator, is
// safe.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "failover/assignment.hpp"
#include "failover/lease.hpp"
#include "failover/log/elect.hpp"
#include "failover/mode.hpp"
#include "failover/report.hpp"
#include "failover/word.hpp"

namespace twinspan {

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
  void exclude(const std::string& name);  // once, as the API keeps them
  bool operator==(const Transition&) const = default;
};

struct MemberSeen {
  std::string name;
  std::optional<MemberReport> report;  // the last one that arrived
  bool fresh = false;                  // it arrived after the lease's last change and recently enough to act upon
  // Without a report: whatever volume it has was made for this link after its lease was, and nobody was primary since.
  bool surely_empty = false;
  int failures = 0;                         // attempts to reach it since it last answered
  std::chrono::milliseconds silent_for{0};  // since it last answered, or since this operator began to ask
};

struct FailoverSeen {
  std::string source;                       // the link's first primary
  std::vector<MemberSeen> members;          // every endpoint of the link
  std::optional<LeaseRecord> lease;         // nullopt: not observed
  bool lease_confirmed = false;             // it was asked for, and never from a cache, after the reports had arrived
  std::chrono::milliseconds holder_for{0};  // since the lease's holder or epoch last changed
  std::chrono::milliseconds lease_unchanged_for{0};
  // Free, or stood unchanged for its duration by this operator's own clock: a hint, the candidate's clock decides.
  bool lease_may_be_taken = false;
  std::optional<Assignment> assignment;
  std::optional<Transition> current;
  std::chrono::milliseconds step_for{0};    // how long `current.step` has lasted
  std::chrono::milliseconds stable_for{0};  // since the last change of primary ended
  Routing routing = Routing::kUnknown;
  std::string routed_to;
  bool endpoints_ready = false;  // EndpointSlices show the routed endpoint and no other
  std::string desired_reached;   // the value of desired_primary that was last reached: not acted upon again
  std::optional<Position> primary_last_known;  // survives the operator: every renewal of the lease says it
  bool paused = false;
  std::string replace;   // the Restore whose prepared data are to take the place of the primary's; empty: none
  std::string ns, link;  // for the commands that messages name
  std::optional<PromoteWord> word;  // a person's, whatever epoch it is for
  std::string word_error;           // why what a person said can't be read
};

struct Decision {
  std::optional<Transition> current;    // nullopt: nothing under way
  std::optional<Assignment> assign;     // nullopt: leave as it is
  std::optional<std::string> route_to;  // name: select it; "": withdraw; nullopt: leave as it is
  std::optional<Ending> ended;          // `current` of the input is over: write its history
  bool possible = false;                // a failover would succeed now
  bool confirm_lease = false;           // nothing is decided before FailoverSeen::lease_confirmed
  bool needs_person = false;            // it goes on only by somebody's doing; `message` says by whose
  LogReason reason = LogReason::kNone;  // why this, or why not more
  std::string message;                  // for people: what, why, what next
  bool operator==(const Decision&) const = default;
};

Decision decide(const FailoverSeen& seen, const FailoverRules& rules);

}  // namespace twinspan
