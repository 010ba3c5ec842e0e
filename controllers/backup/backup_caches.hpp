// Schedules, Backups and Restores, and which belongs to which.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "api/types.hpp"
#include "controllers/cluster/cache.hpp"
#include "controllers/cluster/cluster.hpp"

namespace twinspan::controllers {

class BackupCaches {
 public:
  using Schedule = std::shared_ptr<const api::BackupSchedule>;
  using Backup = std::shared_ptr<const api::Backup>;

  BackupCaches(kube::Client& client, Cluster& cluster, const std::vector<std::string>& namespaces);

  // Before start(). A Backup's link is its schedule's; one that is deleted in the middle of a restore in place is its.
  // A Restore is looked at when its schedule changes, too; what the link that it makes says is asked for.
  void on_change_of_link(const std::function<void(const kube::Key& link)>& enqueue);
  void on_change_of_restore(const std::function<void(const kube::Key& restore)>& enqueue);
  void start();
  void stop();
  bool synced() const;

  std::vector<Schedule> schedules_of(const kube::Key& link) const;  // oldest first
  std::vector<Schedule> schedules_in(const api::S3Destination& bucket) const;
  std::vector<Schedule> all_schedules() const;
  std::vector<Backup> backups_of(const kube::Key& schedule) const;  // oldest first
  std::vector<Backup> kept_forever(const std::string& ns) const;    // in any order
  Backup backup(const kube::Key& key) const { return backups_.find(key); }
  Schedule schedule(const kube::Key& key) const { return schedules_.find(key); }
  // That name the schedule, or a Backup or a repository that may be of it.
  std::vector<std::shared_ptr<const api::Restore>> restores_of(const kube::Key& schedule) const;
  std::vector<std::shared_ptr<const api::Restore>> restores_in_place_of(const kube::Key& link) const;  // oldest first
  std::shared_ptr<const api::Restore> restore(const kube::Key& key) const { return restores_.find(key); }
  void wrote(const kube::Resource& resource, const Json& object);

 private:
  Cluster& cluster_;
  Cache<api::BackupSchedule> schedules_;
  Cache<api::Backup> backups_;
  Cache<api::Restore> restores_;
  NameIndex schedules_of_link_, backups_of_schedule_, backups_by_keep_, restores_of_schedule_, restores_of_link_;
  NameIndex schedules_of_bucket_;  // "NAMESPACE/NAME" by api::place_of
};

}  // namespace twinspan::controllers
