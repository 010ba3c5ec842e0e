#include "controllers/s3/bucket_sight.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "controllers/cluster/names.hpp"
#include "controllers/policy/policy_rules.hpp"
#include "controllers/s3/bucket_story.hpp"
#include "controllers/s3/bucket_words.hpp"
#include "controllers/s3/s3_seen.hpp"

namespace twinspan::controllers {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTrusted{3000};  // a worker measures twice a second, and is asked twice a second

}  // namespace

void BucketSight::forget(const kube::Key& link) {
  MutexLock lock(mutex_);
  awake_.erase(link);
}

// What the holder of a share's lease says, recently enough to act upon: that very process, not another of its name.
std::optional<FlowReport> BucketSight::said_by(const kube::Key& link, const LeaseRecord& holder, BootTime now) const {
  for (int64_t ordinal = 0; ordinal < static_cast<int64_t>(kS3SharesMax); ++ordinal) {
    if (s3_lease_name(link.name, ordinal) != holder.holder_endpoint) continue;
    const auto latest = reports_.latest(link, s3_member(ordinal));
    if (!latest || !latest->report || age_of_words(*latest, now) >= kTrusted ||
        latest->report->instance != holder.holder_instance)
      return std::nullopt;
    auto said = parse_flow_report(member_of(latest->report->details, "failover"));
    if (!said) return std::nullopt;
    said->member = holder.holder_endpoint;
    return std::move(*said);
  }
  return std::nullopt;
}

// What those say who hold a share's lease. `all_said`: somebody says something of every share.
std::vector<FlowReport> BucketSight::reports_of(const MoveFacts& facts, FlowSeen& seen, bool& all_said) {
  const CachedLink& link = *facts.link;
  const kube::Key key = key_of(link.metadata);
  const BootTime now = clock_.boot_now();
  BootTime awake;
  {
    MutexLock lock(mutex_);
    awake = awake_[key].since(now);
  }
  std::vector<FlowReport> reports;
  std::vector<FlowPast> pasts;
  all_said = true;
  const int64_t shares = link.status.division ? link.status.division->shares : 1;
  for (int64_t share = 0; share < static_cast<int64_t>(kS3SharesMax); ++share) {
    const std::string name = s3_lease_name(key.name, share);
    const auto lease = cluster_.leases.find({key.ns, name});
    const bool held = lease && lease->record.held();
    if (!held) all_said = all_said && share >= shares;
    // One that is not there, or that nobody released, may have a holder that does not know of it.
    const bool deleted = !lease && share < shares && facts.link->status.sync;
    if (!lease && !deleted) continue;
    const milliseconds held_for = lease ? share_may_be_held_for(*lease) : milliseconds::max();
    const bool over = lease && now - std::max(lease->seen_at, awake) >= held_for;
    if (!held && (over || held_for == milliseconds(0))) continue;
    WorkerSeen& worker = seen.workers.emplace_back();
    worker.name = held ? lease->record.holder_endpoint : "whoever held " + name;
    worker.expired = over;
    if (!held) continue;
    auto said = said_by(key, lease->record, now);
    worker.fresh = said.has_value();
    if (worker.fresh) worker.adopted = said->adopted;
    all_said = all_said && worker.fresh;
    const bool again = std::any_of(reports.begin(), reports.end(),
                                   [&](const FlowReport& one) { return said && one.member == said->member; });
    if (worker.fresh && said->past) pasts.push_back(*said->past);
    if (worker.fresh && !again) reports.push_back(std::move(*said));
  }
  seen.past = furthest(pasts);
  const auto word = link.metadata.annotations.find(std::string(kPromoteAnnotation));
  if (word != link.metadata.annotations.end())
    if (auto said = parse_promote_word(word->second)) seen.promote = std::move(*said);
  seen.words = kBucketWords;
  seen.source = link.spec.source.name;
  seen.paused = link.spec.paused;
  seen.assignment = facts.assignment;
  return reports;
}

FlowSeen BucketSight::beginning(const MoveFacts& facts) {
  FlowSeen seen;
  bool all_said = true;
  seen.places = together(endpoint_names(facts.link->spec), reports_of(facts, seen, all_said));
  return seen;
}

Result<BucketSight::Gathered> BucketSight::gather(const MoveFacts& facts, const BucketRoutingSeen& routing) {
  const api::PolicyStatus& status = facts.policy->status;
  FlowSeen seen;
  auto current = bucket_move_of(status);
  if (!current) return std::unexpected(current.error());
  seen.current = std::move(*current);
  seen.desired_reached = status.desired_reached.value_or("");
  seen.routes = routing.any;
  seen.routing = routing.routing;
  seen.routed_to = routing.routed_to;
  bool all_said = true;
  std::vector<FlowReport> reports = reports_of(facts, seen, all_said);
  seen.places = together(endpoint_names(facts.link->spec), reports);
  for (PlaceSeen& bucket : seen.places) {
    if (all_said) continue;
    bucket.caught_up = false;  // somebody's share of the keys is not known
    bucket.missing.reset();
  }
  const WallTime wall = clock_.wall_now();
  if (status.current) seen.step_for = since(wall, status.current->started_at, milliseconds(0));
  seen.stable_for = since(wall, status.last_failover, milliseconds::max());
  if (!status.history.empty() && parse_ending(status.history.front().outcome) == Ending::kCancelled)
    seen.cancelled_for = since(wall, status.history.front().rerouted_at, milliseconds(0));
  Gathered gathered{std::move(seen), {}};
  for (FlowReport& report : reports)
    if (report.rehearsal) gathered.rehearsals.push_back(std::move(*report.rehearsal));
  return gathered;
}

}  // namespace twinspan::controllers
