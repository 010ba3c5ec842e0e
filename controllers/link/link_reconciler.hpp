// One look at one link: gather, plan, write the status, carry the plan out. Run by kube::Controller, keyed by link.
#pragma once
#include <stop_token>

#include "controllers/cluster/cluster.hpp"
#include "controllers/link/link_effects.hpp"
#include "controllers/link/link_status.hpp"
#include "controllers/link/status_writer.hpp"
#include "controllers/link/worker_access.hpp"
#include "controllers/reports/worker_reports.hpp"
#include "kube/controller.hpp"

namespace twinspan::controllers {

struct LinkReconcilerConfig {
  RenderConfig render;
  bool pretend_workers = false;  // benchmarks of the operator alone: nothing but statuses is written
};

class LinkReconciler {
 public:
  LinkReconciler(kube::Client& client, Cluster& cluster, WorkerReports& reports, kube::EventRecorder& events,
                 const Clock& clock, LinkReconcilerConfig config);

  Result<kube::Requeue> reconcile(const kube::Key& key, const std::stop_token& stop);

  // Whether a new report is worth a look at its link: anything but the mere advance of positions, which waits.
  static bool worth_a_look(const std::optional<Seen>& before, const Seen& after);

 private:
  void forget(const kube::Key& key);
  void watch_members(const kube::Key& key, const LinkSeen& seen);
  void tell_of_changes(const LinkSeen& seen, const api::LinkStatus& after);

  Cluster& cluster_;
  WorkerReports& reports_;
  kube::EventRecorder& events_;
  const Clock& clock_;
  LinkReconcilerConfig config_;
  LinkEffects effects_;
  WorkerAccess access_;
  StatusWriter writer_;
};

}  // namespace twinspan::controllers
