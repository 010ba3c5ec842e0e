#include "controllers/postgres/postgres_mover.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "contract/assignment.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/postgres/failover_rules.hpp"
#include "controllers/postgres/story.hpp"

namespace twinspan::controllers {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr milliseconds kImpatient{15};  // between looks while a change waits for its members
constexpr milliseconds kChangingLook{100};
constexpr milliseconds kSteadyLook{3000};  // without any news
constexpr milliseconds kStuckLook{1000};   // while a person is waited for

bool lease_times_differ(const api::AssignmentStatus& status, const LeaseTiming& lease) {
  return std::chrono::seconds(status.lease_duration_seconds.value_or(0)) != lease.duration ||
         std::chrono::seconds(status.lease_renew_seconds.value_or(0)) != lease.renew;
}

// The agents learn of other lease times through the assignment they have.
std::optional<Assignment> assignment_to_write(const CachedLink& link, const FailoverSeen& seen,
                                              const Decision& decision, const LeaseTiming& lease) {
  if (decision.assign) return decision.assign != seen.assignment ? decision.assign : std::nullopt;
  if (!seen.assignment || seen.paused || !lease_times_differ(*link.status.assignment, lease)) return std::nullopt;
  return seen.assignment;
}

api::AssignmentStatus with_lease(const Assignment& assignment, const LeaseTiming& lease) {
  api::AssignmentStatus status = status_of(assignment);
  status.lease_duration_seconds = duration_cast<std::chrono::seconds>(lease.duration).count();
  status.lease_renew_seconds = duration_cast<std::chrono::seconds>(lease.renew).count();
  return status;
}

bool without_primary(const FailoverSeen& seen) { return !seen.lease || !seen.lease->held() || !seen.lease->promoted; }

kube::Requeue next_look(const FailoverSeen& seen, const Decision& decision, const FailoverRules& rules, bool has_policy,
                        bool new_assignment) {
  if (!seen.lease) return kube::Requeue::none();  // nothing moves before there is one, which is news of its own
  if (decision.needs_person && !new_assignment) return kube::Requeue::after(kStuckLook);
  if (decision.current || new_assignment)
    return kube::Requeue::after(decision.reason == LogReason::kStoppingReceivers || new_assignment ? kImpatient
                                                                                                   : kChangingLook);
  // The next moment at which silence would mean something: without a policy only the end of the lease does.
  const milliseconds limit =
      has_policy ? std::min({rules.unreachable, rules.lease.duration, kSteadyLook}) : rules.lease.duration;
  return kube::Requeue::after(std::max(limit - seen.lease_unchanged_for, kChangingLook));
}

}  // namespace

bool PostgresMover::is_news(const MemberReport& a, const MemberReport& b) const {
  return a.instance != b.instance || a.state != b.state || a.role != b.role || a.frozen_for != b.frozen_for ||
         a.database_running != b.database_running || a.sql_failures != b.sql_failures ||
         a.holds_lease != b.holds_lease || a.accepts_reads != b.accepts_reads;
}

std::vector<Told> PostgresMover::events(const api::PolicyStatus& before, const api::PolicyStatus& after) const {
  return postgres_events_of(before, after);
}

Result<Move> PostgresMover::look(const MoveFacts& facts, const std::stop_token& stop) {
  const CachedLink& link = *facts.link;
  const kube::Key key = key_of(link.metadata);
  const FailoverRules rules = rules_of(link, facts.policy.get());
  const auto now = decided(facts, rules, stop);
  if (!now) return std::unexpected(now.error());
  const auto& [seen, routing, decision] = *now;
  const auto assign = assignment_to_write(link, seen, decision, rules.lease);
  Move move;
  move.changing = decision.current.has_value();
  if (without_primary(seen) && !decision.message.empty())
    move.holdup = Holdup{std::string(to_string(decision.reason)), decision.message, decision.needs_person};
  if ((assign || decision.current != seen.current || decision.needs_person) && sight_.is_new(key, decision))
    move.told = Move::Words{std::string(to_string(decision.reason)), decision.message,
                            seen.lease ? seen.lease->epoch.value : 0};
  if (facts.policy)
    move.status = next_status(*facts.policy, seen, decision, routing, sight_.detected(key, seen), clock_.wall_now());
  if (assign) move.assignment = with_lease(*assign, rules.lease);
  if (facts.policy) {
    move.routes = routes_of(facts, *now);
    if (readers_may_change(move.changing, seen.step_for)) move.labels = reader_labels(facts, seen);
  }
  move.ask_workers = decision.reason == LogReason::kStoppingReceivers && seen.lease && (move.changing || assign) &&
                     (!decision.needs_person || assign);
  move.next = next_look(seen, decision, rules, facts.policy != nullptr, assign.has_value());
  return move;
}

// Where a member has seen more of the lease than this operator, it is asked for, and decided anew.
Result<PostgresMover::Decided> PostgresMover::decided(const MoveFacts& facts, const FailoverRules& rules,
                                                      const std::stop_token& stop) {
  const kube::Key key = key_of(facts.link->metadata);
  const auto look = [&](const std::shared_ptr<const Lease>& lease, std::optional<Epoch> confirmed) -> Result<Decided> {
    RoutingSeen routing = routing_of(facts, lease ? lease->record.holder_endpoint : "");
    auto seen = sight_.gather(facts, rules, routing, lease, confirmed);
    if (!seen) return std::unexpected(seen.error());
    Decision decision = decide(*seen, rules);
    return Decided{std::move(*seen), std::move(routing), std::move(decision)};
  };
  const std::shared_ptr<const Lease> cached = cluster_.leases.find({key.ns, lease_name(key.name)});
  auto first = look(cached, std::nullopt);
  if (!first || !first->decision.confirm_lease) return first;
  const auto now = confirmed_lease(key, cached, stop);
  return now ? look(now, remembered_epoch(first->seen)) : std::move(first);
}

std::shared_ptr<const Lease> PostgresMover::confirmed_lease(const kube::Key& key,
                                                            const std::shared_ptr<const Lease>& cached,
                                                            const std::stop_token& stop) {
  const auto object = client_.get(kube::kLeases, {key.ns, lease_name(key.name)}, stop);
  if (!object) return nullptr;
  auto now = decode_lease(*object, clock_.boot_now());
  if (!now) return nullptr;
  cluster_.wrote(kube::kLeases, *object);
  if (now->record.version == cached->record.version) return cached;
  return std::make_shared<const Lease>(std::move(*now));
}

RoutingSeen PostgresMover::routing_of(const MoveFacts& facts, const std::string& primary) const {
  if (!facts.policy) return {Routing::kTo, primary, true, {}, false, {}};
  const kube::Key key = key_of(facts.link->metadata);
  std::map<std::string, ServiceFacts> services;
  std::map<std::string, std::vector<SliceFacts>> slices;
  for (const api::PolicyService& wanted : facts.policy->spec.services) {
    const kube::Key service{key.ns, wanted.name};
    if (auto known = caches_.service(service)) services.emplace(wanted.name, std::move(*known));
    slices.emplace(wanted.name, caches_.slices_of(service));
  }
  RoutingSeen seen = read_routing(*facts.policy, services, slices, primary.empty() ? "" : pod_name(key.name, primary),
                                  facts.foreign, facts.refused);
  if (!seen.any) {
    seen.routing = Routing::kTo;
    seen.routed_to = primary;
  }
  return seen;
}

std::vector<Route> PostgresMover::routes_of(const MoveFacts& facts, const Decided& now) const {
  const auto& [seen, routing, decision] = now;
  const api::FailoverPolicy& policy = *facts.policy;
  const bool changing = decision.current.has_value();
  std::vector<Route> routes;
  const auto point = [&](const std::string& to, bool only_due) {
    for (const api::PolicyService& one : policy.spec.services)
      if (one.selects == api::Selects::kPrimary)
        routes.push_back({render_primary_service(policy, one, to), to, only_due});
  };
  const bool turns = leads_elsewhere(seen, decision);
  if (turns) point(*decision.route_to, false);
  if (!turns && !changing && !seen.paused && seen.routing != Routing::kUnknown)
    for (const api::PolicyService& one : policy.spec.services)
      if (one.selects == api::Selects::kPrimary && caches_.is_unfinished(policy, one, facts.refused))
        routes.push_back({render_primary_service(policy, one, seen.routed_to), seen.routed_to});
  if (!changing && seen.lease && !routing.foreign.empty()) point(seen.lease->holder_endpoint, true);
  if (!readers_may_change(changing, seen.step_for)) return routes;
  for (Route& route : replica_routes(policy)) routes.push_back(std::move(route));
  return routes;
}

std::vector<Route> PostgresMover::replica_routes(const api::FailoverPolicy& policy) const {
  std::vector<Route> routes;
  for (const api::PolicyService& one : policy.spec.services) {
    if (one.selects != api::Selects::kReplicas) continue;
    Json wanted = render_replicas_service(policy, one);
    const auto have = caches_.service({policy.metadata.ns, one.name});
    const Whose its = have ? whose(*have, claimant(policy)) : Whose::kOurs;
    if (have && (its == Whose::kForeign ||
                 (its != Whose::kPredecessors && have->has_port(one.port) && has_template(*have, one) &&
                  Json(have->selector) == wanted.at("spec").at("selector"))))
      continue;
    routes.push_back({std::move(wanted), "replicas"});
  }
  return routes;
}

std::vector<PodLabel> PostgresMover::reader_labels(const MoveFacts& facts, const FailoverSeen& seen) const {
  const kube::Key key = key_of(facts.link->metadata);
  std::optional<double> bound;
  for (const api::PolicyService& service : facts.policy->spec.services)
    if (service.selects == api::Selects::kReplicas && service.max_lag_seconds)
      bound = std::min(bound.value_or(1e9), static_cast<double>(*service.max_lag_seconds));
  std::vector<PodLabel> labels;
  for (const MemberSeen& member : seen.members) {
    const kube::Key pod_key{key.ns, pod_name(key.name, member.name)};
    const auto pod = cluster_.pods.find(pod_key);
    if (!pod || pod->terminating || pod->link != key.name || !sight_.asks(key, member.name)) continue;
    const std::optional<bool> reads = may_be_read(member, bound);
    if (!reads) continue;
    const std::string wanted = *reads ? "true" : "false";
    if (pod->reads == wanted || (pod->reads.empty() && !*reads)) continue;
    labels.push_back({pod_key, pod->uid, std::string(kReadsLabel), wanted});
  }
  return labels;
}

}  // namespace twinspan::controllers
