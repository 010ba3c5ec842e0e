#include "controllers/backup/backup_caches.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <tuple>

#include "api/validate.hpp"
#include "controllers/cluster/names.hpp"

namespace twinspan::controllers {
namespace {

// What `owner_of` says an object belongs to, kept in an index.
template <class T, class OwnerOf>
void keep(Cache<T>& cache, NameIndex& index, OwnerOf owner_of) {
  cache.add_handler([&index, owner_of](const kube::Key& key, const auto& before, const auto& after) {
    if (before) index.remove({key.ns, owner_of(*before)}, key.name);
    if (after) index.add({key.ns, owner_of(*after)}, key.name);
  });
}

template <class T>
std::vector<std::shared_ptr<const T>> named(const Cache<T>& cache, const std::string& ns,
                                            const std::vector<std::string>& names) {
  std::vector<std::shared_ptr<const T>> out;
  for (const std::string& name : names)
    if (auto found = cache.find({ns, name})) out.push_back(std::move(found));
  const auto age = [](const auto& one) { return std::tie(one->metadata.creation_timestamp, one->metadata.name); };
  std::sort(out.begin(), out.end(), [&](const auto& a, const auto& b) { return age(a) < age(b); });
  return out;
}

}  // namespace

BackupCaches::BackupCaches(kube::Client& client, Cluster& cluster, const std::vector<std::string>& namespaces)
    : cluster_(cluster),
      schedules_(client, kube::kBackupSchedules, namespaces, {}, api::parse_backup_schedule),
      backups_(client, kube::kBackups, namespaces, {}, api::parse_backup),
      restores_(client, kube::kRestores, namespaces, {}, api::parse_restore) {
  keep(schedules_, schedules_of_link_, [](const api::BackupSchedule& one) { return one.spec.link_ref.name; });
  schedules_.add_handler([this](const kube::Key& key, const auto& before, const auto& after) {
    const auto bucket = [](const auto& one) { return kube::Key{"", api::place_of(one->spec.destination.s3)}; };
    if (before) schedules_of_bucket_.remove(bucket(before), key.ns + "/" + key.name);
    if (after) schedules_of_bucket_.add(bucket(after), key.ns + "/" + key.name);
  });
  keep(backups_, backups_of_schedule_, [](const api::Backup& one) { return one.spec.schedule_ref.name; });
  keep(backups_, backups_by_keep_,
       [](const api::Backup& one) { return one.spec.keep ? std::string(to_string(*one.spec.keep)) : ""; });
  keep(restores_, restores_of_schedule_,
       [](const api::Restore& one) { return one.spec.from.schedule_ref.value_or(api::ScheduleReference{}).name; });
  keep(restores_, restores_of_link_,
       [](const api::Restore& one) { return one.spec.to.in_place.value_or(api::InPlace{}).link_ref.name; });
}

void BackupCaches::on_change_of_link(const std::function<void(const kube::Key& link)>& enqueue) {
  schedules_.add_handler([enqueue](const kube::Key& key, const auto& before, const auto& after) {
    enqueue({key.ns, (after ? after : before)->spec.link_ref.name});
  });
  backups_.add_handler([this, enqueue](const kube::Key& key, const auto& before, const auto& after) {
    if (const auto schedule = schedules_.find({key.ns, (after ? after : before)->spec.schedule_ref.name}))
      enqueue({key.ns, schedule->spec.link_ref.name});
  });
  restores_.add_handler([enqueue](const kube::Key& key, const auto& before, const auto& after) {
    const bool gone = before && (!after || after->metadata.uid != before->metadata.uid);
    if (gone && before->spec.to.in_place) enqueue({key.ns, before->spec.to.in_place->link_ref.name});
  });
  // One that appears may still say of a schedule that is gone, or of a Restore.
  cluster_.links.add_handler([this, enqueue](const kube::Key& key, const auto& before, const auto&) {
    if (!before || !schedules_of_link_.names(key).empty() || !restores_of_link_.names(key).empty()) enqueue(key);
  });
}

void BackupCaches::on_change_of_restore(const std::function<void(const kube::Key& restore)>& enqueue) {
  restores_.add_handler([enqueue](const kube::Key& key, const auto&, const auto&) { enqueue(key); });
  schedules_.add_handler([this, enqueue](const kube::Key& key, const auto&, const auto&) {
    for (const std::string& name : restores_of_schedule_.names(key)) enqueue({key.ns, name});
  });
}

void BackupCaches::start() {
  schedules_.start();
  backups_.start();
  restores_.start();
}

void BackupCaches::stop() {
  schedules_.stop();
  backups_.stop();
  restores_.stop();
}

bool BackupCaches::synced() const { return schedules_.synced() && backups_.synced() && restores_.synced(); }

std::vector<BackupCaches::Schedule> BackupCaches::schedules_of(const kube::Key& link) const {
  return named(schedules_, link.ns, schedules_of_link_.names(link));
}

std::vector<BackupCaches::Schedule> BackupCaches::schedules_in(const api::S3Destination& bucket) const {
  std::vector<Schedule> out;
  for (const std::string& name : schedules_of_bucket_.names({"", api::place_of(bucket)})) {
    const size_t slash = name.find('/');
    if (auto found = schedules_.find({name.substr(0, slash), name.substr(slash + 1)})) out.push_back(std::move(found));
  }
  return out;
}

std::vector<BackupCaches::Schedule> BackupCaches::all_schedules() const {
  std::vector<Schedule> out;
  for (auto& [key, schedule] : schedules_.all()) out.push_back(std::move(schedule));
  return out;
}

std::vector<BackupCaches::Backup> BackupCaches::backups_of(const kube::Key& schedule) const {
  return named(backups_, schedule.ns, backups_of_schedule_.names(schedule));
}

std::vector<BackupCaches::Backup> BackupCaches::kept_forever(const std::string& ns) const {
  return named(backups_, ns, backups_by_keep_.names({ns, std::string(to_string(api::BackupKeep::kForever))}));
}

std::vector<std::shared_ptr<const api::Restore>> BackupCaches::restores_of(const kube::Key& schedule) const {
  auto out = named(restores_, schedule.ns, restores_of_schedule_.names(schedule));
  for (auto& one : named(restores_, schedule.ns, restores_of_schedule_.names({schedule.ns, ""}))) out.push_back(one);
  return out;
}

std::vector<std::shared_ptr<const api::Restore>> BackupCaches::restores_in_place_of(const kube::Key& link) const {
  return named(restores_, link.ns, restores_of_link_.names(link));
}

void BackupCaches::wrote(const kube::Resource& resource, const Json& object) {
  const std::string ns = object.value("/metadata/namespace"_json_pointer, std::string());
  const auto take = [&](auto& cache) {
    if (cache.kind() == resource.kind) cache.wrote(ns, object);
  };
  take(schedules_);
  take(backups_);
  take(restores_);
}

}  // namespace twinspan::controllers
