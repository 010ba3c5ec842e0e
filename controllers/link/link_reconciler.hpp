// One look at one link of any engine: look, write the status, carry the plan out. Run by kube::Controller, keyed by
// link.
#pragma once
#include <chrono>
#include <map>
#include <optional>
#include <stop_token>
#include <string>

#include "controllers/cluster/cluster.hpp"
#include "controllers/link/engine.hpp"
#include "controllers/link/link_effects.hpp"
#include "controllers/link/refused_links.hpp"
#include "controllers/link/status_writer.hpp"
#include "controllers/link/worker_access.hpp"
#include "controllers/reports/worker_reports.hpp"
#include "core/guarded.hpp"
#include "kube/controller.hpp"

namespace twinspan::controllers {

class LinkReconciler {
 public:
  static constexpr size_t kLinksRollingMost = 10;
  LinkReconciler(kube::Client& client, Cluster& cluster, WorkerReports& reports, kube::EventRecorder& events,
                 const Clock& clock, const LinkEngines& engines, size_t links_rolling_most = kLinksRollingMost);

  Result<kube::Requeue> reconcile(const kube::Key& key, const std::stop_token& stop);

  // What a new report of a worker is to its link: positions that moved are shown in a while.
  enum class News { kNone, kInAWhile, kNow };
  // What a link's endpoints were like at its last look, where its status doesn't say it yet.
  std::optional<std::vector<api::EndpointStatus>> newer(const kube::Key& link) const { return writer_.newer(link); }
  News news(const kube::Key& link, const std::optional<Seen>& before, const Seen& after) const;

 private:
  void forget(const kube::Key& key);
  void watch_members(const kube::Key& key, const LinkLook& look);
  void tell(const CachedLink& link, const LinkEvent& event);
  void tell_notices(const CachedLink& link, const std::vector<LinkNotice>& notices);
  std::optional<std::chrono::milliseconds> still_edited(const CachedLink& link, std::chrono::milliseconds patience);

  Cluster& cluster_;
  WorkerReports& reports_;
  kube::EventRecorder& events_;
  const Clock& clock_;
  const LinkEngines& engines_;
  const RefusedLinks refused_;
  LinkEffects effects_;
  WorkerAccess access_;
  StatusWriter writer_;
  RollBudget rolls_;
  Mutex told_mutex_;
  std::map<kube::Key, BootTime> edited_at_
      GUARDED_BY(told_mutex_);  // links whose newest spec is not in their status yet
  std::map<kube::Key, std::map<std::string, std::string>> told_
      GUARDED_BY(told_mutex_);  // notices: versions by what they are about
};

}  // namespace twinspan::controllers
