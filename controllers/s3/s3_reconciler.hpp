// One look at one S3 link: gather, plan, write the status, carry the plan out. Keyed by link, as LinkReconciler.
#pragma once
#include <stop_token>

#include "controllers/cluster/cluster.hpp"
#include "controllers/link/link_effects.hpp"
#include "controllers/link/status_writer.hpp"
#include "controllers/link/worker_access.hpp"
#include "controllers/reports/worker_reports.hpp"
#include "controllers/s3/s3_seen.hpp"
#include "kube/controller.hpp"

namespace twinspan::controllers {

class S3Reconciler {
 public:
  S3Reconciler(kube::Client& client, Cluster& cluster, WorkerReports& reports, kube::EventRecorder& events,
               const Clock& clock, RenderConfig render);

  // Whether the link is one of these; else LinkReconciler looks after it.
  bool is_mine(const kube::Key& key) const;
  Result<kube::Requeue> reconcile(const kube::Key& key, const std::stop_token& stop);
  void forget(const kube::Key& key);

 private:
  void watch_workers(const kube::Key& key, const S3Seen& seen);
  void tell_of_changes(const CachedLink& before, const api::LinkStatus& after);

  Cluster& cluster_;
  WorkerReports& reports_;
  kube::EventRecorder& events_;
  const Clock& clock_;
  const RenderConfig render_;
  LinkEffects effects_;
  WorkerAccess access_;
  StatusWriter writer_;
};

}  // namespace twinspan::controllers
