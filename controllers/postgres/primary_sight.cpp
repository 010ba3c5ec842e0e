#include "controllers/postgres/primary_sight.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "controllers/cluster/names.hpp"
#include "controllers/policy/policy_rules.hpp"
#include "controllers/postgres/failover_rules.hpp"

namespace twinspan::controllers {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;

void hear_word(const CachedLink& link, FailoverSeen& seen) {
  const auto word = link.metadata.annotations.find(std::string(kPromoteAnnotation));
  if (word == link.metadata.annotations.end()) return;
  if (auto said = parse_promote_word(word->second))
    seen.word = std::move(*said);
  else
    seen.word_error = said.error().message;
}

}  // namespace

PrimarySight::Memory PrimarySight::remember(const kube::Key& key, const std::string& uid, const Lease* lease) {
  MutexLock lock(mutex_);
  Memory& memory = memory_[key];
  if (memory.link != uid) memory = {};  // another link of the same name: its epochs begin anew
  memory.link = uid;
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
    // Its own last word to this operator, or the one that stands in its lease.
    if (record.promoted && record.end) memory.primary.hear(record.epoch, *record.end);
    if (record.held() && record.promoted) {
      if (const auto seen = reports_.latest(key, record.holder_endpoint);
          seen && seen->report && seen->report->received && seen->report->epoch == record.epoch)
        memory.primary.hear(record.epoch, *seen->report->received);
    }
  }
  return memory;
}

Epoch remembered_epoch(const FailoverSeen& seen) {
  Epoch known;
  for (const MemberSeen& one : seen.members)
    if (one.report) known = std::max(known, remembered_epoch(*one.report));
  return known;
}

Result<FailoverSeen> PrimarySight::gather(const MoveFacts& facts, const FailoverRules& rules,
                                          const RoutingSeen& routing, const std::shared_ptr<const Lease>& lease,
                                          std::optional<Epoch> confirmed) {
  const CachedLink& link = *facts.link;
  const kube::Key key = key_of(link.metadata);
  const Memory memory = remember(key, link.metadata.uid, lease.get());
  FailoverSeen seen;
  seen.source = link.spec.source.name;
  seen.paused = link.spec.paused;
  seen.ns = key.ns;
  seen.link = key.name;
  hear_word(link, seen);
  // Meant for the primary beside whose data it was restored: another one's are not its to replace.
  if (const auto& order = link.status.restore; order && order->in_place && order->in_place->replace && lease &&
                                               lease->record.holder_endpoint == order->in_place->endpoint)
    seen.replace = order->name;
  seen.assignment = facts.assignment;
  seen.primary_last_known = memory.primary.position();
  seen.routing = routing.routing;
  seen.routed_to = routing.routed_to;
  seen.endpoints_ready = routing.endpoints_ready;
  if (lease) {
    see_lease(*lease, rules, memory, seen);
    seen.lease_confirmed = confirmed.has_value();
  }
  for (const std::string& name : endpoint_names(link.spec))
    seen.members.push_back(see_member(link, name, rules, lease.get(), memory));
  // Whoever told of a later epoch only after the lease was asked for may be ahead of it.
  if (lease && confirmed && remembered_epoch(seen) > std::max(*confirmed, lease->record.epoch))
    seen.lease_confirmed = false;
  if (!facts.policy) return seen;
  const api::PolicyStatus& status = facts.policy->status;
  auto current = transition_of(status);
  if (!current) return std::unexpected(current.error());
  seen.current = std::move(*current);
  seen.desired_reached = status.desired_reached.value_or("");
  const WallTime wall = clock_.wall_now();
  if (status.current) seen.step_for = since(wall, status.current->started_at, milliseconds(0));
  seen.stable_for = since(wall, status.last_failover, milliseconds::max());
  return seen;
}

void PrimarySight::see_lease(const Lease& lease, const FailoverRules& rules, const Memory& memory,
                             FailoverSeen& seen) const {
  const BootTime now = clock_.boot_now();
  seen.lease = lease.record;
  seen.holder_for = duration_cast<milliseconds>(now - memory.holder_since);
  const milliseconds duration = lease.duration.count() > 0 ? lease.duration : rules.lease.duration;
  seen.lease_unchanged_for = duration_cast<milliseconds>(now - lease.seen_at);
  seen.lease_may_be_taken = !lease.record.held() || seen.lease_unchanged_for >= duration;
}

MemberSeen PrimarySight::see_member(const CachedLink& link, const std::string& name, const FailoverRules& rules,
                                    const Lease* lease, const Memory& memory) const {
  const kube::Key key = key_of(link.metadata);
  const BootTime now = clock_.boot_now();
  MemberSeen member;
  member.name = name;
  const auto latest = reports_.latest(key, name);
  member.surely_empty =
      lease && surely_empty(link, name, *lease, cluster_.claims.find({key.ns, claim_name(key.name, name)}).get(),
                            cluster_.pods.find({key.ns, pod_name(key.name, name)}).get());
  if (!latest) {
    member.failures = rules.consecutive_failures;  // its pod is not there
    member.silent_for = duration_cast<milliseconds>(now - memory.holder_since);
    return member;
  }
  member.report = latest->report;
  member.failures = latest->failures;
  member.silent_for = duration_cast<milliseconds>(now - latest->received_at);
  member.fresh =
      latest->report && now - latest->received_at < kReportTrusted && latest->asked_at >= memory.holder_since;
  return member;
}

WallTime PrimarySight::detected(const kube::Key& link, const FailoverSeen& seen) const {
  if (!seen.lease || seen.lease->held()) return clock_.wall_now();
  MutexLock lock(mutex_);
  const auto memory = memory_.find(link);
  return memory == memory_.end() ? WallTime{} : memory->second.holder_since_wall;
}

bool PrimarySight::is_new(const kube::Key& link, const Decision& decision) {
  std::string told =
      fmt::format("{}|{}|{}", to_string(decision.reason), decision.assign ? decision.assign->epoch.value : 0,
                  decision.assign ? decision.assign->primary : "");
  MutexLock lock(mutex_);
  Memory& memory = memory_[link];
  if (memory.told == told) return false;
  memory.told = std::move(told);
  return true;
}

void PrimarySight::forget(const kube::Key& link) {
  MutexLock lock(mutex_);
  memory_.erase(link);
}

}  // namespace twinspan::controllers
