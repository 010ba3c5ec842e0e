#include "controllers/backup/restore_decide.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "api/engine_rules.hpp"
#include "contract/names.hpp"
#include "controllers/backup/in_place_decide.hpp"
#include "controllers/backup/restore_origin.hpp"
#include "controllers/backup/restore_steps.hpp"

namespace twinspan::controllers {
namespace {

using api::RestorePhase;

bool is_ours(const api::ReplicationLink& link, const api::Restore& restore) {
  const auto made = link.metadata.annotations.find(std::string(kRestoreAnnotation));
  return made != link.metadata.annotations.end() && made->second == restore.metadata.name;
}

// As the source's, and nobody's replica: it lives on its own.
api::ReplicationLink new_link(const RestoreSeen& seen) {
  api::ReplicationLink link;
  link.metadata.name = seen.restore->spec.to.new_link->name;
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
  const std::string& link = seen.restore->spec.to.new_link->name;
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
  const std::string& name = seen.restore->spec.to.new_link->name;
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
      fmt::format("apply one of your own, link {} with the annotation {}: {}", seen.restore->spec.to.new_link->name,
                  kRestoreAnnotation, seen.restore->metadata.name);
  if (seen.restore->spec.from.repository) return waits(look, "a repository holds no manifest of a link: " + own);
  if (!seen.source)
    return waits(look, fmt::format("{} is gone, whose spec the new one's would be: create it again, or {}",
                                   seen.schedule ? "link " + seen.schedule->spec.link_ref.name : "the link", own));
  return std::nullopt;
}

// Nothing was touched so far.
RestoreLook begin(const RestoreSeen& seen, RestoreLook look) {
  if (auto refused = refused_spec(seen); !refused.empty()) return failed(std::move(look), std::move(refused));
  if (auto taken = name_is_taken(seen, look)) return *taken;
  const auto origin = origin_of(seen);
  if (!origin)
    return origin.error().lasting ? failed(std::move(look), origin.error().words)
                                  : waits(std::move(look), origin.error().words);
  if (auto lacks = lacks_a_spec(seen, look)) return *lacks;
  if (auto unsure = unsure_timeline(seen, *origin); !unsure.empty()) return waits(std::move(look), std::move(unsure));
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
  // In place, log may be asked for until what was recovered is in use.
  return phase == RestorePhase::kFetching || phase == RestorePhase::kRecovering || phase == RestorePhase::kReplacing;
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
  if (look.status.phase == RestorePhase::kPending || !seen.restore->spec.to.new_link)
    return begin(seen, std::move(look));
  if (made_it(seen)) return follow(seen, std::move(look));
  if (look.status.link) return failed(std::move(look), "the new link was deleted meanwhile");
  if (seen.made)
    return failed(std::move(look), fmt::format("spec.to.newLink.name: link {} exists, another name is expected",
                                               seen.restore->spec.to.new_link->name));
  if (auto lacks = lacks_a_spec(seen, look)) return *lacks;
  look.create = new_link(seen);
  return look;
}

}  // namespace

RestoreLook decide_restore(const RestoreSeen& seen) {
  if (seen.restore->spec.to.in_place) return decide_in_place(seen);
  RestoreLook look = go_on(seen);
  if (const auto& link = seen.restore->spec.to.new_link) look.status.into = link->name;
  // Whatever was begun: who is done with the repository has no business there. What another Restore orders in place of
  // the link's data by now is none of this one's.
  const auto& order = seen.made ? seen.made->status.restore : std::nullopt;
  look.detach = is_over(look.status) && look.status.link && made_it(seen) && order && !order->in_place;
  return look;
}

}  // namespace twinspan::controllers
