#include "controllers/postgres/postgres_links.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "contract/rows.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/link/link_gatherer.hpp"
#include "controllers/link/link_status.hpp"
#include "controllers/postgres/acceptance.hpp"
#include "controllers/postgres/import_said.hpp"
#include "controllers/postgres/link_conditions.hpp"
#include "controllers/postgres/postgres_gatherer.hpp"
#include "controllers/postgres/postgres_plan.hpp"
#include "controllers/postgres/postgres_status.hpp"
#include "controllers/postgres/rollout.hpp"

namespace twinspan::controllers {
namespace {

// Rounded as the status rounds it, so that noise wakes nobody.
double tenths(const std::optional<double>& seconds) { return seconds ? std::round(*seconds * 10) : -1; }
uint64_t percent(const std::optional<Progress>& progress) {
  return progress && progress->total_bytes ? 100 * progress->done_bytes / progress->total_bytes : 0;
}

// In half seconds, and only where it is more than replicas' once-a-second answers explain.
double unheard(const std::optional<double>& lag_seconds) {
  return lag_seconds.value_or(0) < 1.5 ? 0 : std::floor(*lag_seconds * 2);
}

bool same_downstreams(const MemberReport& a, const MemberReport& b) {
  return std::equal(a.downstreams.begin(), a.downstreams.end(), b.downstreams.begin(), b.downstreams.end(),
                    [](const auto& x, const auto& y) {
                      return x.first == y.first && x.second.state == y.second.state &&
                             x.second.sync_state == y.second.sync_state &&
                             unheard(x.second.lag_seconds) == unheard(y.second.lag_seconds);
                    });
}

// What people look for in `kubectl describe`: endpoints that reach a state worth a line.
std::optional<LinkEvent> event_of(const std::string& before, const api::EndpointStatus& row) {
  if (before == row.state) return std::nullopt;
  LinkEvent event{false, "Endpoint" + row.state,
                  fmt::format("{}: {}{}{}", row.name, row.state, row.message ? ", " : "", row.message.value_or(""))};
  switch (state_of(row)) {
    case MemberState::kDiverged:
    case MemberState::kFailed: event.warning = true; return event;
    case MemberState::kCloning:
    case MemberState::kStreaming:
    case MemberState::kRewinding:
    case MemberState::kRunning: return event;
    default: return std::nullopt;
  }
}

std::optional<LinkEvent> event_of_trial(const api::LinkStatus& before, const api::LinkStatus& after) {
  if (before.trial == after.trial) return std::nullopt;
  if (after.trial && !after.trial->message) return LinkEvent{false, "ChangeOnTrial", trial_message(*after.trial)};
  if (!after.trial && before.trial && !before.trial->message && after.accepted != before.accepted)
    return LinkEvent{
        false, "ChangeAccepted",
        fmt::format("{} runs with generation {}, the others follow", before.trial->endpoint, before.trial->generation)};
  return std::nullopt;
}

std::vector<LinkEvent> events_of(const api::LinkStatus& before, const api::LinkStatus& after) {
  std::vector<LinkEvent> events;
  const auto tell = [&](std::optional<LinkEvent> event) {
    if (event) events.push_back(std::move(*event));
  };
  for (const api::EndpointStatus& row : after.endpoints) {
    const auto known = std::find_if(before.endpoints.begin(), before.endpoints.end(),
                                    [&](const api::EndpointStatus& one) { return one.name == row.name; });
    tell(event_of(known == before.endpoints.end() ? "" : known->state, row));
  }
  tell(event_of_trial(before, after));
  tell(event_of_import(before, after));
  return events;
}

// Once for each time that an agent took something back.
std::vector<LinkNotice> altered(const LinkSeen& seen) {
  std::vector<LinkNotice> notices;
  for (const EndpointSeen& endpoint : seen.endpoints) {
    const MemberReport* report = endpoint.member.fresh();
    if (!report || !report->parameters || !report->parameters->taken_back) continue;
    const MemberReport::Setting& setting = *report->parameters->taken_back;
    notices.push_back({"SettingTakenBack/" + endpoint.name,
                       fmt::format("{}/{}", report->instance, report->parameters->taken_back_count),
                       {true, "SettingTakenBack",
                        fmt::format("{}: {} = '{}' was to be set behind the link's back (ALTER SYSTEM or "
                                    "postgresql.auto.conf) and is not in force; settings are declared in "
                                    "spec…postgres.managed.parameters",
                                    endpoint.name, setting.name, setting.text)}});
  }
  return notices;
}

std::vector<LinkMember> members_of(const LinkSeen& seen) {
  std::vector<LinkMember> members;
  for (const EndpointSeen& endpoint : seen.endpoints)
    members.push_back(
        link_member(endpoint.name, endpoint.pod.get(), pod_name(seen.link->metadata.name, endpoint.name)));
  return members;
}

}  // namespace

LinkLook PostgresLinks::look(const LinkFacts& facts, const Cluster& cluster, const WorkerReports& reports) const {
  const CachedLink& link = *facts.link;
  LinkLook look;
  look.seen = gather_link(facts.link, cluster, reports, clock_);
  look.seen.recall(facts.recalled);
  if (link.actionable || link.metadata.deleting()) {
    look.members = members_of(look.seen);
    look.seen.turn = facts.rolls.turn(key_of(link.metadata), roll_state(look.seen, render_));
    look.plan = plan_link(look.seen, render_);
  }
  look.status = next_status(look.seen, look.plan);
  look.events = events_of(link.status, look.status);
  look.notices = altered(look.seen);
  return look;
}

bool PostgresLinks::is_news(const MemberReport& a, const MemberReport& b) const {
  return a.instance != b.instance || a.version != b.version || a.role != b.role || a.state != b.state ||
         a.message != b.message || a.timeline != b.timeline || a.upstream != b.upstream || a.epoch != b.epoch ||
         a.holds_lease != b.holds_lease || a.restart_pending != b.restart_pending || a.generation != b.generation ||
         tenths(a.lag_seconds) != tenths(b.lag_seconds) || percent(a.progress) != percent(b.progress) ||
         !same_downstreams(a, b) || a.sql_healthy != b.sql_healthy ||
         (a.sql_failures >= kProbesFailed) != (b.sql_failures >= kProbesFailed) || a.parameters != b.parameters ||
         a.details != b.details;
}

}  // namespace twinspan::controllers
