#include "failover/decide.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "failover/names.hpp"

namespace twinspan {
namespace {

const MemberSeen* member(const FailoverSeen& seen, const std::string& name) {
  const auto found =
      std::find_if(seen.members.begin(), seen.members.end(), [&](const MemberSeen& one) { return one.name == name; });
  return found == seen.members.end() ? nullptr : &*found;
}

ElectionInput election(const FailoverSeen& seen, const FailoverRules& rules, const std::string& old_primary) {
  ElectionInput input;
  input.durability = rules.durability;
  input.max_lag_bytes = rules.max_lag_bytes;
  input.prefer = rules.prefer;
  input.primary_last_known = seen.primary_last_known;
  if (seen.lease && seen.lease->release) input.final_position = seen.lease->release->final_position;
  if (seen.current) input.excluded = seen.current->excluded;
  for (const MemberSeen& one : seen.members)
    if (one.name != old_primary) input.replicas.push_back({one.name, one.fresh ? one.report : std::nullopt});
  return input;
}

// Whether a failover would succeed if the primary died now: by the samples at hand, which is all there is.
void foresee(const FailoverSeen& seen, const FailoverRules& rules, const std::string& primary, Decision& decision) {
  ElectionInput input = election(seen, rules, primary);
  input.final_position.reset();
  input.excluded.clear();
  for (Candidate& one : input.replicas)
    if (one.report && one.report->state != MemberState::kStreaming) one.report.reset();
  const ElectionResult result = elect(input);
  decision.possible = std::holds_alternative<Elected>(result);
  if (const auto* refused = std::get_if<Refused>(&result)) {
    decision.reason = refused->reason;
    decision.message = refused->message;
  } else {
    decision.reason = "ReplicaReady";
    decision.message = fmt::format("{} would be promoted", std::get<Elected>(result).name);
  }
}

Decision hold(const FailoverSeen& seen, std::string reason, std::string message) {
  Decision decision;
  decision.current = seen.current;
  decision.reason = std::move(reason);
  decision.message = std::move(message);
  return decision;
}

Transition begin(const LeaseRecord& lease, Step step, const std::string& from, const std::string& to, Cause cause) {
  return {step, lease.epoch.next(), from, to, cause, {}, std::nullopt};
}

// The transition in the input where it belongs to this epoch, else a new one.
Transition ongoing(const FailoverSeen& seen, const LeaseRecord& lease, Step step, const std::string& from,
                   Cause cause) {
  Transition current = begin(lease, step, from, "", cause);
  if (seen.current && seen.current->epoch == current.epoch) {
    current = *seen.current;
    current.step = step;
  }
  return current;
}

// The endpoint that had the right last, also after it let go.
std::string last_primary(const FailoverSeen& seen) {
  if (seen.lease && seen.lease->held()) return seen.lease->holder_endpoint;
  if (seen.lease && seen.lease->release && !seen.lease->release->endpoint.empty()) return seen.lease->release->endpoint;
  return seen.source;  // nobody held it yet
}

bool frozen(const FailoverSeen& seen, const MemberSeen& one) {
  return one.fresh && one.report && one.report->frozen_for == seen.lease->epoch.next();
}

// Everybody who might still answer has frozen its position.
bool all_frozen(const FailoverSeen& seen, const std::string& old_primary) {
  return std::all_of(seen.members.begin(), seen.members.end(), [&](const MemberSeen& one) {
    if (one.name == old_primary || !one.report || (one.failures > 0 && !one.fresh)) return true;
    return frozen(seen, one) || (one.fresh && !one.report->database_running);
  });
}

ElectionInput frozen_election(const FailoverSeen& seen, const FailoverRules& rules, const std::string& old_primary) {
  ElectionInput input = election(seen, rules, old_primary);
  for (Candidate& one : input.replicas)
    if (!frozen(seen, *member(seen, one.name))) one.report.reset();
  return input;
}

bool can_restart(const FailoverSeen& seen, const std::string& old_primary) {
  const MemberSeen* old = member(seen, old_primary);
  return old && old->fresh && old->report && !old->report->system_id.empty() &&
         old->report->state != MemberState::kFailed;
}

// A person's wish counts as the choice of candidate where automation may not choose.
bool may_promote_others(const FailoverSeen& seen, const FailoverRules& rules, const std::string& old_primary) {
  if (rules.mode == Mode::kAutomatic) return true;
  return rules.mode == Mode::kManual && !rules.desired_primary.empty() && rules.desired_primary != old_primary &&
         rules.desired_primary != seen.desired_reached;
}

constexpr std::chrono::milliseconds kReceiverGrace{
    1000};  // a member that can't stop its receiver must not block the others

// An operator that has just begun knows nothing of such a member yet, which is no reason to pass it over.
bool all_asked(const FailoverSeen& seen, const std::string& old_primary) {
  return std::none_of(seen.members.begin(), seen.members.end(), [&](const MemberSeen& one) {
    return one.name != old_primary && !one.report && one.failures == 0 && one.silent_for < kReceiverGrace;
  });
}

// No epoch ever had a primary: nothing can be lost, and the source may start from nothing as often as it takes.
bool never_promoted(const FailoverSeen& seen, const LeaseRecord& lease) {
  return seen.assignment->cause == Cause::kInitial && !lease.promoted;
}

// The lease is free, or will be by the time a candidate asks: name the next primary.
Decision choose(const FailoverSeen& seen, const FailoverRules& rules, const LeaseRecord& lease, Cause cause) {
  const std::string old_primary = last_primary(seen);
  Decision decision;
  if (never_promoted(seen, lease)) {
    decision.assign = Assignment{lease.epoch.next(), seen.source, "", Cause::kInitial};
    decision.reason = "Initial";
    decision.message = fmt::format("{} tries again to become the first primary", seen.source);
    return decision;
  }
  decision.current = ongoing(seen, lease, Step::kElecting, old_primary, cause);
  if (lease.held()) decision.route_to = "";

  const auto restart = [&](std::string reason, std::string message) {
    if (!can_restart(seen, old_primary)) {
      decision.reason = std::move(reason);
      decision.message = std::move(message);
      return decision;
    }
    decision.current->to = old_primary;
    decision.current->step = Step::kPromoting;
    decision.assign = Assignment{lease.epoch.next(), old_primary, old_primary, Cause::kRestart};
    decision.reason = "RestartingInPlace";
    decision.message = fmt::format("{}: {} starts again as primary", message, old_primary);
    return decision;
  };

  const bool settled =
      all_asked(seen, old_primary) && (all_frozen(seen, old_primary) || seen.step_for >= kReceiverGrace);
  if (!may_promote_others(seen, rules, old_primary)) {
    if (rules.mode == Mode::kDryRun && settled) {
      const ElectionResult would = elect(frozen_election(seen, rules, old_primary));
      const auto* elected = std::get_if<Elected>(&would);
      return restart("DryRun", elected ? fmt::format("mode is DryRun: {} would have been promoted", elected->name)
                                       : "mode is DryRun: nobody would have been promoted");
    }
    return restart("ManualMode", rules.mode == Mode::kRestartOnly
                                     ? "no FailoverPolicy allows another primary"
                                     : "mode is Manual: set desiredPrimary to promote a replica");
  }
  if (!settled) {
    decision.reason = "StoppingReceivers";
    decision.message = "replicas stop receiving, so that none advances after they are compared";
    return decision;
  }
  ElectionInput input = frozen_election(seen, rules, old_primary);
  if (rules.mode == Mode::kManual) input.prefer = {rules.desired_primary};
  const ElectionResult result = elect(input);
  if (const auto* refused = std::get_if<Refused>(&result)) {
    decision.current->excluded.clear();  // whoever failed may be tried again
    return restart(refused->reason, refused->message);
  }
  const Elected& elected = std::get<Elected>(result);
  decision.current->to = elected.name;
  decision.current->step = Step::kPromoting;
  decision.current->lost_bytes = elected.lost_bytes;
  decision.assign = Assignment{lease.epoch.next(), elected.name, old_primary, decision.current->cause};
  decision.reason = "Promoting";
  decision.message = fmt::format("{} has the most log and takes over from {}", elected.name, old_primary);
  return decision;
}

struct Trigger {
  Cause cause;
  std::string message;
};

// Silence is only a reason when the lease shows none either: a primary that renews is alive, whoever can't reach it.
std::optional<Trigger> triggered(const FailoverSeen& seen, const FailoverRules& rules, const LeaseRecord& lease) {
  const MemberSeen* primary = member(seen, lease.holder_endpoint);
  if (seen.lease_may_be_taken)
    return Trigger{Cause::kLeaseExpired, fmt::format("{} has not renewed its lease for {} ms", lease.holder_endpoint,
                                                     seen.lease_unchanged_for.count())};
  if (!primary) return std::nullopt;
  if (primary->failures >= rules.consecutive_failures && primary->silent_for >= rules.unreachable &&
      seen.lease_unchanged_for >= rules.unreachable)
    return Trigger{Cause::kPrimaryUnreachable, fmt::format("{} was not reached for {} ms and does not renew its lease",
                                                           primary->name, primary->silent_for.count())};
  if (primary->fresh && primary->report && primary->report->sql_healthy == false &&
      primary->report->sql_failures >= rules.consecutive_failures)
    return Trigger{Cause::kPrimaryFailing,
                   fmt::format("{} failed {} SQL probes in a row", primary->name, primary->report->sql_failures)};
  return std::nullopt;
}

std::optional<std::string> wanted_elsewhere(const FailoverSeen& seen, const FailoverRules& rules,
                                            const std::string& primary) {
  if (rules.mode == Mode::kRestartOnly || rules.mode == Mode::kDryRun) return std::nullopt;
  if (rules.desired_primary.empty() || rules.desired_primary == primary) return std::nullopt;
  if (rules.desired_primary != seen.desired_reached) return rules.desired_primary;
  // It was there and failed away: the rules of failback say when it returns.
  if (rules.failback == FailbackMode::kAutomatic && seen.stable_for >= rules.failback_stable)
    return rules.desired_primary;
  return std::nullopt;
}

constexpr std::chrono::milliseconds kReportSettles{1000};  // agents measure and are asked several times in it
constexpr uint64_t kSwitchoverLagBytes = 16 << 20;         // what a handover sends in well under a second

std::optional<std::string> switchover_refusal(const FailoverSeen& seen, const std::string& target) {
  const MemberSeen* candidate = member(seen, target);
  if (!candidate) return fmt::format("desiredPrimary: \"{}\": the link has no such endpoint", target);
  if (!candidate->fresh || !candidate->report) return fmt::format("{} does not answer", target);
  if (candidate->report->state != MemberState::kStreaming)
    return fmt::format("{} is {}, not Streaming", target, to_string(candidate->report->state));
  if (!candidate->report->lag_bytes) return fmt::format("how far {} is behind is not known", target);
  if (*candidate->report->lag_bytes > kSwitchoverLagBytes)
    return fmt::format("{} is {} bytes behind, {} allowed for a switchover", target, *candidate->report->lag_bytes,
                       kSwitchoverLagBytes);
  return std::nullopt;
}

Decision with_primary(const FailoverSeen& seen, const FailoverRules& rules, const LeaseRecord& lease) {
  const std::string& primary = lease.holder_endpoint;
  Decision decision;
  // The lease is the truth: whatever was intended, this is the primary of this epoch.
  if (seen.assignment->epoch != lease.epoch || seen.assignment->primary != primary)
    decision.assign = Assignment{lease.epoch, primary, seen.assignment->previous, seen.assignment->cause};

  if (!lease.promoted) {
    const bool dead = seen.lease_may_be_taken;
    decision.current = seen.current;
    decision.reason = "WaitingForPromotion";
    decision.message =
        fmt::format("{} holds the lease of epoch {} and has yet to accept writes", primary, lease.epoch.value);
    if (!dead) return decision;
    Decision next = choose(seen, rules, lease, Cause::kLeaseExpired);
    return next;
  }
  if (const auto trigger = triggered(seen, rules, lease)) {
    if (rules.mode == Mode::kManual || rules.mode == Mode::kRestartOnly || rules.mode == Mode::kDryRun) {
      if (seen.lease_may_be_taken) return choose(seen, rules, lease, trigger->cause);
      return hold(seen, "PrimaryUnhealthy", trigger->message);
    }
    decision.current = begin(lease, Step::kFencing, primary, "", trigger->cause);
    decision.assign = Assignment{lease.epoch.next(), "", primary, trigger->cause};
    decision.route_to = "";
    decision.reason = std::string(to_string(trigger->cause));
    decision.message = trigger->message;
    return decision;
  }
  if (seen.routing != Routing::kTo || seen.routed_to != primary || (seen.current && !seen.endpoints_ready)) {
    decision.current = seen.current;
    if (decision.current) {
      decision.current->step = Step::kRerouting;
      decision.current->to = primary;
    }
    decision.route_to = primary;
    decision.reason = "Rerouting";
    decision.message = fmt::format("Services move to {}", primary);
    return decision;
  }
  if (seen.current) {
    decision.completed = true;
    const bool arrived = seen.current->epoch <= lease.epoch;
    decision.outcome = arrived ? "Completed" : "Cancelled";
    decision.reason = decision.outcome;
    decision.message = arrived ? fmt::format("{} is primary", primary)
                               : fmt::format("{} stays primary of epoch {}", primary, lease.epoch.value);
    return decision;
  }
  if (const auto target = wanted_elsewhere(seen, rules, primary)) {
    if (const auto refusal = switchover_refusal(seen, *target)) {
      foresee(seen, rules, primary, decision);
      decision.reason = "SwitchoverRefused";
      decision.message = *refusal;
      return decision;
    }
    decision.current = begin(lease, Step::kPromoting, primary, *target, Cause::kSwitchover);
    decision.assign = Assignment{lease.epoch.next(), *target, primary, Cause::kSwitchover};
    decision.possible = true;
    decision.reason = "Switchover";
    decision.message = fmt::format("{} hands over to {}", primary, *target);
    return decision;
  }
  foresee(seen, rules, primary, decision);
  return decision;
}

// status.assignment is one epoch ahead of the lease: a change is under way.
Decision changing(const FailoverSeen& seen, const FailoverRules& rules, const LeaseRecord& lease) {
  const Assignment& assignment = *seen.assignment;
  const std::string old_primary = last_primary(seen);
  if (assignment.primary.empty()) {
    if (lease.held() && !seen.lease_may_be_taken) {
      Decision decision;
      decision.current = ongoing(seen, lease, Step::kFencing, old_primary, assignment.cause);
      decision.route_to = "";
      decision.reason = "Fencing";
      decision.message =
          fmt::format("{} may still run: waiting until its lease is released or has run out", old_primary);
      return decision;
    }
    return choose(seen, rules, lease, assignment.cause);
  }

  Decision decision;
  if (never_promoted(seen, lease)) {
    decision.reason = "Initial";
    decision.message = fmt::format("waiting for {} to become the first primary", assignment.primary);
    return decision;
  }
  decision.current = ongoing(seen, lease, Step::kPromoting, old_primary, assignment.cause);
  const MemberSeen* candidate = member(seen, assignment.primary);
  // Replicas that were connected have all of a clean stop; one that was not can't get it any more.
  // A report may have been measured a moment before the last of it arrived: judged once it has had time to say so.
  const bool short_of_it = candidate && candidate->fresh && lease.release && lease.release->final_position &&
                           seen.lease_unchanged_for >= kReportSettles &&
                           candidate->report->received < *lease.release->final_position;
  const bool handed_over = !lease.held() && lease.release && lease.release->final_position && !short_of_it;
  if (assignment.cause == Cause::kSwitchover && !handed_over && (!lease.held() || seen.lease_may_be_taken)) {
    const Cause cause = lease.release ? lease.release->cause : Cause::kLeaseExpired;
    decision.current->step = Step::kElecting;
    decision.current->to.clear();
    decision.current->cause = cause == Cause::kSwitchover ? Cause::kShutdown : cause;
    decision.assign = Assignment{assignment.epoch, "", old_primary, decision.current->cause};
    decision.reason = "HandoverUnclean";
    decision.message = fmt::format("{} ended without handing over: an election decides", old_primary);
    return decision;
  }
  decision.current->to = assignment.primary;
  decision.reason = "Promoting";
  decision.message = fmt::format("waiting for {} to take the lease", assignment.primary);
  const bool silent =
      !candidate || (candidate->failures >= rules.consecutive_failures && candidate->silent_for >= rules.unreachable);
  const bool late = seen.step_for >= rules.promotion_timeout;
  if (!silent && !late) return decision;

  if (assignment.cause == Cause::kSwitchover && lease.held() && lease.promoted && !seen.lease_may_be_taken) {
    decision.assign = Assignment{lease.epoch, lease.holder_endpoint, assignment.previous, assignment.cause};
    decision.reason = "SwitchoverCancelled";
    decision.message =
        fmt::format("{} did not take over in time: {} stays primary", assignment.primary, lease.holder_endpoint);
    return decision;
  }
  // Another is chosen. Should the first still take the lease, the lease's precondition lets only one of them have it.
  if (assignment.cause != Cause::kRestart || !silent) {
    decision.current->excluded.push_back(assignment.primary);
    if (decision.current->excluded.size() >= seen.members.size()) decision.current->excluded.clear();
  }
  decision.current->to.clear();
  decision.current->step = Step::kFencing;
  decision.assign = Assignment{assignment.epoch, "", old_primary,
                               assignment.cause == Cause::kSwitchover ? Cause::kLeaseExpired : assignment.cause};
  decision.reason = "CandidateFailed";
  decision.message = fmt::format("{} did not take over in time: choosing again", assignment.primary);
  return decision;
}

}  // namespace

Decision decide(const FailoverSeen& seen, const FailoverRules& rules) {
  if (!seen.lease) return hold(seen, "LeaseUnknown", "the primary lease was not read yet");
  const LeaseRecord& lease = *seen.lease;
  if (seen.paused) return hold(seen, "Paused", "spec.paused is true: nothing moves");
  if (!seen.assignment) {
    Decision decision;
    const std::string& first = lease.held() ? lease.holder_endpoint : seen.source;
    decision.assign = Assignment{lease.held() ? lease.epoch : lease.epoch.next(), first, "", Cause::kInitial};
    decision.reason = "Initial";
    decision.message = fmt::format("{} becomes the first primary", first);
    return decision;
  }
  if (seen.assignment->epoch > lease.epoch.next())
    return hold(
        seen, "LeaseEpochBehind",
        fmt::format(
            "the lease is at epoch {} and the link at {}: the lease was replaced; set its leaseTransitions to {}",
            lease.epoch.value, seen.assignment->epoch.value, seen.assignment->epoch.value - 1));
  if (seen.assignment->epoch == lease.epoch.next()) return changing(seen, rules, lease);
  if (lease.held()) return with_primary(seen, rules, lease);
  return choose(seen, rules, lease, lease.release ? lease.release->cause : Cause::kLeaseExpired);
}

namespace {
constexpr Names<Step, 5> kSteps{{{Step::kSteady, "Steady"},
                                 {Step::kFencing, "Fencing"},
                                 {Step::kElecting, "Electing"},
                                 {Step::kPromoting, "Promoting"},
                                 {Step::kRerouting, "Rerouting"}}};
}  // namespace

std::string_view to_string(Step step) { return name_of(kSteps, step); }

std::optional<Step> parse_step(std::string_view text) { return value_of(kSteps, text); }

}  // namespace twinspan
