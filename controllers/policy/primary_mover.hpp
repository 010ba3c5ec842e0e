// What the failover controller asks of an engine, which is all it knows of one: who is to be primary, and what follows.
// PolicyReconciler carries the answer out.
#pragma once
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "api/types.hpp"
#include "controllers/cluster/cluster.hpp"
#include "controllers/cluster/engine_table.hpp"
#include "controllers/policy/policy_events.hpp"
#include "controllers/policy/route_writer.hpp"
#include "failover/assignment.hpp"
#include "failover/mode.hpp"
#include "failover/report.hpp"
#include "kube/controller.hpp"

namespace twinspan::controllers {

struct MoveFacts {
  std::shared_ptr<const CachedLink> link;             // accepted, and not going
  std::shared_ptr<const api::FailoverPolicy> policy;  // as it is in force; nullptr: none
  std::optional<Assignment> assignment;
  std::vector<KnownForeign> foreign;  // others' objects where the policy's would be, that no cache has
  RefusedObjects refused{};
};

struct PodLabel {
  kube::Key pod;
  std::string uid;  // only this one
  std::string label, value;
};

// What was decided, in the order in which it is carried out: whatever happens to this operator on the way, another one
// reads what was under way.
struct Move {
  struct Words {
    std::string plan, reason;
    int64_t epoch = 0;
  };
  std::optional<Words> told;                        // for the log; nullopt: nothing new
  std::optional<Holdup> holdup;                     // of the link
  bool changing = false;                            // a change is under way: workers are asked more often
  api::PolicyStatus status;                         // where there is a policy; judge_newest() comes after it
  std::chrono::milliseconds words_wait{0};          // between two writes of a status that differs in nothing but words
  std::optional<api::AssignmentStatus> assignment;  // nullopt: it stays
  std::optional<std::string> rehearsal;             // status.rehearsal.requestedAt, empty: none; nullopt: it stays
  std::vector<Route> routes;
  std::vector<PodLabel> labels;
  bool ask_workers = false;  // the next look depends on what they say now
  kube::Requeue next;
};

// Whether clients are sent elsewhere than decided, or nobody knows where. Of an engine's own Seen and Decision.
template <class Seen, class Decision>
bool leads_elsewhere(const Seen& seen, const Decision& decision) {
  return decision.route_to && (seen.routing == Routing::kUnknown || seen.routed_to != *decision.route_to ||
                               (seen.routing == Routing::kWithdrawn) != decision.route_to->empty());
}

class PrimaryMover {
 public:
  virtual ~PrimaryMover() = default;
  // Gathers and decides; writes nothing. May ask the API server, but never a worker. Any thread, a link in one at a
  // time. kInvalid: what another version wrote can't be read, so nothing may be decided.
  virtual Result<Move> look(const MoveFacts& facts, const std::stop_token& stop) = 0;
  // What people are told of a status that was written.
  virtual std::vector<Told> events(const api::PolicyStatus& before, const api::PolicyStatus& after) const = 0;
  // Whether a worker says something that a decision could depend on at once. Both have arrived.
  virtual bool is_news(const MemberReport& before, const MemberReport& after) const = 0;
  virtual void forget(const kube::Key& link) = 0;  // it is gone or going
};

using PrimaryMovers = EngineTable<PrimaryMover>;

}  // namespace twinspan::controllers
