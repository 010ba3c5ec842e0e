#include "controllers/s3/s3_reconciler.hpp"

#include <fmt/format.h>

#include "api/conditions.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/s3/s3_plan.hpp"
#include "controllers/s3/s3_status.hpp"

namespace twinspan::controllers {

S3Reconciler::S3Reconciler(kube::Client& client, Cluster& cluster, WorkerReports& reports, kube::EventRecorder& events,
                           const Clock& clock, RenderConfig render)
    : cluster_(cluster),
      reports_(reports),
      events_(events),
      clock_(clock),
      render_(std::move(render)),
      effects_(client, cluster, events, clock),
      writer_(client, cluster, clock) {}

bool S3Reconciler::is_mine(const kube::Key& key) const {
  const auto link = cluster_.links.find(key);
  return link && link->spec.engine == api::Engine::kS3;
}

Result<kube::Requeue> S3Reconciler::reconcile(const kube::Key& key, const std::stop_token& stop) {
  const auto link = cluster_.links.find(key);
  if (!link) {
    forget(key);
    return kube::Requeue::none();
  }
  const S3Seen seen = gather_s3(link, cluster_, reports_, clock_);
  LinkPlan plan;
  if (!link->invalid || link->metadata.deleting()) {
    watch_workers(key, seen);
    plan = plan_s3(seen, render_);
  }
  const api::LinkStatus after = next_s3_status(seen, plan);
  const auto written = writer_.write(*link, after, plan, stop);
  if (!written) return std::unexpected(written.error());
  if (written->done) tell_of_changes(*link, after);
  if (auto done = effects_.carry_out(seen.common, plan, stop); !done) return std::unexpected(done.error());
  return next_look(plan, *written);
}

void S3Reconciler::watch_workers(const kube::Key& key, const S3Seen& seen) {
  for (const EndpointSeen& worker : seen.workers()) {
    if (!worker.pod || worker.pod->ip.empty() || worker.pod->finished()) {
      reports_.forget(key, worker.name);
      continue;
    }
    if (!seen.common.ca) continue;
    // They share one certificate, which carries the first one's name.
    if (auto tls = access_.of(key, *seen.common.ca, seen.common.now))
      reports_.watch(key, worker.name,
                     {worker.pod->ip, pod_name(key.name, kS3Member), worker.pod->uid, std::move(tls)});
  }
}

void S3Reconciler::tell_of_changes(const CachedLink& before, const api::LinkStatus& after) {
  const kube::ObjectRef link = reference_to(before);
  for (const char* type : {"Ready", "LagWithinThreshold", "Consistent"}) {
    const api::Condition* was = api::find_condition(before.status.conditions, type);
    const api::Condition* is = api::find_condition(after.conditions, type);
    if (!is || is->status == api::ConditionStatus::kUnknown || (was && was->reason == is->reason)) continue;
    if (is->status == api::ConditionStatus::kTrue || is->reason == "Starting" || is->reason == "Synchronizing")
      events_.normal(link, is->reason, is->message);
    else
      events_.warning(link, is->reason, is->message);
  }
  const auto& sync = after.sync;
  if (sync && sync->completed_at && (!before.status.sync || before.status.sync->completed_at != sync->completed_at) &&
      sync->failed.value_or(0) > 0)
    events_.warning(link, "ObjectsFailed",
                    fmt::format("{} of {} objects could not be copied", *sync->failed, sync->total.value_or(0)));
  tell_of_stalling(events_, before, after);
}

void S3Reconciler::forget(const kube::Key& key) {
  reports_.forget(key);
  effects_.forget(key);
  access_.forget(key);
  writer_.forget(key);
}

}  // namespace twinspan::controllers
