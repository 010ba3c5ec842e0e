#include "controllers/failover/bucket_failover.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "controllers/cluster/names.hpp"
#include "controllers/failover/bucket_drill.hpp"
#include "controllers/failover/failover_rules.hpp"
#include "controllers/failover/failover_writes.hpp"
#include "core/log.hpp"
#include "failover/bucket_report.hpp"

namespace twinspan::controllers {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

constexpr milliseconds kTrusted{3000};  // a worker measures twice a second, and is asked twice a second
constexpr milliseconds kLook{1000};
constexpr milliseconds kChangingLook{100};
constexpr milliseconds kWords{10000};          // between two writes of mere words
constexpr milliseconds kLeaseDuration{15000};  // of workers, where theirs says nothing

std::vector<std::string> endpoint_names(const api::LinkSpec& spec) {
  std::vector<std::string> names{spec.source.name};
  for (const api::Endpoint& target : spec.targets) names.push_back(target.name);
  return names;
}

milliseconds since(WallTime now, const std::optional<std::string>& time, milliseconds otherwise) {
  if (!time) return otherwise;
  const auto began = parse_rfc3339(*time);
  return began ? duration_cast<milliseconds>(now - *began) : otherwise;
}

}  // namespace

bool BucketFailover::worth_a_look(const MemberReport& before, const MemberReport& after) {
  const auto was = parse_bucket_report(member_of(before.details, "failover"));
  const auto is = parse_bucket_report(member_of(after.details, "failover"));
  if (!was || !is) return was.has_value() != is.has_value();
  if (was->adopted != is->adopted || was->buckets.size() != is->buckets.size() || was->rehearsal != is->rehearsal)
    return true;
  for (size_t i = 0; i < was->buckets.size(); ++i) {
    const BucketSeen &a = was->buckets[i], &b = is->buckets[i];
    if (a.reach != b.reach || a.writable != b.writable || a.complete_once != b.complete_once ||
        a.caught_up != b.caught_up || a.failures != b.failures)
      return true;
  }
  return false;
}

void BucketFailover::forget(const kube::Key& link) {
  std::lock_guard lock(mutex_);
  words_at_.erase(link);
}

BucketRoutingSeen BucketFailover::routing_of(const CachedLink& link, const api::FailoverPolicy& policy) const {
  std::map<std::string, ServiceFacts> services;
  std::map<std::string, ConfigMapFacts> maps;
  for (const api::PolicyService& wanted : policy.spec.services)
    if (auto facts = caches_.service({link.metadata.ns, wanted.name})) services.emplace(wanted.name, std::move(*facts));
  for (const api::PolicyConfigMap& wanted : policy.spec.config_maps)
    if (auto facts = caches_.config_map({link.metadata.ns, wanted.name})) maps.emplace(wanted.name, std::move(*facts));
  return read_bucket_routing(policy, link, services, maps);
}

// What the holder of a share's lease says, recently enough to act upon: that very process, not another of its name.
std::optional<BucketReport> BucketFailover::said_by(const kube::Key& link, const LeaseRecord& holder,
                                                    BootTime now) const {
  for (int64_t ordinal = 0; ordinal < static_cast<int64_t>(kS3SharesMax); ++ordinal) {
    if (s3_lease_name(link.name, ordinal) != holder.holder_endpoint) continue;
    const auto latest = reports_.latest(link, s3_member(ordinal));
    // What it says again and again without measuring is as old as its first saying.
    if (!latest || !latest->report || now - std::min(latest->received_at, latest->told_at) >= kTrusted ||
        latest->report->instance != holder.holder_instance)
      return std::nullopt;
    auto said = parse_bucket_report(member_of(latest->report->details, "failover"));
    if (!said) return std::nullopt;
    said->member = holder.holder_endpoint;
    return std::move(*said);
  }
  return std::nullopt;
}

BucketFailover::Gathered BucketFailover::gather(const CachedLink& link, const api::FailoverPolicy& policy,
                                                const BucketRoutingSeen& routing) const {
  const kube::Key key = key_of(link.metadata);
  const BootTime now = clock_.boot_now();
  BucketFailoverSeen seen;
  seen.source = link.spec.source.name;
  seen.paused = link.spec.paused;
  seen.assignment = assignment_of(link.status);
  seen.current = bucket_move_of(policy.status);
  seen.desired_reached = policy.status.desired_reached.value_or("");
  seen.routes = !policy.spec.services.empty() || !policy.spec.config_maps.empty();
  seen.routing = routing.routing;
  seen.routed_to = routing.routed_to;

  std::vector<BucketReport> reports;
  bool all_said = true;
  const int64_t shares = link.status.division ? link.status.division->shares : 1;
  for (int64_t share = 0; share < static_cast<int64_t>(kS3SharesMax); ++share) {
    const auto lease = cluster_.leases.find({key.ns, s3_lease_name(key.name, share)});
    const milliseconds duration = lease && lease->duration.count() > 0 ? lease->duration : kLeaseDuration;
    const bool held = lease && lease->record.held();
    if (!held) {
      all_said = all_said && share >= shares;
      continue;
    }
    WorkerSeen& worker = seen.workers.emplace_back();
    worker.name = lease->record.holder_endpoint;
    worker.expired = now - lease->seen_at >= duration;
    auto said = said_by(key, lease->record, now);
    worker.fresh = said.has_value();
    if (worker.fresh) worker.adopted = said->adopted;
    all_said = all_said && worker.fresh;
    const bool again = std::any_of(reports.begin(), reports.end(),
                                   [&](const BucketReport& one) { return said && one.member == said->member; });
    if (worker.fresh && !again) reports.push_back(std::move(*said));
  }
  seen.buckets = together(endpoint_names(link.spec), reports);
  for (BucketSeen& bucket : seen.buckets) {
    if (all_said) continue;
    bucket.caught_up = false;  // somebody's share of the keys is not known
    bucket.missing.reset();
  }

  const WallTime wall = clock_.wall_now();
  if (policy.status.current) seen.step_for = since(wall, policy.status.current->started_at, milliseconds(0));
  seen.stable_for = since(wall, policy.status.last_failover, milliseconds::max());
  if (!policy.status.history.empty() && policy.status.history.front().outcome == "Cancelled")
    seen.cancelled_for = since(wall, policy.status.history.front().rerouted_at, milliseconds(0));
  Gathered gathered{std::move(seen), {}};
  for (BucketReport& report : reports)
    if (report.rehearsal) gathered.rehearsals.push_back(std::move(*report.rehearsal));
  return gathered;
}

Status BucketFailover::write_routes(const CachedLink& link, const api::FailoverPolicy& policy, const std::string& to,
                                    const std::stop_token& stop) {
  const auto tell = [&](const char* kind, const std::string& name) {
    log::info("clients are pointed", {{"link", link.metadata.name},
                                      {"namespace", link.metadata.ns},
                                      {kind, name},
                                      {"endpoint", to.empty() ? std::string("nobody") : to}});
  };
  for (const api::PolicyConfigMap& map : policy.spec.config_maps) {
    auto written = client_.apply(kube::kConfigMaps, render_bucket_config_map(policy, map, link, to), kFieldManager,
                                 kube::Subresource::kNone, stop);
    if (!written) return std::unexpected(written.error());
    caches_.wrote_config_map(*written);
    tell("config_map", map.name);
  }
  for (const api::PolicyService& service : policy.spec.services) {
    const Json wanted = render_bucket_service(policy, service, to);
    auto written = client_.apply(kube::kServices, wanted, kFieldManager, kube::Subresource::kNone, stop);
    if (!written) return std::unexpected(written.error());
    // Keys of somebody else's in the selector would keep the Service from ever matching.
    Json foreign = Json::object();
    for (const auto& [label, value] : member_of(member_of(*written, "spec"), "selector").items())
      if (!member_of(wanted.at("spec"), "selector").contains(label)) foreign[label] = nullptr;
    if (!foreign.empty()) {
      written = client_.merge_patch(kube::kServices, {policy.metadata.ns, service.name},
                                    {{"spec", {{"selector", foreign}}}}, kube::Subresource::kNone, stop);
      if (!written) return std::unexpected(written.error());
    }
    caches_.wrote_service(*written);
    tell("service", service.name);
  }
  return {};
}

Status BucketFailover::write_status(const api::FailoverPolicy& policy, const api::PolicyStatus& status,
                                    const std::stop_token& stop) {
  if (status == policy.status) return {};
  {
    std::lock_guard lock(mutex_);
    BootTime& words_at = words_at_[{policy.metadata.ns, policy.spec.link_ref.name}];
    const BootTime now = clock_.boot_now();
    if (differ_in_words_only(policy.status, status) && now - words_at < kWords) return {};
    words_at = now;
  }
  if (auto saved = write_policy_status(client_, cluster_, policy, status, stop); !saved) return saved;
  for (const Told& told : bucket_events_of(policy.status, status))
    told.warning ? events_.warning(reference_to(policy), told.reason, told.message)
                 : events_.normal(reference_to(policy), told.reason, told.message);
  return {};
}

Result<kube::Requeue> BucketFailover::reconcile(const CachedLink& link, const api::FailoverPolicy& policy,
                                                const std::stop_token& stop) {
  const kube::Key key = key_of(link.metadata);
  const BucketRoutingSeen routing = routing_of(link, policy);
  const auto [seen, rehearsals] = gather(link, policy, routing);
  const BucketDecision decision = decide(seen, bucket_rules_of(policy));
  const bool changing = decision.current.has_value();
  reports_.set_changing(key, changing);
  const bool new_assignment = decision.assign && decision.assign != seen.assignment;
  if (new_assignment || decision.current != seen.current)
    log::info("primary decided", {{"link", key.name},
                                  {"namespace", key.ns},
                                  {"plan", decision.reason},
                                  {"reason", decision.message},
                                  {"epoch", seen.assignment ? seen.assignment->epoch.value : 0}});
  // Intent first: whatever happens to this operator now, another one reads what was under way.
  const WallTime now = clock_.wall_now();
  api::PolicyStatus status = next_bucket_status(policy, seen, decision, routing, now);
  status.drill = next_bucket_drill(policy, seen, status, rehearsals, now);
  if (auto saved = write_status(policy, status, stop); !saved) return std::unexpected(saved.error());
  const bool drilling = status.drill && status.drill->outcome == to_string(DrillOutcome::kRunning);
  const std::string rehearsal = drilling ? status.drill->requested_at : "";
  if (!new_assignment && rehearsal != (link.status.rehearsal ? link.status.rehearsal->requested_at : ""))
    if (auto saved = write_rehearsal(client_, cluster_, link, rehearsal, stop); !saved)
      return std::unexpected(saved.error());
  if (new_assignment) {
    Json wanted = to_json(*decision.assign);
    if (auto saved = write_assignment(client_, cluster_, link, wanted, stop); !saved)
      return std::unexpected(saved.error());
  }
  const bool elsewhere =
      decision.route_to && (seen.routing == Routing::kUnknown || seen.routed_to != *decision.route_to ||
                            (seen.routing == Routing::kWithdrawn) != decision.route_to->empty());
  if (seen.routes && elsewhere)
    if (auto done = write_routes(link, policy, *decision.route_to, stop); !done) return std::unexpected(done.error());
  return kube::Requeue::after(changing || new_assignment || elsewhere ? kChangingLook : kLook);
}

}  // namespace twinspan::controllers
