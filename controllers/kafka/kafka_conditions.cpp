#include "controllers/kafka/kafka_conditions.hpp"

#include <fmt/format.h>

#include "contract/rows.hpp"
#include "controllers/cluster/condition_reasons.hpp"
#include "controllers/kafka/kafka_groups.hpp"
#include "controllers/link/verdict.hpp"

namespace twinspan::controllers {
namespace {

using api::ConditionStatus;

Verdict provisional(Verdict verdict) {
  verdict.provisional = true;
  return verdict;
}

class KafkaJudge {
 public:
  KafkaJudge(const KafkaSeen& seen, const KafkaSaid& said, const LinkPlan& plan, const api::LinkStatus& status)
      : seen_(seen), said_(said), link_(seen.link()), plan_(plan), status_(status) {
    if (said.kafka) halted_ = halted_message(*said.kafka);
  }

  Verdict ready() const {
    if (link_.invalid) return no("InvalidSpec", refused_message(link_));
    if (seen_.place_taken) return no(kPlaceTaken, *seen_.place_taken);
    if (link_.metadata.deleting()) return no("Terminating", "the link is being deleted");
    return but_for_objects(mirroring(), link_, plan_, seen_.common.refused);
  }

  Verdict stalled() const {
    if (link_.invalid) return yes("InvalidSpec", refused_message(link_));
    if (!plan_.foreign.empty()) return yes(kForeignObject, foreign_message(link_, plan_));
    if (seen_.place_taken) return yes(kPlaceTaken, *seen_.place_taken);
    if (!seen_.common.refused.empty()) return yes(kObjectRefused, refused_objects(link_, seen_.common.refused));
    if (needs_person(plan_.waits_for)) return yes(std::string(to_string(plan_.waits_for)), plan_.waiting_message);
    if (said_.stalled) return yes(said_.stalled->first, said_.stalled->second);
    if (!halted_.empty()) return yes(kPartitionsHalted, halted_);
    return provisional(no("NotStalled", "nothing waits for a person"));
  }

  Verdict halted() const {
    if (!said_.report) return provisional(unknown(kWorkerNotHeard, said_.why_not));
    if (!halted_.empty()) return yes(kPartitionsHalted, halted_);
    if (link_.spec.paused) return unknown("Paused", "spec.paused is true: nobody looks at the partitions");
    if (!looked()) return unknown(kStarting, "the worker has not looked at the partitions yet");
    return no("NoneHalted", "every partition that is carried goes on");
  }

  Verdict lag() const { return lag_verdict(link_.spec, {status_.endpoints.back()}); }

 private:
  bool looked() const { return said_.kafka && said_.kafka->partitions; }

  // The pod is as the spec says, its words are of now, nothing is halted, and all has been carried once.
  Verdict mirroring() const {
    if (!said_.report) return not_heard();
    if (link_.spec.paused) return no("Paused", "spec.paused is true: nothing is replicated");
    if (said_.stalled) return no(said_.stalled->first, said_.stalled->second);
    if (plan_.waits_for == WaitFor::kRollOut || plan_.waits_for == WaitFor::kWorkersStart ||
        plan_.waits_for == WaitFor::kWorkersStop)
      return no(std::string(to_string(plan_.waits_for)), plan_.waiting_message);
    // A worker that does not say which spec it works by says 0.
    const int64_t works_by = said_.report->generation;
    if (works_by != 0 && works_by < link_.generation_in_force())
      return no(kSynchronizing, fmt::format("pod {} works by generation {} of the spec, {} is in force", seen_.pod(),
                                            works_by, link_.generation_in_force()));
    if (!halted_.empty()) return no(kPartitionsHalted, halted_);
    if (!looked())
      return no(kStarting,
                said_.report->message.empty() ? fmt::format("pod {} is starting", seen_.pod()) : said_.report->message);
    if (const std::string waiting = waiting_message(*said_.kafka); !waiting.empty()) return no(kSynchronizing, waiting);
    if (*said_.kafka->partitions == 0)
      return no(
          kSynchronizing,
          "spec.kafka.topics chooses no topic that the source tells of: none is called so, or the link's user may "
          "not describe them");
    for (const api::EndpointStatus& row : status_.endpoints)
      if (state_of(row) == MemberState::kDisconnected || state_of(row) == MemberState::kFailed)
        return no("EndpointUnreachable", described(row));
    const api::EndpointStatus& target = status_.endpoints.back();
    if (state_of(target) == MemberState::kStarting) return no(kStarting, described(target));
    if (!mirror_follows(seen_, target)) return no(kSynchronizing, described(target));
    return yes("Replicating", fmt::format("{} follows {}", target.name, link_.spec.source.name));
  }

  // One that was heard once may be at it still.
  Verdict not_heard() const {
    return seen_.worker().member.report ? unknown(kWorkerNotHeard, said_.why_not)
                                        : provisional(no(kStarting, said_.why_not));
  }

  const KafkaSeen& seen_;
  const KafkaSaid& said_;
  const CachedLink& link_;
  const LinkPlan& plan_;
  const api::LinkStatus& status_;
  std::string halted_;
};

}  // namespace

// One that was Ready and is behind by now has had everything before: how far it may be behind is LagWithinThreshold's
// word.
bool mirror_follows(const KafkaSeen& seen, const api::EndpointStatus& target) {
  if (state_of(target) == MemberState::kStreaming) return true;
  const api::Condition* ready = api::find_condition(seen.link().status.conditions, "Ready");
  return state_of(target) == MemberState::kCatchingUp && ready && ready->status == ConditionStatus::kTrue;
}

std::vector<api::Condition> kafka_conditions(const KafkaSeen& seen, const KafkaSaid& said, const LinkPlan& plan,
                                             const api::LinkStatus& status) {
  const CachedLink& link = seen.link();
  ConditionSet conditions(link, seen.common.now);
  const KafkaJudge judge(seen, said, plan, status);
  Verdict ready = judge.ready(), stalled = judge.stalled(), halted = judge.halted();
  if (seen.worker().member.pending()) {
    keep_known(link, "Ready", ready);
    keep_known(link, "Stalled", stalled);
    keep_known(link, "PartitionsHalted", halted);
  }
  conditions.set("Ready", ready);
  conditions.set("Reconciling", reconciling_verdict(link, plan, ready, stalled));
  conditions.set("Stalled", stalled);
  if (!link.actionable) return conditions.take();
  std::optional<Verdict> groups = groups_verdict(seen, said);
  if (groups && seen.worker().member.pending()) keep_known(link, "GroupsInSync", *groups);
  conditions.set("GroupsInSync", groups);
  conditions.set("LagWithinThreshold", judge.lag());
  conditions.set("PartitionsHalted", halted);
  conditions.set_paused();
  return conditions.take();
}

}  // namespace twinspan::controllers
