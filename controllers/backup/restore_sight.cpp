#include "controllers/backup/restore_sight.hpp"

#include <algorithm>

#include "api/endpoints.hpp"
#include "contract/backup_report.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/link/link_gatherer.hpp"

namespace twinspan::controllers {
namespace {

// The primary holds its lease, in the epoch that it was told last: no change is under way.
bool is_settled(const api::ReplicationLink& link, const WorkerReports& reports, BootTime now) {
  const std::string primary = link.status.primary.value_or("");
  const auto& assignment = link.status.assignment;
  if (primary.empty() || !assignment || assignment->primary != primary) return false;
  const MemberView view = view_of(reports.latest(key_of(link.metadata), primary), now);
  const MemberReport* report = view.fresh();
  return report && report->holds_lease && static_cast<int64_t>(report->epoch.value) == assignment->epoch;
}

bool all_follow(const api::ReplicationLink& link, const std::map<std::string, MemberSeen>& members) {
  const auto primary = members.find(link.status.primary.value_or(""));
  if (primary == members.end() || !primary->second.timeline) return false;
  const auto places = api::endpoint_places(link);
  return std::all_of(places.begin(), places.end(), [&](const auto& place) {
    const auto member = members.find(place.endpoint->name);
    return member != members.end() && member->second.timeline == primary->second.timeline;
  });
}

void see_new_link(RestoreSight& sight, const std::string& name, const Cluster& cluster,
                  const std::map<std::string, MemberSeen>& members) {
  const std::string& ns = sight.restore->metadata.ns;
  const auto& made = sight.made;
  if (made || sight.source)
    for (const auto& [endpoint, field] : api::endpoint_places(made ? *made : *sight.source)) {
      const std::string claim_of = claim_name(name, endpoint->name);
      const auto claim = cluster.claims.find({ns, claim_of});
      const auto begun = made ? parse_rfc3339(made->metadata.creation_timestamp).value_or(WallTime{}) : WallTime::max();
      if (claim && (!claim->created || *claim->created < begun))
        sight.seen.earlier_claims[claim_of] = claim->terminating;
    }
  if (!made) return;
  if (const auto first = members.find(made->spec.source.name); first != members.end())
    sight.seen.said = first->second.backup.restored;
}

}  // namespace

std::map<std::string, MemberSeen> members_of(const api::ReplicationLink& link, const WorkerReports& reports,
                                             BootTime now) {
  std::map<std::string, MemberSeen> members;
  for (const auto& [endpoint, field] : api::endpoint_places(link)) {
    const MemberView view = view_of(reports.latest(key_of(link.metadata), endpoint->name), now);
    if (const MemberReport* report = view.fresh())
      members[endpoint->name] = {report->system_id, backup_report_of(report->details), report->timeline,
                                 report->lag_seconds, report->downstreams};
  }
  return members;
}

RestoreSight sight_of(std::shared_ptr<const api::Restore> restore, const Cluster& cluster, const BackupCaches& caches,
                      const WorkerReports& reports, const Clock& clock) {
  RestoreSight sight;
  sight.restore = std::move(restore);
  RestoreSeen& seen = sight.seen;
  seen.restore = &*sight.restore;
  seen.now = clock.wall_now();
  const BootTime now = clock.boot_now();
  const std::string& ns = seen.restore->metadata.ns;
  const api::RestoreSource& from = seen.restore->spec.from;
  sight.backup = from.backup_ref ? caches.backup({ns, from.backup_ref->name}) : nullptr;
  seen.backup = sight.backup.get();
  sight.schedule = caches.schedule({ns, sight.backup ? sight.backup->spec.schedule_ref.name
                                                     : from.schedule_ref.value_or(api::ScheduleReference{}).name});
  seen.schedule = sight.schedule.get();
  sight.source = sight.schedule ? cluster.links.find({ns, sight.schedule->spec.link_ref.name}) : nullptr;
  seen.source = sight.source && sight.source->actionable ? &*sight.source : nullptr;
  if (seen.source && sight.schedule->status.stanza) {
    const auto members = members_of(*sight.source, reports, now);
    const auto primary = members.find(sight.source->status.primary.value_or(""));
    if (primary != members.end() && writes(primary->second.backup, *sight.schedule->status.stanza))
      seen.writes = primary->second.backup.timeline;
  }
  const api::RestoreTo& to = seen.restore->spec.to;
  const std::string name = to.in_place ? to.in_place->link_ref.name : to.new_link.value_or(api::NewLink{}).name;
  sight.made = cluster.links.find({ns, name});
  seen.made = sight.made.get();
  const auto members = sight.made ? members_of(*sight.made, reports, now) : std::map<std::string, MemberSeen>();
  if (!to.in_place) {
    see_new_link(sight, name, cluster, members);
    return sight;
  }
  if (const auto at = members.find(seen.restore->status.endpoint.value_or("")); at != members.end())
    seen.said = at->second.backup.restored;
  seen.others = caches.restores_in_place_of({ns, name});
  seen.settled = sight.made && is_settled(*sight.made, reports, now);
  seen.followed = sight.made && all_follow(*sight.made, members);
  return sight;
}

}  // namespace twinspan::controllers
