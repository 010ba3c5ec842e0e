#include "controllers/kafka/kafka_groups.hpp"

#include <fmt/format.h>

#include "controllers/cluster/condition_reasons.hpp"

namespace twinspan::controllers {
namespace {

using api::ConditionStatus;

constexpr const char* kGroupsInSync = "GroupsInSync";
// That a group which was in sync is behind for a look or two is no news: its members have just committed.
constexpr double kBehindSeconds = 10;
constexpr int64_t kBehindIntervals = 3;

Verdict provisional(Verdict verdict) {
  verdict.provisional = true;
  return verdict;
}

std::string counted(int64_t count, const char* one, const char* more) {
  return count == 1 ? std::string("1 ") + one : fmt::format("{} {}", count, more);
}

const api::TroubledGroup* first_of(const api::KafkaGroupsStatus& groups, auto&&... states) {
  for (const api::TroubledGroup& one : groups.troubled)
    if (((one.state == states) || ...)) return &one;
  return nullptr;
}

std::string failed_message(const api::KafkaGroupsStatus& groups, int64_t failed) {
  std::string text = counted(failed, "group's position is not carried", "groups' positions are not carried");
  const api::TroubledGroup* one = first_of(groups, "Refused", "Behind");
  if (one) text += fmt::format(": {}: {}, {}", one->group, one->state, one->message);
  if (one && failed > 1) text += fmt::format("; and {} more", failed - 1);
  return text;
}

std::string moved_message(const api::KafkaGroupsStatus& groups, int64_t moved) {
  std::string text = counted(moved, "group was", "groups were");
  text += " moved at the target by somebody else, which is not overwritten";
  if (const api::TroubledGroup* one = first_of(groups, "Moved"))
    text += fmt::format(": {}, {}", one->group, one->message);
  return text;
}

// Alike but for its numbers, which move: those are written now and then.
std::string in_sync_message(const api::KafkaGroupsStatus& groups) {
  return fmt::format("groups that stand at the target where the source has them: {}; read there, and left alone: {}",
                     groups.synced.value_or(0), groups.active.value_or(0));
}

bool was_in_sync(const CachedLink& link) {
  const api::Condition* before = api::find_condition(link.status.conditions, kGroupsInSync);
  return before && before->status == ConditionStatus::kTrue;
}

}  // namespace

std::optional<Verdict> groups_verdict(const KafkaSeen& seen, const KafkaSaid& said) {
  const CachedLink& link = seen.link();
  if (!link.spec.kafka.groups) return std::nullopt;
  if (!said.report) return provisional(unknown(kWorkerNotHeard, said.why_not));
  if (link.spec.paused) return unknown("Paused", "spec.paused is true: nobody looks at groups");
  const int64_t works_by = said.report->generation;
  if (works_by != 0 && works_by < link.generation_in_force())
    return unknown(kSynchronizing, fmt::format("pod {} works by generation {} of the spec, {} is in force", seen.pod(),
                                               works_by, link.generation_in_force()));
  if (!said.kafka || !said.kafka->groups)
    return unknown(kStarting, said.groups_wait.empty()
                                  ? "the worker has not looked at all groups of late"
                                  : "the worker has not looked at all groups of late: " + said.groups_wait);
  const api::KafkaGroupsStatus& groups = *said.kafka->groups;
  if (const int64_t failed = groups.failed.value_or(0); failed > 0)
    return no("GroupsFailed", failed_message(groups, failed));
  const int64_t waiting = said.groups_waiting;
  const double oldest = groups.oldest_seconds.value_or(0);
  const double most =
      std::max(kBehindSeconds, static_cast<double>(kBehindIntervals * link.spec.kafka.groups->sync_interval_seconds));
  if (oldest > most || (waiting > 0 && !was_in_sync(link)))
    return no(kSynchronizing,
              fmt::format("a group has not been in sync for {:.0f} s; positions follow as records are carried",
                          std::max(oldest, 0.0)));
  if (said.groups_moved > 0) return no("GroupsMoved", moved_message(groups, said.groups_moved));
  if (groups.synced.value_or(0) == 0 && groups.active.value_or(0) == 0 && waiting == 0)
    return unknown("NoGroups",
                   "no group that spec.kafka.groups chooses has a position in a topic that is carried: none is called "
                   "so, or the link's user may not describe them at the source");
  return yes(kGroupsInSync, in_sync_message(groups));
}

bool groups_may_stand(const KafkaSeen& seen, const KafkaSaid& said) {
  return seen.link().spec.kafka.groups && (said.report || seen.worker().member.pending());
}

}  // namespace twinspan::controllers
