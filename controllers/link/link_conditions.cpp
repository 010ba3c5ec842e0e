#include "controllers/link/link_conditions.hpp"

#include <fmt/format.h>

#include "api/conditions.hpp"
#include "api/validate.hpp"

namespace twinspan::controllers {
namespace {

using api::ConditionStatus;

struct Verdict {
  ConditionStatus status;
  std::string reason, message;
};

Verdict yes(std::string reason, std::string message) {
  return {ConditionStatus::kTrue, std::move(reason), std::move(message)};
}
Verdict no(std::string reason, std::string message) {
  return {ConditionStatus::kFalse, std::move(reason), std::move(message)};
}
Verdict unknown(std::string reason, std::string message) {
  return {ConditionStatus::kUnknown, std::move(reason), std::move(message)};
}

// "west: Cloning 40 %", "west: Unknown, pod orders-west-0 is starting"
std::string described(const api::EndpointStatus& row) {
  std::string out = fmt::format("{}: {}", row.name, row.state);
  if (row.progress_percent) out += fmt::format(" {} %", *row.progress_percent);
  if (row.message) out += ", " + *row.message;
  return out;
}

class Judge {
 public:
  Judge(const LinkSeen& seen, const LinkPlan& plan, const std::vector<api::EndpointStatus>& rows)
      : seen_(seen), plan_(plan), rows_(rows), primary_(seen.primary()) {}

  Verdict ready() const {
    if (seen_.link->invalid) return no("InvalidSpec", seen_.link->invalid->message);
    if (plan_.taken) return no("NameTaken", taken_message());
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
    if (plan_.taken) return yes("NameTaken", taken_message());
    for (const auto state : {MemberState::kDiverged, MemberState::kFailed})
      for (const api::EndpointStatus& row : rows_)
        if (row.state == to_string(state) && is_stuck(state)) return yes(row.state, described(row));
    for (const char* reason : {"AuthorityDamaged", "PrimaryRemoved", "PrimaryIsEphemeral"})
      if (plan_.waiting_reason == reason) return yes(reason, plan_.waiting_message);
    return no("NotStalled", "nothing waits for a person");
  }

  Verdict reconciling(const Verdict& ready_verdict, const Verdict& stalled_verdict) const {
    if (stalled_verdict.status == ConditionStatus::kTrue) return no("Stalled", stalled_verdict.message);
    if (seen_.link->spec.paused) return no("Paused", "spec.paused is true");
    if (!plan_.waiting_reason.empty()) return yes(plan_.waiting_reason, plan_.waiting_message);
    if (ready_verdict.status != ConditionStatus::kTrue) return yes(ready_verdict.reason, ready_verdict.message);
    return no("Settled", "everything is as the spec says");
  }

  Verdict lag() const {
    if (primary_.empty()) return unknown("NoPrimary", "lag is measured against a primary, and there is none");
    const int64_t seconds = api::lag_threshold_seconds(seen_.link->spec);
    const auto& bytes = seen_.link->spec.lag_threshold.bytes;
    std::string unmeasured;
    for (const api::EndpointStatus& row : rows_) {
      if (!is_wanted_replica(row)) continue;
      if (row.lag_seconds && *row.lag_seconds > static_cast<double>(seconds))
        return no("LagOverThreshold", fmt::format("{} is {:.1f} s behind, spec.lagThreshold.seconds is {}", row.name,
                                                  *row.lag_seconds, seconds));
      if (bytes && row.lag_bytes && *row.lag_bytes > *bytes)
        return no("LagOverThreshold", fmt::format("{} is {} bytes behind, spec.lagThreshold.bytes is {}", row.name,
                                                  *row.lag_bytes, *bytes));
      if (unmeasured.empty() && (!row.lag_seconds || (bytes && !row.lag_bytes))) unmeasured = row.name;
    }
    if (!unmeasured.empty()) return unknown("LagNotMeasured", fmt::format("the lag of {} is not measured", unmeasured));
    return yes("LagWithinThreshold", fmt::format("no replica is more than {} s behind", seconds));
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

  std::string taken_message() const {
    return fmt::format("{}: {} belongs to something else: rename this link or its endpoint, or remove that object",
                       plan_.taken_field, *plan_.taken);
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
  std::vector<api::Condition> conditions = seen.link->status.conditions;
  const auto set = [&](const char* type, Verdict verdict) {
    api::Condition condition;
    condition.type = type;
    condition.status = verdict.status;
    condition.reason = std::move(verdict.reason);
    condition.message = std::move(verdict.message);
    api::set_condition(conditions, std::move(condition), seen.link->metadata.generation, seen.now);
  };
  const Judge judge(seen, plan, rows);
  const Verdict ready = judge.ready(), stalled = judge.stalled();
  set("Ready", ready);
  set("Reconciling", judge.reconciling(ready, stalled));
  set("Stalled", stalled);
  if (seen.link->invalid) return conditions;
  set("LagWithinThreshold", judge.lag());
  set("DurabilityMet", judge.durability());
  if (seen.link->spec.paused)
    set("Paused", yes("PausedBySpec", "spec.paused is true: nothing is created, changed, restarted or failed over"));
  else
    api::remove_condition(conditions, "Paused");
  return conditions;
}

}  // namespace twinspan::controllers
