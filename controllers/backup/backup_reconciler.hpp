// Looks, decides, writes: of a link's schedules and Backups, and of Restores.
#pragma once
#include <stop_token>

#include "controllers/backup/backup_caches.hpp"
#include "controllers/backup/backup_decide.hpp"
#include "controllers/backup/restore_decide.hpp"
#include "controllers/backup/restore_tests.hpp"
#include "controllers/cluster/cluster.hpp"
#include "controllers/reports/worker_reports.hpp"
#include "core/clock.hpp"
#include "kube/client.hpp"
#include "kube/controller.hpp"
#include "kube/events.hpp"

namespace twinspan::controllers {

class BackupReconciler {
 public:
  BackupReconciler(kube::Client& client, const Clock& clock, Cluster& cluster, BackupCaches& caches,
                   WorkerReports& reports, kube::EventRecorder& events, RenderConfig render)
      : client_(client),
        clock_(clock),
        cluster_(cluster),
        caches_(caches),
        reports_(reports),
        events_(events),
        tests_(client, std::move(render)) {}

  Result<kube::Requeue> reconcile_link(const kube::Key& link, const std::stop_token& stop);
  Result<kube::Requeue> reconcile_restore(const kube::Key& restore, const std::stop_token& stop);

 private:
  std::set<std::string> silent_of(const api::ReplicationLink& link, bool primary_heard) const;
  template <class T>
  // False: it is gone.
  Result<bool> write_status(const kube::Resource& resource, const T& object, const decltype(T::status)& after,
                            const std::stop_token& stop);
  std::chrono::seconds unscheduled_for(const kube::Key& link, bool scheduled);
  Result<bool> drop_stale_order(const CachedLink& link, const std::stop_token& stop);
  Status hear_of_run(const api::BackupSchedule& schedule, const std::stop_token& stop);
  void tell(const api::BackupSchedule& schedule, const std::vector<RunEvent>& events);
  Status carry_out(const api::BackupSchedule& schedule, const RunsLook& runs, const std::stop_token& stop);
  Status end_test(const api::ReplicationLink& link, const BackupLook& look, const std::stop_token& stop);
  Status carry_out(const api::ReplicationLink& link, const api::BackupSchedule& schedule, const TestLook& test,
                   const std::stop_token& stop);
  Status write_to_link(const CachedLink& link, const Json& before, const Json& after, const std::stop_token& stop);

  kube::Client& client_;
  const Clock& clock_;
  Cluster& cluster_;
  BackupCaches& caches_;
  WorkerReports& reports_;
  kube::EventRecorder& events_;
  RestoreTests tests_;
  Mutex mutex_;
  std::map<kube::Key, BootTime> unscheduled_since_ GUARDED_BY(mutex_);  // links that no schedule names any more
};

}  // namespace twinspan::controllers
