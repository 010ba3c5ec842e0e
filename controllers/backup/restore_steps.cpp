#include "controllers/backup/restore_steps.hpp"

#include <fmt/format.h>

#include "api/conditions.hpp"
#include "api/validate.hpp"

namespace twinspan::controllers {
namespace {

using api::RestorePhase;

// What was committed a moment ago is stored a little later: at the latest after a minute, where the bucket answers.
constexpr std::chrono::minutes kWaitsForLog{10};
// A name that was not made, or a number that was not written, is no more than mistyped.
constexpr std::chrono::minutes kWaitsForNamed{2};

std::string in_the_future(const RestoreSeen& seen) {
  const std::string words = "spec.target.time: lies in the future";
  if (seen.schedule && !seen.schedule->status.windows.empty())
    if (const auto& newest = seen.schedule->status.windows.back().to)
      return fmt::format("{}, the newest that can be restored is {}", words, *newest);
  return words + ": latest takes all that is stored";
}

}  // namespace

RestoreLook failed(RestoreLook look, std::string message) {
  look.status.phase = RestorePhase::kFailed;
  look.status.message = std::move(message);
  return look;
}

RestoreLook waits(RestoreLook look, std::string message) {
  look.status.message = std::move(message);
  return look;
}

std::string refused_spec(const RestoreSeen& seen) {
  if (const auto errors = api::validate(*seen.restore); !errors.empty()) return api::to_string(errors);
  if (const auto& time = seen.restore->spec.target.time)
    if (const auto at = parse_rfc3339(*time); !at || *at > seen.now) return in_the_future(seen);
  return "";
}

// Where there is no primary the last one's word stands; one that is there may write another by now.
std::string unsure_timeline(const RestoreSeen& seen, const RestoreOrigin& origin) {
  if (!origin.live || !seen.source) return "";
  const auto& primary = seen.source->status.primary;
  if (!primary || primary->empty() || seen.writes == origin.timeline) return "";
  return fmt::format("BackupSchedule {} does not know yet what timeline {} writes", seen.schedule->metadata.name,
                     *primary);
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

void note(const BackupReport::Restored& said, api::RestoreStatus& status) {
  if (const auto& plan = said.plan) {
    status.plan =
        api::RestorePlan{plan->backup, api::parse_backup_kind(plan->kind), plan->timeline, plan->bytes, plan->stop};
    status.timeline = plan->timeline;
  }
  if (!said.reached.empty()) status.reached = said.reached;
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

}  // namespace twinspan::controllers
