#include "controllers/s3/s3_conditions.hpp"

#include <fmt/format.h>

#include "contract/rows.hpp"
#include "controllers/cluster/condition_reasons.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/link/link_status.hpp"
#include "controllers/link/verdict.hpp"

namespace twinspan::controllers {
namespace {

using api::ConditionStatus;

class S3Judge {
 public:
  S3Judge(const S3Seen& seen, const S3Said& said, const LinkPlan& plan, const api::LinkStatus& status)
      : seen_(seen), said_(said), link_(seen.link()), plan_(plan), status_(status) {}

  Verdict ready() const {
    if (link_.invalid) return no("InvalidSpec", refused_message(link_));
    if (seen_.place_taken) return no(kPlaceTaken, *seen_.place_taken);
    if (link_.metadata.deleting()) return no("Terminating", "the link is being deleted");
    return but_for_objects(replicating(), link_, plan_, seen_.common.refused);
  }

  Verdict replicating() const {
    if (!said_.heard) return not_copying();
    if (link_.spec.paused) return no("Paused", "spec.paused is true: nothing is replicated");
    if (said_.stalled) return no(said_.stalled->first, said_.stalled->second);
    if (!said_.copying) return not_copying();
    size_t following = 0;
    std::string behind;
    for (const api::EndpointStatus& row : status_.endpoints) {
      if (!is_follower(link_.spec, row)) continue;
      following += follows(row);
      if (!follows(row)) behind += "; " + described(row);
    }
    const std::string message = fmt::format("{} of {} targets follow{}", following, link_.spec.targets.size(), behind);
    return following == link_.spec.targets.size() ? yes("Replicating", message) : no(kSynchronizing, message);
  }

  Verdict stalled() const {
    if (link_.invalid) return yes("InvalidSpec", refused_message(link_));
    if (!plan_.foreign.empty()) return yes(kForeignObject, foreign_message(link_, plan_));
    if (seen_.place_taken) return yes(kPlaceTaken, *seen_.place_taken);
    if (!seen_.common.refused.empty()) return yes(kObjectRefused, refused_objects(link_, seen_.common.refused));
    if (needs_person(plan_.waits_for)) return yes(std::string(to_string(plan_.waits_for)), plan_.waiting_message);
    if (said_.stalled) return yes(said_.stalled->first, said_.stalled->second);
    return provisional(no("NotStalled", "nothing waits for a person"));
  }

  Verdict lag() const {
    std::vector<api::EndpointStatus> targets;
    for (const api::EndpointStatus& row : status_.endpoints)
      if (is_follower(link_.spec, row)) targets.push_back(row);
    return lag_verdict(link_.spec, targets);
  }

  Verdict consistent() const {
    const api::VerificationStatus& last = *status_.verification;
    if (last.consistent) return yes("Verified", fmt::format("{} keys were compared", last.checked.value_or(0)));
    return no("DifferencesFound",
              fmt::format("{} keys missing, {} different, {} extra of {} compared", last.missing.value_or(0),
                          last.different.value_or(0), last.extra.value_or(0), last.checked.value_or(0)) +
                  (last.reports.empty() ? "" : fmt::format("; all of them are named in {}", last.reports.front().key)) +
                  (last.reports.size() > 1 ? " and its like" : ""));
  }

 private:
  static Verdict provisional(Verdict verdict) {
    verdict.provisional = true;
    return verdict;
  }

  // A worker that was heard once may be at it still.
  Verdict not_copying() const {
    const bool silent = std::any_of(seen_.workers().begin(), seen_.workers().end(), [](const EndpointSeen& worker) {
      return worker.member.report && !worker.member.fresh();
    });
    return silent ? unknown(kWorkerNotHeard, said_.why_not) : provisional(no(kStarting, said_.why_not));
  }

  const S3Seen& seen_;
  const S3Said& said_;
  const CachedLink& link_;
  const LinkPlan& plan_;
  const api::LinkStatus& status_;
};

}  // namespace

bool follows(const api::EndpointStatus& row) {
  return state_of(row) == MemberState::kStreaming || state_of(row) == MemberState::kCatchingUp;
}

bool is_follower(const api::LinkSpec& spec, const api::EndpointStatus& row) {
  if (spec.topology == api::Topology::kActiveActive) return row.name != spec.source.name;
  return role_of(row) == Role::kReplica;
}

std::vector<api::Condition> s3_conditions(const S3Seen& seen, const S3Said& said, const LinkPlan& plan,
                                          const api::LinkStatus& status) {
  ConditionSet conditions(seen.link(), seen.common.now);
  const S3Judge judge(seen, said, plan, status);
  Verdict ready = judge.ready(), stalled = judge.stalled();
  if (said_pending(seen)) {  // this operator has only just begun to ask: what was said still stands
    keep_known(seen.link(), "Ready", ready);
    keep_known(seen.link(), "Stalled", stalled);
  }
  conditions.set("Ready", ready);
  conditions.set("Reconciling", reconciling_verdict(seen.link(), plan, ready, stalled));
  conditions.set("Stalled", stalled);
  if (!seen.link().actionable) return conditions.take();
  conditions.set("LagWithinThreshold", judge.lag());
  conditions.set("Consistent", status.verification ? std::optional(judge.consistent()) : std::nullopt);
  conditions.set_paused();
  return conditions.take();
}

}  // namespace twinspan::controllers
