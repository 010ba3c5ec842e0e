// What the operator does about where writes of a link go whose places nobody can fence, from what was seen. Pure and
// total, as decide.hpp: the answer is the whole state wanted, and carrying it out twice, or by another operator, is
// safe.
//
// No lease can keep such a place from being written to. What is kept instead: workers carry in one direction at a time.
// A change of direction is an epoch of status.assignment; nothing is carried the new way, and no client is sent there,
// before every worker has stopped the old way and said so, or can't run any more (its lease has run out).
// The same epoch with the same primary once more is a question: has a full sync that begins now found nothing left?
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "failover/assignment.hpp"
#include "failover/flow/past.hpp"
#include "failover/flow/place.hpp"
#include "failover/mode.hpp"
#include "failover/word.hpp"

namespace twinspan {

struct FlowRules {
  Mode mode = Mode::kManual;  // kRestartOnly does not occur: without a policy nothing is decided
  std::string desired_primary;
  std::chrono::milliseconds unreachable{3000};  // both must be exceeded
  int consecutive_failures = 3;
  std::optional<uint64_t> max_missing;
  std::vector<std::string> prefer;
  std::chrono::milliseconds promotion_timeout{30000};  // how long clients may be without a primary in a switchover
  FailbackMode failback = FailbackMode::kManual;
  std::chrono::milliseconds failback_stable{300000};
};

enum class FlowStep {
  kWithdrawing,  // switchover: clients are sent nowhere
  kDraining,     // switchover: everything outstanding is carried
  kStopping,     // the old direction ends
  kRerouting,    // clients are sent to the new primary
};
std::string_view to_string(FlowStep step);  // "Withdrawing" …
std::optional<FlowStep> parse_flow_step(std::string_view text);

// A change under way, as FailoverPolicy status.current keeps it.
struct FlowMove {
  FlowStep step = FlowStep::kStopping;
  Epoch epoch;  // the epoch that the change leads to; a switchover drains in the one before
  std::string from, to;
  Cause cause = Cause::kSwitchover;
  std::optional<uint64_t> missing;  // counted before it began; nullopt: not known
  std::string listed_at;
  bool operator==(const FlowMove&) const = default;
};

struct WorkerSeen {
  std::string name;
  bool fresh = false;            // it has said something recently enough to act upon
  std::optional<Epoch> adopted;  // the assignment that it works by; nullopt: none, or it does not hold its lease
  bool expired = false;          // whoever held its lease has ended by now, by its own clock
};

struct FlowSeen {
  FlowWords words;
  std::string source;             // the link's first primary
  std::vector<PlaceSeen> places;  // every endpoint of the link, the source first
  std::vector<WorkerSeen> workers;
  std::optional<Assignment> assignment;
  std::optional<FlowMove> current;
  std::chrono::milliseconds step_for{0};                     // how long `current.step` has lasted
  std::chrono::milliseconds stable_for{0};                   // since the last change ended
  std::optional<std::chrono::milliseconds> cancelled_for{};  // since a switchover was cancelled, if that was the last
  bool routes = true;  // the policy names something that tells clients where to go
  Routing routing = Routing::kUnknown;
  std::string routed_to;
  std::optional<FlowPast> past;        // what the places' records tell; nullopt: no worker has said so
  std::optional<PromoteWord> promote;  // a person's word where they don't tell enough
  std::string desired_reached;         // the value of desired_primary that was last reached: not acted upon again
  bool paused = false;
  // Records that a person has to decide between.
  bool undecided() const { return past && past->undecided(); }
};

struct FlowDecision {
  std::optional<FlowMove> current;        // nullopt: nothing under way
  std::optional<Assignment> assign;       // nullopt: leave as it is
  std::optional<std::string> route_to;    // name: there; "": withdraw; nullopt: leave as it is
  std::optional<Ending> ended;            // `current` of the input is over: write its history
  std::optional<bool> possible;           // whether a failover would succeed now; nullopt: not known
  FlowReason reason = FlowReason::kNone;  // why this, or why not more
  std::string message;                    // for people
  bool operator==(const FlowDecision&) const = default;
};

FlowDecision decide(const FlowSeen& seen, const FlowRules& rules);

// Who is primary where nobody has been assigned yet, or where the places know of a later time than the assignment: a
// link that was applied again, or a status that was deleted or restored. Never the spec's source unless the places
// agree. nullopt: the assignment stands. Also for links without a policy.
std::optional<FlowDecision> decide_beginning(const FlowSeen& seen);

}  // namespace twinspan
