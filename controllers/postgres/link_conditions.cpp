#include "controllers/postgres/link_conditions.hpp"

#include <fmt/format.h>

#include <map>

#include "api/conditions.hpp"
#include "api/declared_objects.hpp"
#include "api/hba_lines.hpp"
#include "api/postgres_parameters.hpp"
#include "api/quantity.hpp"
#include "contract/declared_objects.hpp"
#include "contract/rows.hpp"
#include "controllers/cluster/condition_reasons.hpp"
#include "controllers/link/verdict.hpp"
#include "controllers/postgres/acceptance.hpp"
#include "controllers/postgres/import_said.hpp"

namespace twinspan::controllers {
namespace {

using api::ConditionStatus;

constexpr const char *kObjectsNotInForce = "ObjectsNotInForce", *kHbaNotInForce = "HbaNotInForce";

struct DeclaredVerdict {
  std::string text;  // empty: all are in force
  bool waits_for_a_person = false;
};

class Judge {
 public:
  Judge(const LinkSeen& seen, const LinkPlan& plan, const std::vector<api::EndpointStatus>& rows)
      : seen_(seen), plan_(plan), rows_(rows), primary_(seen.primary()), imported_(import_verdict(seen)) {}

  std::optional<Verdict> update_waiting() const {
    if (!plan_.put_off) return std::nullopt;
    return yes(std::string(to_string(plan_.put_off->what)), plan_.put_off->message);
  }

  const std::optional<Verdict>& imported() const { return imported_; }

  Verdict ready() const {
    if (seen_.link->invalid) return no("InvalidSpec", refused_message(*seen_.link));
    if (seen_.link->metadata.deleting()) return no("Terminating", "the link is being deleted");
    if (primary_.empty()) return but_for_objects(without_primary(), *seen_.link, plan_, seen_.refused);
    const api::EndpointStatus* row = row_of(primary_);
    if (!row || state_of(*row) == MemberState::kUnknown)
      return unknown("PrimaryNotHeard", fmt::format("{} holds the lease, but {}", primary_,
                                                    row && row->message ? *row->message : "is not known"));
    if (state_of(*row) != MemberState::kRunning) return no("PrimaryNotRunning", described(*row));
    if (!plan_.owner_awaited.empty()) return no("OwnerSecretMissing", plan_.owner_awaited);
    return but_for_objects(as_accepted(), *seen_.link, plan_, seen_.refused);
  }

  Verdict stalled() const {
    if (seen_.link->invalid) return yes("InvalidSpec", refused_message(*seen_.link));
    if (!plan_.foreign.empty()) return yes(kForeignObject, foreign_message(*seen_.link, plan_));
    if (!seen_.refused.empty()) return yes(kObjectRefused, refused_objects(*seen_.link, seen_.refused));
    if (!plan_.owner_awaited.empty()) return yes("OwnerSecretMissing", plan_.owner_awaited);
    for (const auto state : {MemberState::kDiverged, MemberState::kFailed})
      for (const api::EndpointStatus& row : rows_)
        if (state_of(row) == state && is_stuck(state)) return yes(row.state, described(row));
    if (seen_.holdup && seen_.holdup->needs_person) return yes(seen_.holdup->reason, seen_.holdup->message);
    for (const EndpointSeen& endpoint : seen_.endpoints)
      if (const MemberReport* report = endpoint.spec ? endpoint.member.fresh() : nullptr)
        for (const Trouble& trouble : report->troubles)
          if (waits_for_a_person(trouble.kind))
            return yes(std::string(to_string(trouble.kind)), endpoint.name + ": " + trouble.text);
    if (imported_ && imported_->reason == kImportFailed) return yes(kImportFailed, imported_->message);
    if (const auto& trial = trial_to_be(); trial && trial->message) return yes("ChangeUndone", trial_text(*trial));
    if (const DeclaredVerdict hba = hba_not_in_force(); hba.waits_for_a_person) return yes(kHbaNotInForce, hba.text);
    if (const DeclaredVerdict objects = objects_not_in_force(); objects.waits_for_a_person)
      return yes(kObjectsNotInForce, objects.text);
    if (const auto [reason, message] = volumes(); !message.empty()) return yes(reason, message);
    if (needs_person(plan_.waits_for)) return yes(std::string(to_string(plan_.waits_for)), plan_.waiting_message);
    return no("NotStalled", "nothing waits for a person");
  }

  Verdict lag() const {
    if (primary_.empty()) return unknown("NoPrimary", "lag is measured against a primary, and there is none");
    std::vector<api::EndpointStatus> replicas;
    std::copy_if(rows_.begin(), rows_.end(), std::back_inserter(replicas),
                 [this](const api::EndpointStatus& row) { return is_wanted_replica(row); });
    return lag_verdict(seen_.link->spec, replicas);
  }

  Verdict storage_low() const {
    std::string low, unmeasured;
    for (const EndpointSeen& endpoint : seen_.endpoints) {
      if (!endpoint.spec) continue;
      const MemberReport* report = endpoint.member.fresh();
      if (const api::Condition* known = api::find_condition(seen_.link->status.conditions, "StorageLow");
          known && endpoint.member.pending())
        return {known->status, known->reason, known->message};
      if (!report || !report->volume || report->volume->total_bytes == 0) {
        unmeasured += (unmeasured.empty() ? "" : ", ") + endpoint.name;
        continue;
      }
      for (const Trouble& trouble : report->troubles)
        if (trouble.kind == TroubleKind::kStorageLow)
          low += (low.empty() ? "" : "; ") + endpoint.name + ": " + trouble.text;
    }
    if (!low.empty()) return yes("VolumeNearlyFull", low);
    if (!unmeasured.empty()) return unknown("NotMeasured", "not known of " + unmeasured);
    return no("RoomLeft", "every volume has room");
  }

  // Whether the data is where, and what, the spec says: a person may have moved or dropped it by SQL.
  Verdict data_as_declared() const {
    const EndpointSeen* primary = seen_.find(primary_);
    if (const api::Condition* known = api::find_condition(seen_.link->status.conditions, "DataAsDeclared");
        known && primary && primary->member.pending())
      return {known->status, known->reason, known->message};
    if (!primary || !primary->member.fresh()) return unknown("PrimaryNotHeard", "the primary does not say what it has");
    for (const EndpointSeen& endpoint : seen_.endpoints)
      if (const MemberReport* report = endpoint.spec ? endpoint.member.fresh() : nullptr)
        for (const Trouble& trouble : report->troubles)
          if (trouble.kind == TroubleKind::kTablespaceOutsideVolume || trouble.kind == TroubleKind::kDatabaseRemade)
            return no(std::string(to_string(trouble.kind)), endpoint.name + ": " + trouble.text);
    return yes("AsDeclared", "the database is there, and all its data is on the volumes");
  }

  Verdict durability() const {
    const api::Durability& wanted = seen_.link->spec.postgres.durability;
    if (wanted.mode == api::DurabilityMode::kAsync) return yes("Async", "commits wait for no replica");
    const EndpointSeen* primary = seen_.find(primary_);
    const MemberReport* report = primary ? primary->member.fresh() : nullptr;
    if (const api::Condition* known = api::find_condition(seen_.link->status.conditions, "DurabilityMet");
        known && primary && primary->member.pending())
      return {known->status, known->reason, known->message};
    if (!report || !report->sql_healthy || report->sql_failures >= kProbesFailed)
      return unknown("PrimaryNotHeard", "the primary does not say which replicas commits wait for");
    int64_t answering = 0;
    for (const auto& [name, downstream] : report->downstreams) answering += downstream.commits_wait_for_it();
    if (answering >= wanted.replicas)
      return yes("ReplicasConfirm",
                 fmt::format("commits wait for {} of {} replicas that answer", wanted.replicas, answering));
    return no("TooFewReplicas",
              fmt::format("commits wait: {} of the {} replicas they need answer; bring a replica back, or lower "
                          "spec.postgres.durability",
                          answering, wanted.replicas));
  }

 private:
  // With a primary that runs: whether replicas, settings and volumes are as was accepted.
  Verdict as_accepted() const {
    const auto& trial = trial_to_be();
    if (trial && !trial->message) return no("ChangeOnTrial", trial_text(*trial));
    const Verdict streaming = replicas();
    if (streaming.status != ConditionStatus::kTrue) return streaming;
    if (trial) return no("ChangeUndone", trial_text(*trial));
    const std::string missing = parameters_not_in_force();
    if (!missing.empty()) return no("ParametersNotInForce", missing);
    if (DeclaredVerdict hba = hba_not_in_force(); !hba.text.empty()) return no(kHbaNotInForce, std::move(hba.text));
    if (DeclaredVerdict objects = objects_not_in_force(); !objects.text.empty())
      return no(kObjectsNotInForce, std::move(objects.text));
    if (const auto [reason, message] = volumes(); !message.empty()) return no(reason, message);
    if (imported_ && imported_->status != ConditionStatus::kTrue) return *imported_;
    return streaming;
  }

  const std::optional<api::TrialStatus>& trial_to_be() const {
    static const std::optional<api::TrialStatus> kNone;
    return plan_.acceptance ? plan_.acceptance->trial : kNone;
  }

  std::string trial_text(const api::TrialStatus& trial) const {
    if (trial.message)
      return *trial.message + "; what was accepted before stays in force: correct the spec, or take the change back";
    return trial_message(trial);
  }

  // Volumes that are not of the size that the spec says.
  std::pair<std::string, std::string> volumes() const {
    for (const EndpointSeen& endpoint : seen_.endpoints) {
      if (!endpoint.spec || !endpoint.claim || !endpoint.spec->postgres || !endpoint.spec->postgres->managed) continue;
      const api::PostgresStorage& storage = endpoint.spec->postgres->managed->storage;
      const std::string& there = endpoint.claim->requested;
      const auto wanted = api::parse_quantity(storage.size), has = api::parse_quantity(there);
      if (storage.ephemeral || !wanted || !has) continue;
      if (*wanted < *has)
        return {"VolumeCanNotShrink",
                fmt::format("{}: storage.size is {}, but its volume claim has {}: a volume can grow and never shrinks; "
                            "set storage.size to {}",
                            endpoint.name, storage.size, there, there)};
      const auto refused = seen_.refused_volumes.find(endpoint.name);
      if (*wanted > *has && refused != seen_.refused_volumes.end() && refused->second.size == storage.size)
        return {"VolumeNotGrown",
                fmt::format("{}: its volume stays at {}, {} was refused: {}; let the storage class allow expansion, or "
                            "set storage.size to {} again",
                            endpoint.name, there, storage.size, refused->second.words, there)};
    }
    return {};
  }

  // By what each member's agent asked of PostgreSQL. Agents that say nothing of it are older ones.
  std::string parameters_not_in_force() const {
    std::string text;
    for (const EndpointSeen& endpoint : seen_.endpoints) {
      const MemberReport* report = endpoint.member.fresh();
      if (!endpoint.spec || !endpoint.spec->postgres || !endpoint.spec->postgres->managed || !report ||
          !report->parameters)
        continue;
      const auto tell = [&](const std::string& what) {
        text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", endpoint.name, what);
      };
      if (report->parameters->asked != api::fingerprint(endpoint.spec->postgres->managed->parameters)) {
        tell("parameters not applied yet");
        continue;
      }
      for (const MemberReport::Setting& one : report->parameters->not_in_force)
        tell(one.name.empty() ? "parameters: " + one.text : fmt::format("{}: {}", one.name, one.text));
    }
    return text;
  }

  // Roles, databases and extensions, by what the primary's agent asked of PostgreSQL.
  DeclaredVerdict objects_not_in_force() const {
    // Of the newest spec: the look that accepts it says its generation of what it finds.
    const api::PostgresSettings& wanted = (seen_.link->wanted ? *seen_.link->wanted : seen_.link->spec).postgres;
    const EndpointSeen* primary = seen_.find(primary_);
    const MemberReport* report = primary ? primary->member.fresh() : nullptr;
    if (wanted.roles.empty() && wanted.databases.empty()) return {};
    if (!report) return primary && primary->member.pending() ? as_known(kObjectsNotInForce) : DeclaredVerdict{};
    const auto said = objects_of(*report);
    if (!said || said->asked != api::objects_fingerprint(wanted))
      return {primary_ + ": roles, databases and extensions are not applied yet", false};
    DeclaredVerdict verdict;
    for (const auto& [object, words] : said->troubles)
      verdict.text += fmt::format("{}{}: {}", verdict.text.empty() ? "" : "; ", object, words);
    verdict.waits_for_a_person = !verdict.text.empty();
    return verdict;
  }

  // People's lines of pg_hba.conf, by what PostgreSQL said of them on each member. Of the newest spec, too.
  DeclaredVerdict hba_not_in_force() const {
    const auto& wanted = (seen_.link->wanted ? *seen_.link->wanted : seen_.link->spec).postgres.hba;
    const std::string asked = api::hba_fingerprint(wanted);
    const auto add = [](std::string& members, const std::string& name) {
      members += (members.empty() ? "" : ", ") + name;
    };
    std::string late, shut;
    std::map<std::string, std::string> refused;  // members by what PostgreSQL says there
    for (const EndpointSeen& endpoint : seen_.endpoints) {
      const MemberReport* report = endpoint.member.fresh();
      if (!endpoint.spec || !report) {
        if (endpoint.spec && endpoint.member.pending())
          if (DeclaredVerdict known = as_known(kHbaNotInForce); !known.text.empty()) return known;
        continue;
      }
      const auto said = objects_of(*report, kDeclaredHba);
      if (said ? said->asked != asked : !wanted.empty()) add(late, endpoint.name);
      if (!said || said->asked != asked || said->troubles.empty()) continue;
      std::string words;
      for (const auto& [line, why] : said->troubles)
        words += fmt::format("{}{}: {}", words.empty() ? "" : "; ", line, why);
      add(refused[words], endpoint.name);
      if (said->shut) add(shut, endpoint.name);
    }
    DeclaredVerdict verdict;
    for (const auto& [words, members] : refused)
      verdict.text += fmt::format("{}{}: {}", verdict.text.empty() ? "" : "; ", members, words);
    verdict.waits_for_a_person = !verdict.text.empty();
    if (verdict.waits_for_a_person)
      verdict.text += fmt::format("; {}: correct the line, or take it out",
                                  shut.empty() ? "the rules before stay in force"
                                               : shut + " let nobody in until then, there were no rules before");
    else if (!late.empty())
      verdict.text = late + ": spec.postgres.hba is not applied yet";
    return verdict;
  }

  // An operator that has only just begun to ask knows what an earlier one wrote down.
  DeclaredVerdict as_known(const char* reason) const {
    const auto& conditions = seen_.link->status.conditions;
    const api::Condition* ready = api::find_condition(conditions, "Ready");
    const api::Condition* stalled = api::find_condition(conditions, "Stalled");
    if (!ready || ready->reason != reason) return {};
    return {ready->message, stalled && stalled->reason == reason};
  }

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

  static bool waits_for_a_person(TroubleKind kind) {
    switch (kind) {
      case TroubleKind::kReplicaWithoutLog:
      case TroubleKind::kDiskHangs: return true;
      case TroubleKind::kStorageLow:
      case TroubleKind::kTablespaceOutsideVolume:
      case TroubleKind::kDatabaseRemade: break;  // conditions of their own
    }
    return false;
  }

  Verdict without_primary() const {
    if (!plan_.owner_awaited.empty()) return no("OwnerSecretMissing", plan_.owner_awaited);
    if (seen_.holdup) return no(seen_.holdup->reason, seen_.holdup->message);
    const bool first = !seen_.lease || seen_.lease->record.epoch.value == 0;
    std::string message = first ? "there was no primary yet" : "no endpoint accepts writes";
    for (const api::EndpointStatus& row : rows_)
      if (row.name == seen_.link->spec.source.name || !first) message += "; " + described(row);
    return no(first ? kStarting : "NoPrimary", message);
  }

  Verdict replicas() const {
    size_t streaming = 0, wanted = 0;
    std::string behind;
    bool diverged = false;
    for (const api::EndpointStatus& row : rows_) {
      if (!is_wanted_replica(row)) continue;
      ++wanted;
      if (role_of(row) == Role::kReplica && state_of(row) == MemberState::kStreaming) {
        ++streaming;
        continue;
      }
      behind += "; " + described(row);
      diverged = diverged || state_of(row) == MemberState::kDiverged;
    }
    const std::string message = fmt::format("{} of {} replicas stream{}", streaming, wanted, behind);
    if (streaming == wanted) return yes("Replicating", message);
    return no(diverged ? "ReplicaDiverged" : "ReplicasNotStreaming", message);
  }

  const LinkSeen& seen_;
  const LinkPlan& plan_;
  const std::vector<api::EndpointStatus>& rows_;
  std::string primary_;
  std::optional<Verdict> imported_;  // nullopt: no import is asked for
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
  if (!seen.link->actionable) return conditions.take();
  conditions.set("LagWithinThreshold", judge.lag());
  conditions.set("DurabilityMet", judge.durability());
  conditions.set("StorageLow", judge.storage_low());
  conditions.set("DataAsDeclared", judge.data_as_declared());
  conditions.set("UpdateWaiting", judge.update_waiting());
  conditions.set("Imported", judge.imported());
  conditions.set_paused();
  return conditions.take();
}

}  // namespace twinspan::controllers
