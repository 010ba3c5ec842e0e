#include "controllers/backup/in_place_decide.hpp"

#include <fmt/format.h>

#include "api/engine_rules.hpp"
#include "contract/names.hpp"
#include "controllers/backup/bring_back.hpp"
#include "controllers/backup/restore_origin.hpp"
#include "controllers/backup/restore_steps.hpp"

namespace twinspan::controllers {
namespace {

using api::RestorePhase;
using Step = BackupReport::Step;

// An agent that knows of restores in place says so within seconds.
constexpr std::chrono::minutes kTakenUp{2};

const api::InPlace& wanted(const RestoreSeen& seen) { return *seen.restore->spec.to.in_place; }

constexpr const char* kInstead = "restore into a new link (spec.to.newLink)";

std::string field_of(const RestoreSeen& seen) {
  return seen.restore->spec.from.backup_ref ? "spec.from.backupRef.name" : "spec.from.scheduleRef.name";
}

// Another link's data; empty: they are this one's, or that is not known yet.
std::string of_another(const RestoreSeen& seen) {
  const std::string& link = wanted(seen).link_ref.name;
  if (!seen.schedule || seen.schedule->spec.link_ref.name == link) return "";
  return fmt::format("{}: BackupSchedule {} is of link {}, one of link {} is expected: {}", field_of(seen),
                     seen.schedule->metadata.name, seen.schedule->spec.link_ref.name, link, kInstead);
}

// Why its data can't be replaced yet; empty: nothing keeps them.
std::string kept_waiting(const RestoreSeen& seen) {
  const std::string& name = wanted(seen).link_ref.name;
  if (!seen.made) return fmt::format("spec.to.inPlace.linkRef.name: there is no ReplicationLink \"{}\"", name);
  if (seen.made->metadata.deleting()) return fmt::format("link {} is being deleted", name);
  return not_now(seen);
}

// Nothing was touched so far.
RestoreLook begin(const RestoreSeen& seen, RestoreLook look) {
  if (auto refused = refused_spec(seen); !refused.empty()) return failed(std::move(look), std::move(refused));
  const std::string& name = wanted(seen).link_ref.name;
  if (seen.made)
    if (const api::EngineRules* rules = api::engine_rules(seen.made->spec.engine); !rules || !rules->has_backups)
      return failed(std::move(look),
                    fmt::format("spec.to.inPlace.linkRef.name: link {} is of engine {}, which nothing is restored into",
                                name, to_string(seen.made->spec.engine)));
  if (auto others = of_another(seen); !others.empty()) return failed(std::move(look), std::move(others));
  if (auto why = kept_waiting(seen); !why.empty()) return waits(std::move(look), std::move(why));
  const auto origin = origin_of(seen);
  if (!origin)
    return origin.error().lasting ? failed(std::move(look), origin.error().words)
                                  : waits(std::move(look), origin.error().words);
  const std::string stanza = seen.schedule->status.stanza.value_or("");
  if (!stanza.starts_with(stanza_prefix(name, seen.made->metadata.uid)))
    return waits(std::move(look), fmt::format("BackupSchedule {} has stored nothing of this link {} yet",
                                              seen.schedule->metadata.name, name));
  // Of a database that this link had before, or a link of its name: it goes on with its own history only.
  if (origin->stanza != stanza)
    return failed(std::move(look),
                  fmt::format("{}: what it names is of stanza {}, and not of the database that link {} "
                              "has: {}",
                              field_of(seen), origin->stanza, name, kInstead));
  if (auto unsure = unsure_timeline(seen, *origin); !unsure.empty()) return waits(std::move(look), std::move(unsure));
  look.status.phase = RestorePhase::kFetching;
  look.status.message.reset();
  look.status.stanza = origin->stanza;
  look.status.timeline = origin->timeline;
  look.status.started_at = to_rfc3339(seen.now);
  look.status.endpoint = seen.made->status.primary;
  look.status.link = seen.made->metadata.uid;
  return look;
}

// Its primary is to fetch.
RestoreLook order(const RestoreSeen& seen, RestoreLook look) {
  if (auto other = at_work(seen); !other.empty())
    return waits(std::move(look),
                 fmt::format("Restore {} is at work on link {}, and is waited for", other, seen.made->metadata.name));
  const auto origin = origin_of(seen);
  if (!origin) return waits(std::move(look), origin.error().words);
  look.assign = assignment_of(seen, *origin, look.status);
  look.assign->name = order_name(*seen.restore);
  look.assign->in_place = api::InPlaceAssignment{look.status.endpoint.value_or(""), wanted(seen).keep_old_hours,
                                                 look.status.phase == RestorePhase::kReplacing, false};
  return look;
}

RestoreLook lost_its_role(const RestoreSeen& seen, RestoreLook look) {
  const std::string before = look.status.endpoint.value_or("");
  const std::string& primary = *seen.made->status.primary;
  if (look.status.phase == RestorePhase::kReplacing)
    return failed(std::move(look), fmt::format("{} is primary by now, and the link goes on with its data: {} had been "
                                               "told to replace its own. Look at what there is, then restore again",
                                               primary, before));
  return failed(std::move(look), fmt::format("{} is no longer primary ({} is), and nothing was replaced: restore again",
                                             before, primary));
}

void tell_step(const RestoreSeen& seen, bool told, RestoreLook& look) {
  api::RestoreStatus& status = look.status;
  const std::string at = status.endpoint.value_or("");
  const auto say = [&](std::string words) { status.message = std::move(words); };
  status.message.reset();
  if (!told) {
    const auto began = parse_rfc3339(status.started_at.value_or(""));
    if (status.phase == RestorePhase::kFetching && !status.plan && began && seen.now - *began > kTakenUp)
      say(fmt::format(
          "the agent of {} does not say that it has taken this up. It may not be heard, or managed.image of "
          "the endpoint is older than this operator. Nothing was replaced",
          at));
    return;
  }
  if (seen.said->step == Step::kFetching) status.phase = RestorePhase::kFetching;
  if (seen.said->step == Step::kRecovering) status.phase = RestorePhase::kRecovering;
  if (seen.said->step == Step::kPrepared) status.phase = RestorePhase::kReplacing;
  if (!seen.said->message.empty()) say(seen.said->message);
}

// The link is there, and was told, or is about to be.
RestoreLook follow(const RestoreSeen& seen, RestoreLook look) {
  const bool told = is_told(seen);
  if (told && !look.status.recovered_at) note(*seen.said, look.status);  // later, of what is brought back
  if (told && seen.said->step == Step::kRestored) {
    if (!look.status.recovered_at) look.status.recovered_at = to_rfc3339(seen.now);
    if (!seen.said->until.empty()) look.status.old_data_until = seen.said->until;
  }
  if (look.status.recovered_at) {
    look = attach(*seen.made, std::move(look), seen.now);
    // Ready may still be of before. Who follows the new history says so itself.
    if (look.status.phase != RestorePhase::kCompleted || seen.followed) return look;
    look.status.phase = RestorePhase::kAttaching;
    look.status.completed_at.reset();
    return waits(std::move(look), "not every endpoint says yet that it follows what was restored");
  }
  const std::string primary = seen.made->status.primary.value_or("");
  const std::string primary_before = look.status.endpoint.value_or("");
  if (!primary.empty() && primary != primary_before) return lost_its_role(seen, std::move(look));
  if (told && seen.said->step == Step::kFailed)
    return failed(std::move(look), fmt::format("{}. Nothing was replaced", seen.said->message));
  if (!is_ordered(seen)) return order(seen, std::move(look));
  tell_step(seen, told, look);
  const bool replace = look.status.phase == RestorePhase::kReplacing;
  if (seen.made->status.restore->in_place->replace != replace) {
    look.assign = seen.made->status.restore;
    look.assign->in_place->replace = replace;
  }
  if (replace && seen.made->spec.paused)
    return waits(std::move(look), fmt::format("link {} is paused: {} goes on, and replaces nothing before that has "
                                              "ended. Delete this Restore if that is not wanted any more",
                                              seen.made->metadata.name, primary_before));
  return look;
}

bool is_its_link(const RestoreSeen& seen) { return seen.made && seen.restore->status.link == seen.made->metadata.uid; }

RestoreLook go_on(const RestoreSeen& seen) {
  RestoreLook look;
  look.status = seen.restore->status;
  look.status.into = wanted(seen).link_ref.name;
  if (is_over(look.status) || seen.restore->metadata.deleting()) return look;
  if (look.status.phase == RestorePhase::kPending) return begin(seen, std::move(look));
  if (is_its_link(seen)) return follow(seen, std::move(look));
  return failed(std::move(look), fmt::format("link {} was deleted meanwhile", wanted(seen).link_ref.name));
}

}  // namespace

RestoreLook decide_in_place(const RestoreSeen& seen) {
  RestoreLook look = go_on(seen);
  bring_back(seen, look);
  // Done, it is taken away before the replicas are: an endpoint that loses its volume now must not begin it anew.
  const bool goes_on = !is_over(look.status) && !look.status.recovered_at;
  const bool lives = (goes_on || look.status.brought_back == kBringingBack) && !seen.restore->metadata.deleting();
  if (!lives) look.assign.reset();
  look.detach = !lives && seen.made && is_ordered(seen);
  return look;
}

std::string order_name(const api::Restore& restore) { return restore.metadata.name + "@" + restore.metadata.uid; }

std::string restore_of_order(const std::string& order) { return order.substr(0, order.find('@')); }

bool is_wanted(const api::RestoreAssignment& order, const api::ReplicationLink& link, const api::Restore* restore) {
  return restore && restore->spec.to.in_place && restore->spec.to.in_place->link_ref.name == link.metadata.name &&
         order_name(*restore) == order.name && restore->status.link == link.metadata.uid &&
         !restore->metadata.deleting();
}

}  // namespace twinspan::controllers
