#include "controllers/link/status_writer.hpp"

#include <nlohmann/json.hpp>

#include "api/conditions.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/link/link_effects.hpp"

namespace twinspan::controllers {
namespace {

// The status write has moved the link on from the version that was planned from, and nothing else has: what the plan
// still has to change in the link itself builds on the new one.
void follow_version(LinkPlan& plan, const std::string& version) {
  for (Step& step : plan.steps)
    if (auto* patch = std::get_if<Patch>(&step.effect); patch && patch->resource.kind == kube::kReplicationLinks.kind)
      patch->patch["metadata"]["resourceVersion"] = version;
}

}  // namespace

Result<StatusWriter::Written> StatusWriter::write(const CachedLink& link, const api::LinkStatus& after, LinkPlan& plan,
                                                  const std::stop_token& stop) {
  const kube::Key key = key_of(link.metadata);
  const Urgency urgency = urgency_of(link.status, after);
  if (urgency == Urgency::kNone) {
    settled(key);
    return Written{};
  }
  if (const auto wait = put_off(key, urgency, after); wait.count() > 0) return Written{false, wait};
  const auto written =
      client_.merge_patch(kube::kReplicationLinks, key, status_patch(link, after), kube::Subresource::kStatus, stop);
  if (!written) {
    if (written.error().code == Code::kNotFound) return Written{};
    return std::unexpected(written.error());
  }
  cluster_.wrote(kube::kReplicationLinks, *written);
  follow_version(plan, written->at("metadata").value("resourceVersion", ""));
  return Written{true, std::nullopt};
}

std::chrono::milliseconds StatusWriter::put_off(const kube::Key& link, Urgency urgency, const api::LinkStatus& after) {
  const BootTime now = clock_.boot_now();
  MutexLock lock(mutex_);
  Told& told = told_[link];
  told.put_off = after.endpoints;  // until the cache has what is written
  const auto wait = told.pace.wait(urgency, now);
  if (wait.count() == 0) told.pace.wrote(urgency, now);
  return wait;
}

void StatusWriter::settled(const kube::Key& link) {
  MutexLock lock(mutex_);
  if (const auto told = told_.find(link); told != told_.end()) told->second.put_off.reset();
}

std::optional<std::vector<api::EndpointStatus>> StatusWriter::newer(const kube::Key& link) const {
  MutexLock lock(mutex_);
  const auto told = told_.find(link);
  return told == told_.end() ? std::nullopt : told->second.put_off;
}

Result<bool> StatusWriter::restore_acceptance(const CachedLink& link, const std::stop_token& stop) {
  const kube::Key key = key_of(link.metadata);
  const auto lost = link.status.accepted ? std::nullopt : cluster_.lost_acceptance(key);
  if (!lost) return false;
  const Json patch = {{"metadata", {{"resourceVersion", link.metadata.resource_version}}},
                      {"status", {{"accepted", api::to_json(*lost)}}}};
  const auto written = client_.merge_patch(kube::kReplicationLinks, key, patch, kube::Subresource::kStatus, stop);
  if (!written) return std::unexpected(written.error());
  cluster_.wrote(kube::kReplicationLinks, *written);
  return true;
}

void StatusWriter::forget(const kube::Key& link) {
  MutexLock lock(mutex_);
  told_.erase(link);
}

kube::Requeue next_look(const LinkPlan& plan, const StatusWriter::Written& written) {
  std::optional<std::chrono::milliseconds> next = plan.next_check;
  if (written.put_off && (!next || *written.put_off < *next)) next = *written.put_off;
  return next ? kube::Requeue::after(*next) : kube::Requeue::none();
}

void tell_of_stalling(kube::EventRecorder& events, const CachedLink& before, const api::LinkStatus& after) {
  const api::Condition* was = api::find_condition(before.status.conditions, "Stalled");
  const api::Condition* is = api::find_condition(after.conditions, "Stalled");
  if (is && is->status == api::ConditionStatus::kTrue && (!was || was->message != is->message))
    events.warning(reference_to(before), is->reason, is->message);
}

}  // namespace twinspan::controllers
