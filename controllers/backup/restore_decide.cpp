#include "controllers/backup/restore_decide.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "api/conditions.hpp"
#include "api/validate.hpp"
#include "contract/names.hpp"

namespace twinspan::controllers {
namespace {

using api::RestorePhase;

// What was committed a moment ago is stored a little later: at the latest after a minute, where the bucket answers.
constexpr std::chrono::minutes kWaitsForLog{10};

RestoreLook failed(RestoreLook look, std::string message) {
  look.status.phase = RestorePhase::kFailed;
  look.status.message = std::move(message);
  return look;
}

RestoreLook waits(RestoreLook look, std::string message) {
  look.status.message = std::move(message);
  return look;
}

bool is_ours(const api::ReplicationLink& link, const api::Restore& restore) {
  const auto made = link.metadata.annotations.find(std::string(kRestoreAnnotation));
  return made != link.metadata.annotations.end() && made->second == restore.metadata.name;
}

// As the source's, and nobody's replica: it lives on its own.
api::ReplicationLink new_link(const RestoreSeen& seen) {
  api::ReplicationLink link;
  link.metadata.name = seen.restore->spec.to.new_link.name;
  link.metadata.ns = seen.restore->metadata.ns;
  link.metadata.annotations[std::string(kRestoreAnnotation)] = seen.restore->metadata.name;
  link.spec = seen.source->spec;
  link.spec.paused = false;
  link.spec.postgres.bootstrap.reset();  // its data come from the repository, and from nowhere else
  return link;
}

// Data of before, which its members would take for their own. Those that are being deleted are waited for.
std::optional<RestoreLook> kept_away(const RestoreSeen& seen, const RestoreLook& look) {
  std::vector<std::string> stay;
  for (const auto& [name, going] : seen.earlier_claims)
    if (!going) stay.push_back(name);
  const std::string& link = seen.restore->spec.to.new_link.name;
  if (!stay.empty())
    return failed(look,
                  fmt::format("spec.to.newLink.name: volume claims of an earlier link {} are there ({}), and their "
                              "data would be taken for what is restored: delete them, or take another name",
                              link, fmt::join(stay, ", ")));
  if (!seen.earlier_claims.empty())
    return waits(look, fmt::format("the volume claims of link {} are being deleted", link));
  return std::nullopt;
}

// Nothing was touched so far.
RestoreLook begin(const RestoreSeen& seen, RestoreLook look) {
  const api::RestoreSpec& spec = seen.restore->spec;
  if (const auto errors = api::validate(*seen.restore); !errors.empty())
    return failed(std::move(look), api::to_string(errors));
  if (const auto& time = spec.target.time)
    if (const auto at = parse_rfc3339(*time); !at || *at > seen.now)
      return failed(std::move(look), "spec.target.time: lies in the future");
  if (seen.made && seen.made->metadata.deleting())
    return waits(std::move(look), fmt::format("link {} is still being deleted", spec.to.new_link.name));
  if (seen.made)
    return failed(std::move(look),
                  fmt::format("spec.to.newLink.name: link {} exists, another name is expected", spec.to.new_link.name));
  if (auto kept = kept_away(seen, look)) return *kept;
  const std::string schedule = spec.from.schedule_ref.value_or(api::ScheduleReference{}).name;
  if (!seen.schedule)
    return waits(std::move(look),
                 fmt::format("spec.from.scheduleRef.name: there is no BackupSchedule \"{}\"", schedule));
  if (!seen.schedule->status.stanza || !seen.schedule->status.timeline)
    return waits(std::move(look), fmt::format("BackupSchedule {} has stored nothing yet", schedule));
  if (!seen.source)
    return waits(std::move(look), fmt::format("link {} is gone, whose spec the new one's would be: create it again",
                                              seen.schedule->spec.link_ref.name));
  // Where there is no primary the last one's word stands; one that is there may write another by now.
  if (const auto& primary = seen.source->status.primary;
      primary && !primary->empty() && seen.writes != seen.schedule->status.timeline)
    return waits(std::move(look),
                 fmt::format("BackupSchedule {} does not know yet what timeline {} writes", schedule, *primary));
  look.status.phase = RestorePhase::kFetching;
  look.status.message.reset();
  look.status.stanza = seen.schedule->status.stanza;
  look.status.timeline = seen.schedule->status.timeline;
  look.status.started_at = to_rfc3339(seen.now);
  look.create = new_link(seen);
  return look;
}

api::RestoreAssignment assignment_of(const RestoreSeen& seen, const api::RestoreStatus& status) {
  const api::RestoreTarget& target = seen.restore->spec.target;
  const WallTime began = parse_rfc3339(status.started_at.value_or("")).value_or(seen.now);
  api::RestoreAssignment assignment;
  assignment.name = seen.restore->metadata.name;
  assignment.stanza = status.stanza.value_or("");
  assignment.timeline = status.timeline.value_or(0);
  assignment.destination = seen.schedule->spec.destination;
  assignment.encryption = seen.schedule->spec.encryption;
  if (!target.latest.value_or(false)) assignment.time = target.time;
  assignment.until = to_rfc3339(began + kWaitsForLog);
  return assignment;
}

RestoreLook attach(const api::ReplicationLink& link, RestoreLook look, WallTime now) {
  const api::Condition* ready = api::find_condition(link.status.conditions, "Ready");
  look.status.message.reset();
  if (ready && ready->status == api::ConditionStatus::kTrue) {
    look.status.phase = RestorePhase::kCompleted;
    look.status.completed_at = to_rfc3339(now);
    return look;
  }
  look.status.phase = RestorePhase::kAttaching;
  if (ready) look.status.message = fmt::format("{}: {}", ready->reason, ready->message);
  return look;
}

// The link is there.
RestoreLook follow(const RestoreSeen& seen, RestoreLook look) {
  const api::ReplicationLink& link = *seen.made;
  look.status.link = link.metadata.uid;
  if (!link.status.restore) {
    if (!seen.schedule) return waits(std::move(look), "the BackupSchedule is gone, which says where the repository is");
    if (auto kept = kept_away(seen, look)) return *kept;
    look.assign = assignment_of(seen, look.status);
    return look;
  }
  const bool told = seen.said && seen.said->name == seen.restore->metadata.name;
  if (told && seen.said->step == BackupReport::Step::kRestored && !look.status.recovered_at)
    look.status.recovered_at = to_rfc3339(seen.now);
  const bool opened = link.status.primary && !link.status.primary->empty();
  if (opened && !look.status.recovered_at)
    return waits(std::move(look),
                 fmt::format("link {} has a primary, and its agent does not say that anything was restored; one of an "
                             "older image would have made an empty database",
                             link.metadata.name));
  if (opened || look.status.phase == RestorePhase::kAttaching) return attach(link, std::move(look), seen.now);
  if (!told) return look;
  if (seen.said->step == BackupReport::Step::kFailed) return failed(std::move(look), seen.said->message);
  look.status.phase =
      seen.said->step == BackupReport::Step::kFetching ? RestorePhase::kFetching : RestorePhase::kRecovering;
  look.status.message.reset();
  if (!seen.said->message.empty()) look.status.message = seen.said->message;
  return look;
}

}  // namespace

bool is_over(const api::RestoreStatus& status) {
  return status.phase == RestorePhase::kCompleted || status.phase == RestorePhase::kFailed;
}

namespace {

bool made_it(const RestoreSeen& seen) {
  const auto& link = seen.restore->status.link;
  return seen.made && is_ours(*seen.made, *seen.restore) && (!link || *link == seen.made->metadata.uid);
}

RestoreLook go_on(const RestoreSeen& seen) {
  RestoreLook look;
  look.status = seen.restore->status;
  if (is_over(look.status) || seen.restore->metadata.deleting()) return look;
  if (look.status.phase == RestorePhase::kPending) return begin(seen, std::move(look));
  if (made_it(seen)) return follow(seen, std::move(look));
  if (look.status.link) return failed(std::move(look), "the new link was deleted meanwhile");
  if (seen.made)
    return failed(std::move(look), fmt::format("spec.to.newLink.name: link {} exists, another name is expected",
                                               seen.restore->spec.to.new_link.name));
  if (!seen.source) return waits(std::move(look), "the link is gone whose spec the new one's would be");
  look.create = new_link(seen);
  return look;
}

}  // namespace

RestoreLook decide_restore(const RestoreSeen& seen) {
  RestoreLook look = go_on(seen);
  // Whatever was begun: who is done with the repository has no business there.
  look.detach = is_over(look.status) && made_it(seen) && seen.made->status.restore.has_value();
  return look;
}

}  // namespace twinspan::controllers
