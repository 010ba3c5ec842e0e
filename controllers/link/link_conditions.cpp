#include "controllers/link/link_conditions.hpp"

#include <fmt/format.h>

#include "api/conditions.hpp"
#include "controllers/link/verdict.hpp"

namespace twinspan::controllers {
namespace {

using api::ConditionStatus;

class Judge {
 public:
  Judge(const LinkSeen& seen, const LinkPlan& plan, const std::vector<api::EndpointStatus>& rows)
      : seen_(seen), plan_(plan), rows_(rows), primary_(seen.primary()) {}

  Verdict ready() const {
    if (seen_.link->invalid) return no("InvalidSpec", seen_.link->invalid->message);
    if (plan_.taken) return no("NameTaken", taken_message(plan_));
    if (seen_.link->metadata.deleting()) return no("Terminating", "the link is being deleted");
    if (primary_.empty()) return without_primary();
    const api::EndpointStatus* row = row_of(primary_);
    if (!row || row->state == to_string(MemberState::kUnknown))
      return unknown("PrimaryNotHeard", fmt::format("{} holds the lease, but {}", primary_,
                                                    row && row->message ? *row->message : "is not known"));
    if (row->state != to_string(MemberState::kRunning)) return no("PrimaryNotRunning", described(*row));
    return replicas();
  }

  Verdict stalled() const {
    if (seen_.link->invalid) return yes("InvalidSpec", seen_.link->invalid->message);
    if (plan_.taken) return yes("NameTaken", taken_message(plan_));
    for (const auto state : {MemberState::kDiverged, MemberState::kFailed})
      for (const api::EndpointStatus& row : rows_)
        if (row.state == to_string(state) && is_stuck(state)) return yes(row.state, described(row));
    for (const char* reason : {"AuthorityDamaged", "PrimaryRemoved", "PrimaryIsEphemeral"})
      if (plan_.waiting_reason == reason) return yes(reason, plan_.waiting_message);
    return no("NotStalled", "nothing waits for a person");
  }

  Verdict lag() const {
    if (primary_.empty()) return unknown("NoPrimary", "lag is measured against a primary, and there is none");
    std::vector<api::EndpointStatus> replicas;
    std::copy_if(rows_.begin(), rows_.end(), std::back_inserter(replicas),
                 [this](const api::EndpointStatus& row) { return is_wanted_replica(row); });
    return lag_verdict(seen_.link->spec, replicas);
  }

  Verdict durability() const {
    const api::Durability& wanted = seen_.link->spec.postgres.durability;
    if (wanted.mode == api::DurabilityMode::kAsync) return yes("Async", "commits wait for no replica");
    const EndpointSeen* primary = seen_.find(primary_);
    const MemberReport* report = primary ? primary->member.fresh() : nullptr;
    if (const api::Condition* known = api::find_condition(seen_.link->status.conditions, "DurabilityMet");
        known && primary && primary->member.pending())
      return {known->status, known->reason, known->message};
    if (!report) return unknown("PrimaryNotHeard", "the primary does not say which replicas commits wait for");
    int64_t answering = 0;
    for (const auto& [name, downstream] : report->downstreams)
      answering +=
          downstream.state == "streaming" && (downstream.sync_state == "sync" || downstream.sync_state == "quorum");
    if (answering >= wanted.replicas)
      return yes("ReplicasConfirm",
                 fmt::format("commits wait for {} of {} replicas that answer", wanted.replicas, answering));
    return no("TooFewReplicas",
              fmt::format("commits wait: {} of the {} replicas they need answer; bring a replica back, or lower "
                          "spec.postgres.durability",
                          answering, wanted.replicas));
  }

 private:
  const api::EndpointStatus* row_of(const std::string& name) const {
    for (const api::EndpointStatus& row : rows_)
      if (row.name == name) return &row;
    return nullptr;
  }

  bool is_wanted_replica(const api::EndpointStatus& row) const {
    const EndpointSeen* endpoint = seen_.find(row.name);
    return endpoint && endpoint->spec && row.name != primary_;
  }

  // Rewind and Clone go on by themselves.
  bool is_stuck(MemberState state) const {
    return state == MemberState::kFailed || seen_.link->spec.postgres.diverged == api::Diverged::kHalt;
  }

  Verdict without_primary() const {
    const bool first = !seen_.lease || seen_.lease->record.epoch.value == 0;
    std::string message = first ? "there was no primary yet" : "no endpoint accepts writes";
    for (const api::EndpointStatus& row : rows_)
      if (row.name == seen_.link->spec.source.name || !first) message += "; " + described(row);
    return no(first ? "Starting" : "NoPrimary", message);
  }

  Verdict replicas() const {
    size_t streaming = 0, wanted = 0;
    std::string behind;
    bool diverged = false;
    for (const api::EndpointStatus& row : rows_) {
      if (!is_wanted_replica(row)) continue;
      ++wanted;
      if (row.role == to_string(Role::kReplica) && row.state == to_string(MemberState::kStreaming)) {
        ++streaming;
        continue;
      }
      behind += "; " + described(row);
      diverged = diverged || row.state == to_string(MemberState::kDiverged);
    }
    const std::string message = fmt::format("{} of {} replicas stream{}", streaming, wanted, behind);
    if (streaming == wanted) return yes("Replicating", message);
    return no(diverged ? "ReplicaDiverged" : "ReplicasNotStreaming", message);
  }

  const LinkSeen& seen_;
  const LinkPlan& plan_;
  const std::vector<api::EndpointStatus>& rows_;
  std::string primary_;
};

}  // namespace

std::vector<api::Condition> link_conditions(const LinkSeen& seen, const LinkPlan& plan,
                                            const std::vector<api::EndpointStatus>& rows) {
  ConditionSet conditions(*seen.link, seen.now);
  const Judge judge(seen, plan, rows);
  const Verdict ready = judge.ready(), stalled = judge.stalled();
  conditions.set("Ready", ready);
  conditions.set("Reconciling", reconciling_verdict(*seen.link, plan, ready, stalled));
  conditions.set("Stalled", stalled);
  if (seen.link->invalid) return conditions.take();
  conditions.set("LagWithinThreshold", judge.lag());
  conditions.set("DurabilityMet", judge.durability());
  conditions.set_paused();
  return conditions.take();
}

}  // namespace twinspan::controllers
