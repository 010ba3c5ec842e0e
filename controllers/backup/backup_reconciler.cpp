#include "controllers/backup/backup_reconciler.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/endpoints.hpp"
#include "controllers/backup/in_place_decide.hpp"
#include "controllers/backup/restore_sight.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/cluster/reference.hpp"
#include "controllers/link/link_gatherer.hpp"
#include "core/log.hpp"
#include "core/merge_patch.hpp"

namespace twinspan::controllers {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kBusy{1000}, kSteady{5000};

// A field of a link's status alone, so that no other writer's is touched.
template <class T>
Json alone(const char* field, const std::optional<T>& value) {
  Json json = Json::object();
  if (value) json[field] = api::to_json(*value);
  return json;
}

// As a person would write it: what is written of an engine that is not the link's would be refused.
Json manifest_of(const api::ReplicationLink& link) {
  Json object = api::to_json(link);
  object.erase("status");
  const Json absent = api::to_json(api::LinkSpec{});
  for (const char* engine : {"postgres", "s3"})
    if (object["spec"][engine] == absent[engine]) object["spec"].erase(engine);
  return object;
}

}  // namespace

std::set<std::string> BackupReconciler::silent_of(const api::ReplicationLink& link, bool primary_heard) const {
  std::set<std::string> silent;
  const BootTime now = clock_.boot_now();
  for (const auto& [endpoint, field] : api::endpoint_places(link)) {
    const auto latest = reports_.latest(key_of(link.metadata), endpoint->name);
    const MemberView view = view_of(latest, now);
    // One that nobody asks has no pod; an operator that has only just begun has not heard the primary either.
    if (latest ? !view.fresh() && view.age >= kSilent : primary_heard) silent.insert(endpoint->name);
  }
  return silent;
}

template <class T>
Result<bool> BackupReconciler::write_status(const kube::Resource& resource, const T& object,
                                            const decltype(T::status)& after, const std::stop_token& stop) {
  if (object.status == after) return true;
  const Json patch = {{"metadata", {{"resourceVersion", object.metadata.resource_version}}},
                      {"status", merge_patch_between(api::to_json(object.status), api::to_json(after))}};
  const auto written = client_.merge_patch(resource, key_of(object.metadata), patch, kube::Subresource::kStatus, stop);
  if (!written) {
    if (written.error().code == Code::kNotFound) return false;
    return std::unexpected(written.error());
  }
  caches_.wrote(resource, *written);
  return true;
}

Status BackupReconciler::write_to_link(const CachedLink& link, const Json& before, const Json& after,
                                       const std::stop_token& stop) {
  if (before == after) return {};
  const Json patch = {{"metadata", {{"resourceVersion", link.metadata.resource_version}}},
                      {"status", merge_patch_between(before, after)}};
  const auto written =
      client_.merge_patch(kube::kReplicationLinks, key_of(link.metadata), patch, kube::Subresource::kStatus, stop);
  if (!written) return std::unexpected(written.error());
  cluster_.wrote(kube::kReplicationLinks, *written);
  return {};
}

void BackupReconciler::tell(const api::BackupSchedule& schedule, const std::vector<RunEvent>& events) {
  for (const RunEvent& event : events)
    event.warning ? events_.warning(reference_to(schedule), event.reason, event.message)
                  : events_.normal(reference_to(schedule), event.reason, event.message);
}

Status BackupReconciler::carry_out(const api::BackupSchedule& schedule, const RunsLook& runs,
                                   const std::stop_token& stop) {
  tell(schedule, runs.events);
  if (runs.create) {
    Json object = api::to_json(*runs.create);
    object.erase("status");
    const auto created = client_.create(kube::kBackups, object, stop, kFieldManager);
    if (!created && created.error().code != Code::kAlreadyExists) {
      events_.warning(reference_to(schedule), "BackupNotMade",
                      fmt::format("Backup {}: {}", runs.create->metadata.name, created.error().message));
      return std::unexpected(created.error());
    }
    if (created) {
      log::info("backup by schedule", {{"backup", runs.create->metadata.name}, {"namespace", schedule.metadata.ns}});
      caches_.wrote(kube::kBackups, *created);
    }
  }
  for (const auto& backup : runs.remove) {
    // Too many that are shown are no reason to stop the rest.
    const auto gone = client_.remove(kube::kBackups, key_of(backup->metadata), {backup->metadata.uid}, stop);
    if (!gone && gone.error().code != Code::kNotFound && gone.error().code != Code::kConflict)
      log::warn("a Backup that is one too many stays",
                {{"backup", backup->metadata.name}, {"error", gone.error().message}});
  }
  return {};
}

// What no status asks for any more goes before that is forgotten.
Status BackupReconciler::end_test(const api::ReplicationLink& link, const BackupLook& look,
                                  const std::stop_token& stop) {
  if (!link.status.backup || !link.status.backup->test) return {};
  const auto& after = look.assignment ? look.assignment->test : std::nullopt;
  if (after && after->asked == link.status.backup->test->asked) return {};
  return tests_.remove(key_of(link.metadata), stop);
}

Status BackupReconciler::carry_out(const api::ReplicationLink& link, const api::BackupSchedule& schedule,
                                   const TestLook& test, const std::stop_token& stop) {
  tell(schedule, test.events);
  if (!test.make_pod) return {};
  const auto made = tests_.make(link, schedule, stop);
  if (!made)
    events_.warning(reference_to(schedule), "RestoreTestNotMade", fmt::format("its pod: {}", made.error().message));
  return made;
}

// Backups and schedules come by watches of their own: what was begun and is not seen may not be deleted.
Status BackupReconciler::hear_of_run(const api::BackupSchedule& schedule, const std::stop_token& stop) {
  const auto& runs = schedule.status.runs;
  if (!runs || !runs->current || !runs->current->uid) return {};
  const kube::Key key{schedule.metadata.ns, runs->current->name};
  if (caches_.backup(key)) return {};
  const auto there = client_.get(kube::kBackups, key, stop);
  if (there) caches_.wrote(kube::kBackups, *there);
  return there || there.error().code == Code::kNotFound ? Status{} : std::unexpected(there.error());
}

std::chrono::seconds BackupReconciler::unscheduled_for(const kube::Key& link, bool scheduled) {
  MutexLock lock(mutex_);
  if (scheduled) {
    unscheduled_since_.erase(link);
    return std::chrono::seconds(0);
  }
  const BootTime now = clock_.boot_now();
  const auto since = unscheduled_since_.try_emplace(link, now).first->second;
  const auto time = std::chrono::duration_cast<std::chrono::seconds>(now - since);
  if (time >= kUnscheduledGrace) unscheduled_since_.erase(link);  // nothing is asked about it any more
  return time;
}

// What a Restore that is gone had ordered in place of a link's data would replace them one day. A cache that lags
// behind says nothing of that: the API is asked. True: it was taken away.
Result<bool> BackupReconciler::drop_stale_order(const CachedLink& link, const std::stop_token& stop) {
  const auto& order = link.status.restore;
  if (!order || !order->in_place) return false;
  const kube::Key key{link.metadata.ns, restore_of_order(order->name)};
  const auto known = caches_.restore(key);
  if (is_wanted(*order, link, known.get())) return false;
  const auto there = client_.get(kube::kRestores, key, stop);
  if (!there && there.error().code != Code::kNotFound) return std::unexpected(there.error());
  if (there) {
    caches_.wrote(kube::kRestores, *there);
    const auto restore = api::parse_restore(*there);
    if (!restore) return std::unexpected(restore.error());
    if (is_wanted(*order, link, &*restore)) return false;
  }
  log::info("a Restore's order is taken away",
            {{"link", link.metadata.name}, {"namespace", link.metadata.ns}, {"order", order->name}});
  if (auto written = write_to_link(link, alone("restore", order), Json::object(), stop); !written)
    return std::unexpected(written.error());
  return true;
}

Result<kube::Requeue> BackupReconciler::reconcile_link(const kube::Key& key, const std::stop_token& stop) {
  const auto link = cluster_.links.find(key);
  if (link) {
    const auto dropped = drop_stale_order(*link, stop);
    if (!dropped) return std::unexpected(dropped.error());
    if (*dropped) return kube::Requeue::after(kBusy);  // another version of it is there now
  }
  const bool ordered = link && link->status.restore && link->status.restore->in_place;
  BackupSeen seen;
  seen.link = link && !link->metadata.deleting() ? &*link : nullptr;
  seen.schedules = caches_.schedules_of(key);
  if (seen.schedules.empty() && !(link && link->status.backup))
    return ordered ? kube::Requeue::after(kSteady) : kube::Requeue::none();
  for (const auto& backup : caches_.kept_forever(key.ns))
    if (backup->status.label && backup->status.stanza)
      seen.forever[*backup->status.stanza].insert(*backup->status.label);
  for (const auto& schedule : seen.schedules) {
    if (auto heard = hear_of_run(*schedule, stop); !heard) return std::unexpected(heard.error());
    seen.backups[schedule->metadata.name] = caches_.backups_of(key_of(schedule->metadata));
    seen.neighbours[{key.ns, schedule->metadata.name}] = schedule;
    for (const auto& restore : caches_.restores_of(key_of(schedule->metadata)))
      if (reads_repository(*restore)) seen.readers[schedule->metadata.name] = "Restore " + restore->metadata.name;
    if (const auto& runs = schedule->status.runs; runs && runs->current) {
      const auto made = caches_.backup({key.ns, runs->current->name});
      if (made && made->spec.schedule_ref.name != schedule->metadata.name) seen.taken.insert(schedule->metadata.name);
    }
    for (const auto& one : caches_.schedules_in(schedule->spec.destination.s3))
      seen.neighbours[{one->metadata.ns, one->metadata.name}] = one;
  }
  if (seen.link) {
    seen.members = members_of(*link, reports_, clock_.boot_now());
    seen.silent = silent_of(*link, seen.members.contains(link->status.primary.value_or("")));
  }
  seen.now = clock_.wall_now();
  seen.unscheduled_for = unscheduled_for(key, !seen.schedules.empty());
  if (seen.link && link->status.backup && link->status.backup->test) {
    const auto pod = tests_.see(key, stop);
    if (!pod) return std::unexpected(pod.error());
    seen.test_pod = *pod;
  }
  const BackupLook look = decide_backups(seen);

  for (const auto& [schedule, backups] : seen.backups)
    for (const auto& backup : backups)
      if (const auto after = look.backups.find(backup->metadata.name); after != look.backups.end()) {
        if (after->second.phase != backup->status.phase)
          log::info("backup", {{"backup", backup->metadata.name},
                               {"namespace", key.ns},
                               {"kind", std::string(to_string(backup->spec.kind))},
                               {"phase", std::string(to_string(after->second.phase))},
                               {"attempt", after->second.attempts}});
        if (auto written = write_status(kube::kBackups, *backup, after->second, stop); !written)
          return std::unexpected(written.error());
      }
  if (seen.link)
    if (auto ended = end_test(*link, look, stop); !ended) return std::unexpected(ended.error());
  if (seen.link)
    if (auto written =
            write_to_link(*link, alone("backup", link->status.backup), alone("backup", look.assignment), stop);
        !written)
      return std::unexpected(written.error());
  for (const auto& schedule : seen.schedules) {
    const auto after = look.schedules.find(schedule->metadata.name);
    if (after == look.schedules.end()) continue;
    const auto written = write_status(kube::kBackupSchedules, *schedule, after->second, stop);
    if (!written) return std::unexpected(written.error());
    // One that is gone begins nothing any more.
    if (const auto runs = look.runs.find(schedule->metadata.name); *written && runs != look.runs.end())
      if (auto done = carry_out(*schedule, runs->second, stop); !done) return std::unexpected(done.error());
    if (const auto test = look.tests.find(schedule->metadata.name); *written && test != look.tests.end() && seen.link)
      if (auto done = carry_out(*link, *schedule, test->second, stop); !done) return std::unexpected(done.error());
  }
  if (seen.schedules.empty() && !look.busy && !ordered) return kube::Requeue::none();
  return kube::Requeue::after(look.busy ? kBusy : kSteady);
}

Result<kube::Requeue> BackupReconciler::reconcile_restore(const kube::Key& key, const std::stop_token& stop) {
  const auto restore = caches_.restore(key);
  if (!restore) return kube::Requeue::none();
  const RestoreSight sight = sight_of(restore, cluster_, caches_, reports_, clock_);
  const auto& made = sight.made;
  const RestoreLook look = decide_restore(sight.seen);
  if (look.status.phase != restore->status.phase)
    log::info("restore",
              {{"restore", key.name}, {"namespace", key.ns}, {"phase", std::string(to_string(look.status.phase))}});
  if (auto written = write_status(kube::kRestores, *restore, look.status, stop); !written)
    return std::unexpected(written.error());
  if (look.create) {
    const auto created = client_.create(kube::kReplicationLinks, manifest_of(*look.create), stop, kFieldManager);
    if (!created && created.error().code != Code::kAlreadyExists) return std::unexpected(created.error());
    if (created) cluster_.wrote(kube::kReplicationLinks, *created);
  }
  if (look.assign || look.detach)
    if (auto written =
            write_to_link(*made, alone("restore", made->status.restore), alone("restore", look.assign), stop);
        !written)
      return std::unexpected(written.error());
  return is_over(look.status) && !look.again ? kube::Requeue::none() : kube::Requeue::after(kBusy);
}

}  // namespace twinspan::controllers
