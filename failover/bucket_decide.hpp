// What the operator does about where writes of an S3 link go, from what was seen. Pure and total, as decide.hpp: the
// answer is the whole state wanted, and carrying it out twice, or by another operator, is safe.
//
// No lease can keep a bucket from being written to. What is kept instead: workers carry in one direction at a time. A
// change of direction is an epoch of status.assignment; nothing is carried the new way, and no client is sent there,
// before every worker has stopped the old way and said so, or can't run any more (its lease has run out).
// The same epoch with the same primary once more is a question: has a full sync that begins now found nothing left?
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "failover/assignment.hpp"
#include "failover/bucket.hpp"
#include "failover/decide.hpp"

namespace twinspan {

struct BucketRules {
  Mode mode = Mode::kManual;  // kRestartOnly does not occur: without a policy nothing is decided
  std::string desired_primary;
  std::chrono::milliseconds unreachable{3000};  // both must be exceeded
  int consecutive_failures = 3;
  std::optional<uint64_t> max_missing_keys;
  std::vector<std::string> prefer;
  std::chrono::milliseconds promotion_timeout{30000};  // how long clients may be without a bucket in a switchover
  FailbackMode failback = FailbackMode::kManual;
  std::chrono::milliseconds failback_stable{300000};
};

enum class BucketStep {
  kWithdrawing,  // switchover: clients are sent nowhere
  kDraining,     // switchover: everything outstanding is carried
  kStopping,     // the old direction ends
  kRerouting,    // clients are sent to the new primary
};
std::string_view to_string(BucketStep step);  // "Withdrawing" …
std::optional<BucketStep> parse_bucket_step(std::string_view text);

// A change under way, as FailoverPolicy status.current keeps it.
struct BucketMove {
  BucketStep step = BucketStep::kStopping;
  Epoch epoch;  // the epoch that the change leads to; a switchover drains in the one before
  std::string from, to;
  Cause cause = Cause::kSwitchover;
  std::optional<uint64_t> missing_keys;  // counted before it began; nullopt: not known
  std::string listed_at;
  bool operator==(const BucketMove&) const = default;
};

struct WorkerSeen {
  std::string name;
  bool fresh = false;            // it has said something recently enough to act upon
  std::optional<Epoch> adopted;  // the assignment that it works by; nullopt: none, or it does not hold its lease
  bool expired = false;          // whoever held its lease has ended by now, by its own clock
};

struct BucketFailoverSeen {
  std::string source;               // the link's first primary
  std::vector<BucketSeen> buckets;  // every endpoint of the link, the source first
  std::vector<WorkerSeen> workers;
  std::optional<Assignment> assignment;
  std::optional<BucketMove> current;
  std::chrono::milliseconds step_for{0};                     // how long `current.step` has lasted
  std::chrono::milliseconds stable_for{0};                   // since the last change ended
  std::optional<std::chrono::milliseconds> cancelled_for{};  // since a switchover was cancelled, if that was the last
  bool routes = true;  // the policy names something that tells clients where to go
  Routing routing = Routing::kUnknown;
  std::string routed_to;
  std::string desired_reached;  // the value of desired_primary that was last reached: not acted upon again
  bool paused = false;
};

struct BucketDecision {
  std::optional<BucketMove> current;    // nullopt: nothing under way
  std::optional<Assignment> assign;     // nullopt: leave as it is
  std::optional<std::string> route_to;  // name: there; "": withdraw; nullopt: leave as it is
  bool completed = false;               // `current` of the input is over: write its history
  std::string outcome;                  // with completed: Completed, Cancelled
  std::optional<bool> possible;         // whether a failover would succeed now; nullopt: not known
  std::string reason;                   // CamelCase: why this, or why not more
  std::string message;                  // for people
  bool operator==(const BucketDecision&) const = default;
};

BucketDecision decide(const BucketFailoverSeen& seen, const BucketRules& rules);

}  // namespace twinspan
