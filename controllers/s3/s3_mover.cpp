#include "controllers/s3/s3_mover.hpp"

#include <nlohmann/json.hpp>

#include "contract/assignment.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/s3/bucket_drill.hpp"
#include "controllers/s3/bucket_story.hpp"

namespace twinspan::controllers {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLook{1000};
constexpr milliseconds kChangingLook{100};
constexpr milliseconds kWords{10000};  // between two writes of mere words
constexpr int64_t kBothWaysSeconds = 300;

Move::Words words_of(const FlowSeen& seen, const FlowDecision& decision) {
  return {std::string(to_string(decision.reason)), decision.message,
          seen.assignment ? seen.assignment->epoch.value : 0};
}

void point(const MoveFacts& facts, const std::string& to, bool only_due, std::vector<Route>& routes) {
  const api::FailoverPolicy& policy = *facts.policy;
  for (const api::PolicyConfigMap& one : policy.spec.config_maps)
    routes.push_back({render_bucket_config_map(policy, one, *facts.link, to), to, only_due});
  for (const api::PolicyService& one : policy.spec.services)
    routes.push_back({render_bucket_service(policy, one, to), to, only_due});
}

}  // namespace

bool S3Mover::is_news(const MemberReport& before, const MemberReport& after) const {
  const auto was = parse_flow_report(member_of(before.details, "failover"));
  const auto is = parse_flow_report(member_of(after.details, "failover"));
  if (!was || !is) return was.has_value() != is.has_value();
  if (was->adopted != is->adopted || was->places.size() != is->places.size() || was->rehearsal != is->rehearsal ||
      was->past != is->past)
    return true;
  for (size_t i = 0; i < was->places.size(); ++i) {
    const PlaceSeen &a = was->places[i], &b = is->places[i];
    if (a.reach != b.reach || a.writable != b.writable || a.complete_once != b.complete_once ||
        a.caught_up != b.caught_up || a.failures != b.failures)
      return true;
  }
  return false;
}

std::vector<Told> S3Mover::events(const api::PolicyStatus& before, const api::PolicyStatus& after) const {
  return bucket_events_of(before, after);
}

BucketRoutingSeen S3Mover::routing_of(const MoveFacts& facts) const {
  const std::string& ns = facts.link->metadata.ns;
  std::map<std::string, ServiceFacts> services;
  std::map<std::string, ConfigMapFacts> maps;
  for (const api::PolicyService& wanted : facts.policy->spec.services)
    if (auto known = caches_.service({ns, wanted.name})) services.emplace(wanted.name, std::move(*known));
  for (const api::PolicyConfigMap& wanted : facts.policy->spec.config_maps)
    if (auto known = caches_.config_map({ns, wanted.name})) maps.emplace(wanted.name, std::move(*known));
  return read_bucket_routing(*facts.policy, *facts.link, services, maps, facts.foreign, facts.refused);
}

// Where clients are sent stays.
void S3Mover::finish(const MoveFacts& facts, const std::string& to, std::vector<Route>& routes) const {
  const api::FailoverPolicy& policy = *facts.policy;
  for (const api::PolicyConfigMap& one : policy.spec.config_maps)
    if (facts.refused.contains({"ConfigMap", one.name}))
      routes.push_back({render_bucket_config_map(policy, one, *facts.link, to), to});
  for (const api::PolicyService& one : policy.spec.services)
    if (caches_.is_unfinished(policy, one, facts.refused))
      routes.push_back({render_bucket_service(policy, one, to), to});
}

Move S3Mover::begin(const MoveFacts& facts) {
  Move move;
  if (facts.link->spec.paused) return move;
  const FlowSeen seen = sight_.beginning(facts);
  const auto decision = decide_beginning(seen);
  // The first primary is the source, as long as nothing says otherwise: that needs no assignment.
  if (decision && decision->assign && decision->assign->cause != Cause::kInitial) {
    move.told = words_of(seen, *decision);
    move.assignment = status_of(*decision->assign);
  }
  // Whatever workers say anew brings it here again.
  if (decision) move.next = kube::Requeue::after(kLook);
  return move;
}

Result<Move> S3Mover::look(const MoveFacts& facts, const std::stop_token&) {
  if (!facts.policy) return begin(facts);
  const api::FailoverPolicy& policy = *facts.policy;
  const BucketRoutingSeen routing = routing_of(facts);
  const auto gathered = sight_.gather(facts, routing);
  if (!gathered) return std::unexpected(gathered.error());
  const auto& [seen, rehearsals] = *gathered;
  const FlowDecision decision = decide(seen, bucket_rules_of(policy));
  const bool new_assignment = decision.assign && decision.assign != seen.assignment;
  Move move;
  move.changing = decision.current.has_value();
  if (new_assignment || decision.current != seen.current) move.told = words_of(seen, decision);
  const WallTime now = clock_.wall_now();
  move.status = next_bucket_status(policy, seen, decision, routing, now);
  move.status.drill = next_bucket_drill(policy, seen, move.status, rehearsals, now);
  move.words_wait = kWords;
  if (new_assignment) {
    move.assignment = status_of(*decision.assign);
    move.assignment->both_ways_seconds = policy.spec.promotion.both_ways_seconds.value_or(kBothWaysSeconds);
  }
  const auto& drill = move.status.drill;
  const std::string rehearsal = drill && drill->outcome == to_string(DrillOutcome::kRunning) ? drill->requested_at : "";
  const auto& rehearsed = facts.link->status.rehearsal;
  if (rehearsal != (rehearsed ? rehearsed->requested_at : "")) move.rehearsal = rehearsal;
  const bool turns = seen.routes && leads_elsewhere(seen, decision);
  if (turns) point(facts, *decision.route_to, false, move.routes);
  if (!turns && !move.changing && !seen.paused) {
    if (seen.routing != Routing::kUnknown)
      finish(facts, seen.routed_to, move.routes);
    else if (!seen.routes && decision.route_to)  // nothing of it is there: all of it was refused
      finish(facts, *decision.route_to, move.routes);
  }
  if (!move.changing && seen.assignment && !routing.foreign.empty())
    point(facts, seen.assignment->primary, true, move.routes);
  move.next = kube::Requeue::after(move.changing || new_assignment || turns ? kChangingLook : kLook);
  return move;
}

}  // namespace twinspan::controllers
