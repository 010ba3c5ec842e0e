#include "controllers/backup/restore_decide.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "api/conditions.hpp"
#include "api/engine_rules.hpp"
#include "api/validate.hpp"
#include "contract/names.hpp"
#include "controllers/backup/restore_origin.hpp"

namespace twinspan::controllers {
namespace {

using api::RestorePhase;

// What was committed a moment ago is stored a little later: at the latest after a minute, where the bucket answers.
constexpr std::chrono::minutes kWaitsForLog{10};
// A name that was not made, or a number that was not written, is no more than mistyped.
constexpr std::chrono::minutes kWaitsForNamed{2};

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

// A link that somebody made for this Restore: it has no data yet, nor anything else to take them from.
std::optional<RestoreLook> not_to_be_filled(const RestoreSeen& seen, const RestoreLook& look) {
  const api::ReplicationLink& link = *seen.made;
  const std::string& name = link.metadata.name;
  const std::string field = "spec.to.newLink.name";
  if (link.status.primary && !link.status.primary->empty())
    return failed(look, fmt::format("{}: link {} exists and has data, another name is expected", field, name));
  if (const api::EngineRules* rules = api::engine_rules(link.spec.engine); !rules || !rules->has_backups)
    return failed(look, fmt::format("{}: link {} is of engine {}, which nothing is restored into", field, name,
                                    to_string(link.spec.engine)));
  if (link.spec.postgres.bootstrap)
    return failed(look, fmt::format("{}: link {} has spec.postgres.bootstrap, and its data can come from one place "
                                    "only: leave that out",
                                    field, name));
  if (link.status.restore || (seen.said && seen.said->name == seen.restore->metadata.name))
    return failed(look, fmt::format("{}: an earlier Restore of this name was at work on link {}: delete the link, or "
                                    "take another name for the Restore, and that for the link's annotation {}",
                                    field, name, kRestoreAnnotation));
  if (link.spec.paused) return waits(look, fmt::format("link {} is paused", name));
  return std::nullopt;
}

// Nothing keeps the name of the new link, or what is there was made for this Restore.
std::optional<RestoreLook> name_is_taken(const RestoreSeen& seen, const RestoreLook& look) {
  const std::string& name = seen.restore->spec.to.new_link.name;
  if (seen.made && seen.made->metadata.deleting())
    return waits(look, fmt::format("link {} is still being deleted", name));
  if (seen.made && !is_ours(*seen.made, *seen.restore))
    return failed(look, fmt::format("spec.to.newLink.name: link {} exists, another name is expected", name));
  if (seen.made)
    if (auto refused = not_to_be_filled(seen, look)) return refused;
  return kept_away(seen, look);
}

// Whose spec the new link's is, where nobody made it.
std::optional<RestoreLook> lacks_a_spec(const RestoreSeen& seen, const RestoreLook& look) {
  if (seen.made) return std::nullopt;
  const std::string own =
      fmt::format("apply one of your own, link {} with the annotation {}: {}", seen.restore->spec.to.new_link.name,
                  kRestoreAnnotation, seen.restore->metadata.name);
  if (seen.restore->spec.from.repository) return waits(look, "a repository holds no manifest of a link: " + own);
  if (!seen.source)
    return waits(look, fmt::format("{} is gone, whose spec the new one's would be: create it again, or {}",
                                   seen.schedule ? "link " + seen.schedule->spec.link_ref.name : "the link", own));
  return std::nullopt;
}

std::string in_the_future(const RestoreSeen& seen) {
  const std::string words = "spec.target.time: lies in the future";
  if (seen.schedule && !seen.schedule->status.windows.empty())
    if (const auto& newest = seen.schedule->status.windows.back().to)
      return fmt::format("{}, the newest that can be restored is {}", words, *newest);
  return words + ": latest takes all that is stored";
}

// Nothing was touched so far.
RestoreLook begin(const RestoreSeen& seen, RestoreLook look) {
  const api::RestoreSpec& spec = seen.restore->spec;
  if (const auto errors = api::validate(*seen.restore); !errors.empty())
    return failed(std::move(look), api::to_string(errors));
  if (const auto& time = spec.target.time)
    if (const auto at = parse_rfc3339(*time); !at || *at > seen.now)
      return failed(std::move(look), in_the_future(seen));
  if (auto taken = name_is_taken(seen, look)) return *taken;
  const auto origin = origin_of(seen);
  if (!origin)
    return origin.error().lasting ? failed(std::move(look), origin.error().words)
                                  : waits(std::move(look), origin.error().words);
  if (auto lacks = lacks_a_spec(seen, look)) return *lacks;
  // Where there is no primary the last one's word stands; one that is there may write another by now.
  if (origin->live && seen.source)
    if (const auto& primary = seen.source->status.primary;
        primary && !primary->empty() && seen.writes != origin->timeline)
      return waits(std::move(look), fmt::format("BackupSchedule {} does not know yet what timeline {} writes",
                                                seen.schedule->metadata.name, *primary));
  look.status.phase = RestorePhase::kFetching;
  look.status.message.reset();
  look.status.stanza = origin->stanza;
  look.status.timeline = origin->timeline;
  look.status.started_at = to_rfc3339(seen.now);
  if (seen.made)
    look.status.link = seen.made->metadata.uid;
  else
    look.create = new_link(seen);
  return look;
}

api::RestoreAssignment assignment_of(const RestoreSeen& seen, const RestoreOrigin& origin,
                                     const api::RestoreStatus& status) {
  const api::RestoreTarget& target = seen.restore->spec.target;
  const WallTime began = parse_rfc3339(status.started_at.value_or("")).value_or(seen.now);
  api::RestoreAssignment assignment;
  assignment.name = seen.restore->metadata.name;
  assignment.stanza = status.stanza.value_or("");
  assignment.timeline = status.timeline.value_or(0);
  assignment.destination = origin.destination;
  assignment.encryption = origin.encryption;
  assignment.label = origin.label;
  assignment.time = target.time;
  assignment.lsn = target.lsn;
  assignment.transaction = target.transaction;
  assignment.restore_point = target.restore_point;
  assignment.immediate = target.immediate.value_or(false);
  assignment.exclusive = target.exclusive;
  // A timeline that nobody may write any more is wanted as it is stored.
  const bool named = target.transaction || target.restore_point;
  if (origin.live) assignment.until = to_rfc3339(began + (named ? kWaitsForNamed : kWaitsForLog));
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

void note(const BackupReport::Restored& said, api::RestoreStatus& status) {
  if (const auto& plan = said.plan) {
    status.plan =
        api::RestorePlan{plan->backup, api::parse_backup_kind(plan->kind), plan->timeline, plan->bytes, plan->stop};
    status.timeline = plan->timeline;
  }
  if (!said.reached.empty()) status.reached = said.reached;
}

// An agent says what position it came to. One of before such targets does not, and takes whatever it does not know for
// the latest: what it knew of were times and the latest, of a schedule's newest backup.
bool is_understood(const api::Restore& restore, const BackupReport::Restored& said) {
  const api::RestoreTarget& target = restore.spec.target;
  const bool of_before =
      restore.spec.from.schedule_ref && (target.time || target.latest) && !target.exclusive && !target.timeline;
  return !said.reached.empty() || of_before;
}

// The link is there.
RestoreLook follow(const RestoreSeen& seen, RestoreLook look) {
  const api::ReplicationLink& link = *seen.made;
  look.status.link = link.metadata.uid;
  if (!link.status.restore) {
    const auto origin = origin_of(seen);
    if (!origin) return waits(std::move(look), origin.error().words);
    if (auto kept = kept_away(seen, look)) return *kept;
    look.assign = assignment_of(seen, *origin, look.status);
    return look;
  }
  const bool told = seen.said && seen.said->name == seen.restore->metadata.name;
  if (told) note(*seen.said, look.status);
  if (told && seen.said->step == BackupReport::Step::kRestored && !is_understood(*seen.restore, *seen.said))
    return failed(std::move(look),
                  "spec.target: its agent knows of no such target, and restored other data than were asked for: "
                  "managed.image of the endpoints is older than this operator. Delete the link, correct the image, "
                  "restore again");
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

bool reads_repository(const api::Restore& restore) {
  const RestorePhase phase = restore.status.phase;
  if (phase == RestorePhase::kPending) return restore.spec.from.schedule_ref.has_value();
  return phase == RestorePhase::kFetching || phase == RestorePhase::kRecovering;
}

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
  if (auto lacks = lacks_a_spec(seen, look)) return *lacks;
  look.create = new_link(seen);
  return look;
}

}  // namespace

RestoreLook decide_restore(const RestoreSeen& seen) {
  RestoreLook look = go_on(seen);
  // Whatever was begun: who is done with the repository has no business there.
  look.detach = is_over(look.status) && look.status.link && made_it(seen) && seen.made->status.restore.has_value();
  return look;
}

}  // namespace twinspan::controllers
