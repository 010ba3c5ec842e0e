// What is to be seen of a Restore, from the caches and from the agents' reports. Writes nothing, asks nobody.
#pragma once
#include <map>
#include <memory>
#include <string>

#include "controllers/backup/backup_caches.hpp"
#include "controllers/backup/backup_decide.hpp"
#include "controllers/backup/restore_decide.hpp"
#include "controllers/cluster/cluster.hpp"
#include "controllers/reports/worker_reports.hpp"
#include "core/clock.hpp"

namespace twinspan::controllers {

// By endpoint, whoever was heard lately.
std::map<std::string, MemberSeen> members_of(const api::ReplicationLink& link, const WorkerReports& reports,
                                             BootTime now);

struct RestoreSight {
  std::shared_ptr<const api::Restore> restore;
  std::shared_ptr<const api::Backup> backup;
  std::shared_ptr<const api::BackupSchedule> schedule;
  std::shared_ptr<const CachedLink> source, made;
  RestoreSeen seen;  // into those
};

RestoreSight sight_of(std::shared_ptr<const api::Restore> restore, const Cluster& cluster, const BackupCaches& caches,
                      const WorkerReports& reports, const Clock& clock);

}  // namespace twinspan::controllers
