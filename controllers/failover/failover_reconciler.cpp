#include "controllers/failover/failover_reconciler.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/conditions.hpp"
#include "api/validate.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/failover/failover_rules.hpp"
#include "controllers/failover/failover_writes.hpp"
#include "core/log.hpp"

namespace twinspan::controllers {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr milliseconds kTrusted{2000};     // older reports are not acted upon
constexpr milliseconds kImpatient{15};     // between looks while a change waits for its members
constexpr milliseconds kSteadyLook{3000};  // without any news

std::vector<std::string> endpoint_names(const api::LinkSpec& spec) {
  std::vector<std::string> names{spec.source.name};
  for (const api::Endpoint& target : spec.targets) names.push_back(target.name);
  return names;
}

bool lease_times_differ(const api::AssignmentStatus& status, const LeaseTiming& lease) {
  return std::chrono::seconds(status.lease_duration_seconds.value_or(0)) != lease.duration ||
         std::chrono::seconds(status.lease_renew_seconds.value_or(0)) != lease.renew;
}

}  // namespace

FailoverReconciler::FailoverReconciler(kube::Client& client, const Clock& clock, Cluster& cluster,
                                       FailoverCaches& caches, WorkerReports& reports, kube::EventRecorder& events)
    : client_(client),
      clock_(clock),
      cluster_(cluster),
      caches_(caches),
      reports_(reports),
      events_(events),
      buckets_(client, clock, cluster, caches, reports, events) {}

bool FailoverReconciler::worth_a_look(const std::optional<Seen>& before, const Seen& after) {
  if (!before || before->failures != after.failures || before->report.has_value() != after.report.has_value())
    return true;
  if (!after.report) return false;
  if (!after.report->details.is_null()) return BucketFailover::worth_a_look(*before->report, *after.report);
  const MemberReport &a = *before->report, &b = *after.report;
  return a.instance != b.instance || a.state != b.state || a.role != b.role || a.frozen_for != b.frozen_for ||
         a.database_running != b.database_running || a.sql_failures != b.sql_failures ||
         a.holds_lease != b.holds_lease || a.accepts_reads != b.accepts_reads;
}

FailoverReconciler::Memory FailoverReconciler::remember(const kube::Key& key, const Lease* lease,
                                                        const CachedLink& link) {
  std::lock_guard lock(mutex_);
  Memory& memory = memory_[key];
  const BootTime now = clock_.boot_now();
  if (lease) {
    const LeaseRecord& record = lease->record;
    const std::string holder = record.holder_endpoint + "/" + record.holder_instance;
    if (memory.holder != holder || memory.epoch != record.epoch.value || memory.held != record.held()) {
      memory.holder = holder;
      memory.epoch = record.epoch.value;
      memory.held = record.held();
      memory.holder_since = std::min(lease->seen_at, now);
      memory.holder_since_wall = clock_.wall_now() - duration_cast<WallTime::duration>(now - memory.holder_since);
    }
    // How far the primary was: its own last word, or what an earlier operator wrote down.
    if (record.held() && record.promoted) {
      if (const auto seen = reports_.latest(key, record.holder_endpoint);
          seen && seen->report && seen->report->received)
        memory.primary_last_known = seen->report->received;
    }
  }
  if (!memory.primary_last_known && lease) {
    const LeaseRecord& record = lease->record;
    const std::string last = record.held() || !record.release ? record.holder_endpoint : record.release->endpoint;
    for (const api::EndpointStatus& endpoint : link.status.endpoints)
      if (endpoint.name == last && endpoint.position) memory.primary_last_known = parse_position(*endpoint.position);
  }
  return memory;
}

std::vector<api::FieldError> FailoverReconciler::errors_of(const api::FailoverPolicy& policy,
                                                           const CachedLink& link) const {
  // The other policies are looked at once for each version of the spec, and again as long as there is something wrong.
  const bool known = policy.status.observed_generation == policy.metadata.generation &&
                     !api::find_condition(policy.status.conditions, "Stalled");
  return api::validate(policy, &link, known ? std::vector<api::FailoverPolicy>() : caches_.rivals_of(policy));
}

RoutingSeen FailoverReconciler::routing_of(const kube::Key& key, const api::FailoverPolicy* policy,
                                           const std::string& primary) const {
  if (!policy) return {Routing::kTo, primary, true, {}};
  std::map<std::string, ServiceFacts> services;
  std::map<std::string, std::vector<SliceFacts>> slices;
  bool any_primary = false;
  for (const api::PolicyService& wanted : policy->spec.services) {
    const kube::Key service{key.ns, wanted.name};
    any_primary |= wanted.selects == api::Selects::kPrimary;
    if (auto facts = caches_.service(service)) services.emplace(wanted.name, std::move(*facts));
    slices.emplace(wanted.name, caches_.slices_of(service));
  }
  RoutingSeen seen = read_routing(*policy, services, slices, primary.empty() ? "" : pod_name(key.name, primary));
  if (!any_primary) {
    seen.routing = Routing::kTo;
    seen.routed_to = primary;
  }
  return seen;
}

FailoverSeen FailoverReconciler::gather(const kube::Key& key, const CachedLink& link, const api::FailoverPolicy* policy,
                                        const FailoverRules& rules, const RoutingSeen& routing) {
  const auto lease = cluster_.leases.find({key.ns, lease_name(key.name)});
  const Memory memory = remember(key, lease.get(), link);
  const BootTime now = clock_.boot_now();
  FailoverSeen seen;
  seen.source = link.spec.source.name;
  seen.paused = link.spec.paused;
  seen.assignment = assignment_of(link.status);
  seen.primary_last_known = memory.primary_last_known;
  seen.routing = routing.routing;
  seen.routed_to = routing.routed_to;
  seen.endpoints_ready = routing.endpoints_ready;
  if (lease) {
    seen.lease = lease->record;
    const milliseconds duration = lease->duration.count() > 0 ? lease->duration : rules.lease.duration;
    seen.lease_unchanged_for = duration_cast<milliseconds>(now - lease->seen_at);
    seen.lease_may_be_taken = !lease->record.held() || seen.lease_unchanged_for >= duration;
  }
  for (const std::string& name : endpoint_names(link.spec)) {
    MemberSeen& member = seen.members.emplace_back();
    member.name = name;
    const auto latest = reports_.latest(key, name);
    if (!latest) {
      member.failures = rules.consecutive_failures;  // its pod is not there
      member.silent_for = duration_cast<milliseconds>(now - memory.holder_since);
      continue;
    }
    member.report = latest->report;
    member.failures = latest->failures;
    member.silent_for = duration_cast<milliseconds>(now - latest->received_at);
    member.fresh = latest->report && now - latest->received_at < kTrusted && latest->received_at >= memory.holder_since;
  }
  if (!policy) return seen;
  seen.current = transition_of(policy->status);
  seen.desired_reached = policy->status.desired_reached.value_or("");
  const WallTime wall = clock_.wall_now();
  if (policy->status.current)
    if (const auto since = parse_rfc3339(policy->status.current->started_at))
      seen.step_for = duration_cast<milliseconds>(wall - *since);
  seen.stable_for = milliseconds::max();
  if (policy->status.last_failover)
    if (const auto since = parse_rfc3339(*policy->status.last_failover))
      seen.stable_for = duration_cast<milliseconds>(wall - *since);
  return seen;
}

Result<kube::Requeue> FailoverReconciler::reconcile(const kube::Key& key, std::stop_token stop) {
  const auto link = cluster_.links.find(key);
  const auto policies = caches_.policies_of(key);
  if (!link || link->metadata.deleting()) {
    std::lock_guard lock(mutex_);
    memory_.erase(key);
    buckets_.forget(key);
  }
  if (!link) {
    for (const auto& orphan : policies)
      if (auto said = refuse(*orphan, api::to_string(api::validate(*orphan, nullptr, {})), stop); !said)
        return std::unexpected(said.error());
    return kube::Requeue::none();
  }
  if (link->metadata.deleting() || link->invalid)
    return kube::Requeue::none();  // the link controller says what it must
  // The oldest policy counts; one that can't be acted upon is told so, and the link goes on as if it had none.
  std::shared_ptr<const api::FailoverPolicy> policy;
  for (const auto& candidate : policies) {
    const auto errors = errors_of(*candidate, *link);
    if (errors.empty() && !policy) {
      policy = candidate;
    } else if (auto said = refuse(*candidate,
                                  errors.empty() ? fmt::format("spec.linkRef.name: \"{}\" has the policy {} already",
                                                               key.name, policy->metadata.name)
                                                 : api::to_string(errors),
                                  stop);
               !said) {
      return std::unexpected(said.error());
    }
  }

  if (link->spec.engine != api::Engine::kPostgres)
    return policy ? buckets_.reconcile(*link, *policy, stop) : kube::Requeue::none();

  const FailoverRules rules = rules_of(*link, policy.get());
  const auto lease = cluster_.leases.find({key.ns, lease_name(key.name)});
  const RoutingSeen routing = routing_of(key, policy.get(), lease ? lease->record.holder_endpoint : "");
  const FailoverSeen seen = gather(key, *link, policy.get(), rules, routing);
  const Decision decision = decide(seen, rules);
  // The agents learn of other lease times through the assignment they have.
  const std::optional<Assignment> assign =
      decision.assign || !seen.assignment || seen.paused || !lease_times_differ(*link->status.assignment, rules.lease)
          ? decision.assign
          : seen.assignment;
  const bool new_assignment = assign && (assign != seen.assignment || !decision.assign);
  const bool waiting = decision.current.has_value();
  reports_.set_changing(key, waiting);
  if (new_assignment || decision.current != seen.current)
    log::info("primary decided", {{"link", key.name},
                                  {"namespace", key.ns},
                                  {"plan", decision.reason},
                                  {"reason", decision.message},
                                  {"epoch", seen.lease ? seen.lease->epoch.value : 0}});

  // Intent first: whatever happens to this operator now, another one reads what was under way.
  if (policy) {
    WallTime detected;
    {
      std::lock_guard lock(mutex_);
      const Memory& memory = memory_[key];
      const bool released = seen.lease && !seen.lease->held();
      detected = released ? memory.holder_since_wall : clock_.wall_now();
    }
    const api::PolicyStatus status = next_status(*policy, seen, decision, routing, detected, clock_.wall_now());
    if (status != policy->status) {
      if (auto saved = write_policy_status(client_, cluster_, *policy, status, stop); !saved)
        return std::unexpected(saved.error());
      for (const Told& told : events_of(policy->status, status))
        told.warning ? events_.warning(reference_to(*policy), told.reason, told.message)
                     : events_.normal(reference_to(*policy), told.reason, told.message);
    }
  }
  if (new_assignment)
    if (auto saved = write_assignment(*link, *assign, rules.lease, stop); !saved) return std::unexpected(saved.error());
  if (policy) {
    if (decision.route_to && (seen.routing == Routing::kUnknown || seen.routed_to != *decision.route_to ||
                              (seen.routing == Routing::kWithdrawn) != decision.route_to->empty()))
      if (auto done = write_services(*policy, *decision.route_to, stop); !done) return std::unexpected(done.error());
    if (readers_may_change(waiting, seen.step_for)) {
      if (auto done = ensure_replica_services(*policy, stop); !done) return std::unexpected(done.error());
      if (auto done = label_readers(key, *link, *policy, seen, stop); !done) return std::unexpected(done.error());
    }
  }
  if (!seen.lease) return kube::Requeue::none();  // nothing moves before there is one, which is news of its own
  if (!waiting && !new_assignment) {
    // The next moment at which silence would mean something: without a policy only the end of the lease does.
    const milliseconds limit =
        policy ? std::min({rules.unreachable, rules.lease.duration, kSteadyLook}) : rules.lease.duration;
    return kube::Requeue::after(std::max(limit - seen.lease_unchanged_for, milliseconds(100)));
  }
  if (decision.reason == "StoppingReceivers") reports_.refresh(key);
  const bool urgent = decision.reason == "StoppingReceivers" || new_assignment;
  return kube::Requeue::after(urgent ? kImpatient : milliseconds(100));
}

Status FailoverReconciler::write_assignment(const CachedLink& link, const Assignment& assignment,
                                            const LeaseTiming& lease, std::stop_token stop) {
  Json wanted = to_json(assignment);
  wanted["leaseDurationSeconds"] = duration_cast<std::chrono::seconds>(lease.duration).count();
  wanted["leaseRenewSeconds"] = duration_cast<std::chrono::seconds>(lease.renew).count();
  return controllers::write_assignment(client_, cluster_, link, wanted, stop);
}

Status FailoverReconciler::write_services(const api::FailoverPolicy& policy, const std::string& to,
                                          std::stop_token stop) {
  for (const api::PolicyService& service : policy.spec.services) {
    if (service.selects != api::Selects::kPrimary) continue;
    auto written = client_.apply(kube::kServices, render_primary_service(policy, service, to), kFieldManager,
                                 kube::Subresource::kNone, stop);
    if (!written) return std::unexpected(written.error());
    // Keys of somebody else's in the selector would keep the Service from ever matching.
    Json foreign = Json::object();
    const Json selector = written->at("spec").value("selector", Json::object());
    for (const auto& [key, value] : selector.items())
      if (key != kLinkLabel && key != kEndpointLabel) foreign[key] = nullptr;
    if (!foreign.empty()) {
      written = client_.merge_patch(kube::kServices, {policy.metadata.ns, service.name},
                                    {{"spec", {{"selector", foreign}}}}, kube::Subresource::kNone, stop);
      if (!written) return std::unexpected(written.error());
    }
    caches_.wrote_service(*written);
    log::info("service points", {{"link", policy.spec.link_ref.name},
                                 {"namespace", policy.metadata.ns},
                                 {"service", service.name},
                                 {"endpoint", to.empty() ? std::string("nobody") : to}});
  }
  return {};
}

Status FailoverReconciler::ensure_replica_services(const api::FailoverPolicy& policy, std::stop_token stop) {
  for (const api::PolicyService& service : policy.spec.services) {
    if (service.selects != api::Selects::kReplicas) continue;
    const Json wanted = render_replicas_service(policy, service);
    const auto have = caches_.service({policy.metadata.ns, service.name});
    if (have && have->port == service.port && Json(have->selector) == wanted.at("spec").at("selector")) continue;
    auto written = client_.apply(kube::kServices, wanted, kFieldManager, kube::Subresource::kNone, stop);
    if (!written) return std::unexpected(written.error());
    caches_.wrote_service(*written);
  }
  return {};
}

Status FailoverReconciler::label_readers(const kube::Key& key, const CachedLink& link,
                                         const api::FailoverPolicy& policy, const FailoverSeen& seen,
                                         std::stop_token stop) {
  std::optional<double> bound;
  for (const api::PolicyService& service : policy.spec.services)
    if (service.selects == api::Selects::kReplicas && service.max_lag_seconds)
      bound = std::min(bound.value_or(1e9), static_cast<double>(*service.max_lag_seconds));
  for (const MemberSeen& member : seen.members) {
    const kube::Key pod_key{key.ns, pod_name(key.name, member.name)};
    const auto pod = cluster_.pods.find(pod_key);
    if (!pod || pod->terminating) continue;
    const MemberReport* report = member.report && member.failures == 0 ? &*member.report : nullptr;
    // A lag that is not known is no lag within a bound.
    const bool reads = report && report->role == Role::kReplica && report->accepts_reads &&
                       (!bound || (report->lag_seconds && *report->lag_seconds <= *bound));
    const std::string wanted = reads ? "true" : "false";
    if (pod->reads == wanted || (pod->reads.empty() && !reads)) continue;
    const Json patch = {{"metadata", {{"uid", pod->uid}, {"labels", {{std::string(kReadsLabel), wanted}}}}}};
    auto written = client_.merge_patch(kube::kPods, pod_key, patch, kube::Subresource::kNone, stop);
    if (!written && written.error().code == Code::kNotFound) continue;
    if (!written) return std::unexpected(written.error());
    cluster_.wrote(kube::kPods, *written);
  }
  (void)link;
  return {};
}

Status FailoverReconciler::refuse(const api::FailoverPolicy& policy, const std::string& message, std::stop_token stop) {
  api::PolicyStatus status = policy.status;
  const WallTime now = clock_.wall_now();
  status.observed_generation = policy.metadata.generation;
  const auto set = [&](const char* type, api::ConditionStatus value) {
    api::Condition wanted;
    wanted.type = type;
    wanted.status = value;
    wanted.reason = "InvalidSpec";
    wanted.message = message;
    api::set_condition(status.conditions, wanted, policy.metadata.generation, now);
  };
  set("Ready", api::ConditionStatus::kFalse);
  set("Stalled", api::ConditionStatus::kTrue);
  if (status == policy.status) return {};
  events_.warning(reference_to(policy), "InvalidSpec", message);
  return write_policy_status(client_, cluster_, policy, status, stop);
}

}  // namespace twinspan::controllers
