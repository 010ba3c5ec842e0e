#include "controllers/s3/s3_conditions.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "controllers/cluster/names.hpp"
#include "controllers/link/link_status.hpp"
#include "controllers/link/verdict.hpp"

namespace twinspan::controllers {
namespace {

using api::ConditionStatus;

class S3Judge {
 public:
  S3Judge(const S3Seen& seen, const LinkPlan& plan, const api::LinkStatus& status)
      : seen_(seen), link_(seen.link()), plan_(plan), status_(status), report_(seen.worker().member.fresh()) {}

  Verdict ready() const {
    if (link_.invalid) return no("InvalidSpec", link_.invalid->message);
    if (plan_.taken) return no("NameTaken", taken_message(plan_));
    if (link_.metadata.deleting()) return no("Terminating", "the link is being deleted");
    if (!report_) return unheard();
    if (link_.spec.paused) return no("Paused", "spec.paused is true: nothing is replicated");
    if (const Json& stall = member_of(report_->details, "stalled"); stall.is_object())
      return no(text_of(stall, "reason"), text_of(stall, "message"));
    if (!report_->holds_lease) return no("Starting", report_->message);
    size_t following = 0;
    std::string behind;
    for (const api::EndpointStatus& row : status_.endpoints) {
      if (row.role == to_string(Role::kPrimary)) continue;
      following += follows(row);
      if (!follows(row)) behind += "; " + described(row);
    }
    const std::string message = fmt::format("{} of {} targets follow{}", following, link_.spec.targets.size(), behind);
    return following == link_.spec.targets.size() ? yes("Replicating", message) : no("Synchronizing", message);
  }

  Verdict stalled() const {
    if (link_.invalid) return yes("InvalidSpec", link_.invalid->message);
    if (plan_.taken) return yes("NameTaken", taken_message(plan_));
    if (plan_.waiting_reason == "AuthorityDamaged") return yes(plan_.waiting_reason, plan_.waiting_message);
    if (report_)
      if (const Json& stall = member_of(report_->details, "stalled"); stall.is_object())
        return yes(text_of(stall, "reason"), text_of(stall, "message"));
    return no("NotStalled", "nothing waits for a person");
  }

  Verdict lag() const {
    std::vector<api::EndpointStatus> targets;
    for (const api::EndpointStatus& row : status_.endpoints)
      if (row.role != to_string(Role::kPrimary)) targets.push_back(row);
    return lag_verdict(link_.spec, targets);
  }

  Verdict consistent() const {
    const api::VerificationStatus& last = *status_.verification;
    if (last.consistent) return yes("Verified", fmt::format("{} keys were compared", last.checked.value_or(0)));
    return no("DifferencesFound",
              fmt::format("{} keys missing, {} different, {} extra of {} compared", last.missing.value_or(0),
                          last.different.value_or(0), last.extra.value_or(0), last.checked.value_or(0)) +
                  (last.report ? fmt::format("; all of them are named in {}", *last.report) : ""));
  }

 private:
  Verdict unheard() const {
    const std::string pod = pod_name(link_.metadata.name, kS3Member), why = why_unheard(seen_.worker(), pod);
    return seen_.worker().member.report ? unknown("WorkerNotHeard", why) : no("Starting", why);
  }

  const S3Seen& seen_;
  const CachedLink& link_;
  const LinkPlan& plan_;
  const api::LinkStatus& status_;
  const MemberReport* report_;
};

}  // namespace

bool follows(const api::EndpointStatus& row) {
  return row.state == to_string(MemberState::kStreaming) || row.state == to_string(MemberState::kCatchingUp);
}

std::vector<api::Condition> s3_conditions(const S3Seen& seen, const LinkPlan& plan, const api::LinkStatus& status) {
  ConditionSet conditions(seen.link(), seen.common.now);
  const S3Judge judge(seen, plan, status);
  Verdict ready = judge.ready(), stalled = judge.stalled();
  if (seen.worker().member.pending()) {  // this operator has only just begun to ask: what was said still stands
    const api::Condition* known = api::find_condition(seen.link().status.conditions, "Ready");
    if (known && ready.reason == "Starting") ready = {known->status, known->reason, known->message};
    known = api::find_condition(seen.link().status.conditions, "Stalled");
    if (known && stalled.reason == "NotStalled") stalled = {known->status, known->reason, known->message};
  }
  conditions.set("Ready", ready);
  conditions.set("Reconciling", reconciling_verdict(seen.link(), plan, ready, stalled));
  conditions.set("Stalled", stalled);
  if (seen.link().invalid) return conditions.take();
  conditions.set("LagWithinThreshold", judge.lag());
  if (status.verification)
    conditions.set("Consistent", judge.consistent());
  else
    conditions.remove("Consistent");
  conditions.set_paused();
  return conditions.take();
}

}  // namespace twinspan::controllers
