#include "failover/log/decide.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "failover/log/change.hpp"
#include "failover/log/choose.hpp"
#include "failover/log/sight.hpp"
#include "failover/names.hpp"

namespace twinspan {
namespace {

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
    decision.reason = LogReason::kReplicaReady;
    decision.message = fmt::format("{} would be promoted", std::get<Elected>(result).name);
  }
}

struct Trigger {
  Cause cause;
  LogReason reason;
  std::string message;
};

// Silence is only a reason when the lease shows none either: a primary that renews is alive, whoever can't reach it.
std::optional<Trigger> triggered(const FailoverSeen& seen, const FailoverRules& rules, const LeaseRecord& lease) {
  const MemberSeen* primary = member(seen, lease.holder_endpoint);
  if (seen.lease_may_be_taken)
    return Trigger{
        Cause::kLeaseExpired, LogReason::kLeaseExpired,
        fmt::format("{} has not renewed its lease for {} ms", lease.holder_endpoint, seen.lease_unchanged_for.count())};
  if (!primary) return std::nullopt;
  if (primary->failures >= rules.consecutive_failures && primary->silent_for >= rules.unreachable &&
      seen.lease_unchanged_for >= rules.unreachable)
    return Trigger{Cause::kPrimaryUnreachable, LogReason::kPrimaryUnreachable,
                   fmt::format("{} was not reached for {} ms and does not renew its lease", primary->name,
                               primary->silent_for.count())};
  if (primary->fresh && primary->report && primary->report->sql_healthy == false &&
      primary->report->sql_failures >= rules.consecutive_failures)
    return Trigger{Cause::kPrimaryFailing, LogReason::kPrimaryFailing,
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

constexpr uint64_t kSwitchoverLagBytes = 16 << 20;  // what a handover sends in well under a second

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

// Held, and no write accepted yet. Its time counts until one is.
Decision unpromoted(const FailoverSeen& seen, const FailoverRules& rules, const LeaseRecord& lease, Decision decision) {
  const std::string& primary = lease.holder_endpoint;
  const bool late = seen.holder_for >= rules.promotion_timeout;  // what it waited for the lease does not count
  decision.current = seen.current;
  decision.reason = LogReason::kWaitingForPromotion;
  decision.message =
      fmt::format("{} holds the lease of epoch {} and has yet to accept writes", primary, lease.epoch.value);
  if (!late) return decision;
  decision.message += fmt::format(" for {} s: {}", seen.holder_for.count() / 1000, words_of(seen, primary));
  if (auto decided = by_word(seen, Cause::kLeaseExpired)) return *decided;

  // Nobody follows a primary that accepted nothing: positions stand, and are compared once more when it has let go.
  const std::string old_primary = last_primary(seen) == primary ? "" : last_primary(seen);
  ElectionInput input = election(seen, rules, old_primary);
  input.final_position.reset();
  input.max_lag_bytes = 0;
  input.unpromoted = lease.epoch;
  if (std::find(input.excluded.begin(), input.excluded.end(), primary) == input.excluded.end())
    input.excluded.push_back(primary);
  for (Candidate& one : input.replicas)
    if (one.name == primary && one.report) one.report = standing(*one.report);
  const ElectionResult result = elect(input);
  const auto* elected = std::get_if<Elected>(&result);
  if (!elected || never_promoted(seen, lease) || !may_promote_others(seen, rules, old_primary)) {
    const auto* refused = std::get_if<Refused>(&result);
    decision.reason = LogReason::kPromotionStuck;
    decision.message += fmt::format("; nobody takes over from it by itself{}{}",
                                    refused ? ": " + refused->message : std::string(), deciding_words(seen));
    decision.needs_person = true;
    return decision;
  }
  const bool goes_on = seen.current && seen.current->cause != Cause::kRestore;
  const Cause cause = goes_on ? seen.current->cause : Cause::kLeaseExpired;
  decision.current = Transition{Step::kFencing, next_epoch(seen), old_primary, "", cause, input.excluded, std::nullopt};
  decision.assign = Assignment{next_epoch(seen), "", old_primary, cause};
  decision.reason = LogReason::kCandidateFailed;
  decision.message += fmt::format("; {} could take over: choosing again", elected->name);
  return decision;
}

// The lease is the truth: whatever was intended, this is the primary of this epoch.
Assignment as_the_lease_says(const FailoverSeen& seen, const LeaseRecord& lease) {
  const std::string& primary = lease.holder_endpoint;
  Assignment settled = seen.assignment.value_or(Assignment{lease.epoch, primary, "", Cause::kRestart});
  // A person's word, for one epoch and one primary.
  if (settled.cause == Cause::kRestore && (settled.epoch != lease.epoch || settled.primary != primary))
    settled.cause = Cause::kRestart;
  settled.epoch = lease.epoch;
  settled.primary = primary;
  // Once it accepts writes nobody may begin from nothing any more, whatever becomes of the lease; and nobody else was
  // primary last, also where its mark never comes to be written.
  if (lease.promoted) {
    if (settled.cause == Cause::kInitial) settled.cause = Cause::kRestart;
    settled.previous = primary;
    settled.final_position.reset();
    settled.instance.clear();
  }
  return settled;
}

// Nobody who remembers a later epoch follows it: it goes on in one above.
std::optional<Decision> start_above(const FailoverSeen& seen, const LeaseRecord& lease, Decision decision) {
  if (known_epoch(seen) <= lease.epoch) return std::nullopt;
  const std::string& primary = lease.holder_endpoint;
  decision.current = Transition{Step::kFencing, next_epoch(seen), primary, "", Cause::kRestart, {}, std::nullopt};
  decision.assign = Assignment{next_epoch(seen), "", primary, Cause::kRestart};
  decision.reason = LogReason::kLeaseWentBack;
  decision.message = fmt::format("the lease of {} is at epoch {} and an endpoint remembers {}: it starts again above",
                                 primary, lease.epoch.value, known_epoch(seen).value);
  return decision;
}

// A primary that fails is told to end, where automation may say so.
std::optional<Decision> fence(const FailoverSeen& seen, const FailoverRules& rules, const LeaseRecord& lease,
                              Decision decision) {
  const auto trigger = triggered(seen, rules, lease);
  if (!trigger) return std::nullopt;
  const std::string& primary = lease.holder_endpoint;
  if (rules.mode == Mode::kManual || rules.mode == Mode::kRestartOnly || rules.mode == Mode::kDryRun) {
    if (seen.lease_may_be_taken) return choose(seen, rules, lease, trigger->cause);
    if (auto decided = by_word(seen, trigger->cause)) return decided;
    return hold(seen, LogReason::kPrimaryUnhealthy, trigger->message + deciding_words(seen));
  }
  decision.current = Transition{Step::kFencing, next_epoch(seen), primary, "", trigger->cause, {}, std::nullopt};
  decision.assign = Assignment{next_epoch(seen), "", primary, trigger->cause};
  decision.route_to = "";
  decision.reason = trigger->reason;
  decision.message = trigger->message;
  return decision;
}

std::optional<Decision> reroute(const FailoverSeen& seen, const std::string& primary, Decision decision) {
  if (seen.routing == Routing::kTo && seen.routed_to == primary && (!seen.current || seen.endpoints_ready))
    return std::nullopt;
  decision.current = seen.current;
  if (decision.current) {
    decision.current->step = Step::kRerouting;
    decision.current->to = primary;
  }
  decision.route_to = primary;
  decision.reason = LogReason::kRerouting;
  decision.message = fmt::format("Services move to {}", primary);
  return decision;
}

std::optional<Decision> end_change(const FailoverSeen& seen, const LeaseRecord& lease, Decision decision) {
  if (!seen.current) return std::nullopt;
  const std::string& primary = lease.holder_endpoint;
  const bool arrived = seen.current->epoch <= lease.epoch;
  decision.ended = arrived ? Ending::kCompleted : Ending::kCancelled;
  decision.reason = arrived ? LogReason::kCompleted : LogReason::kCancelled;
  decision.message = arrived ? fmt::format("{} is primary", primary)
                             : fmt::format("{} stays primary of epoch {}", primary, lease.epoch.value);
  return decision;
}

std::optional<Decision> switch_over(const FailoverSeen& seen, const FailoverRules& rules, const std::string& primary,
                                    Decision decision) {
  const auto target = wanted_elsewhere(seen, rules, primary);
  if (!target) return std::nullopt;
  if (const auto refusal = switchover_refusal(seen, *target)) {
    foresee(seen, rules, primary, decision);
    decision.reason = LogReason::kSwitchoverRefused;
    decision.message = *refusal;
    return decision;
  }
  decision.current =
      Transition{Step::kPromoting, next_epoch(seen), primary, *target, Cause::kSwitchover, {}, std::nullopt};
  decision.assign = Assignment{next_epoch(seen), *target, primary, Cause::kSwitchover};
  decision.possible = true;
  decision.reason = LogReason::kSwitchover;
  decision.message = fmt::format("{} hands over to {}", primary, *target);
  return decision;
}

// What a person had restored takes the place of the primary's data. Its own fresh word says that it lies there whole:
// once it has, it says so no more. What it said before it came to accept writes in this epoch may be of before that.
std::optional<Decision> replace_data(const FailoverSeen& seen, const std::string& primary, Decision decision) {
  const MemberSeen* holder = member(seen, primary);
  if (seen.replace.empty() || !holder || !holder->fresh || !holder->report || holder->report->prepared != seen.replace)
    return std::nullopt;
  const MemberReport& report = *holder->report;
  const bool at_work = report.role == Role::kPrimary && report.state == MemberState::kRunning && report.memory &&
                       report.memory->data_epoch == seen.lease->epoch;
  if (!at_work) return std::nullopt;
  decision.current =
      Transition{Step::kPromoting, next_epoch(seen), primary, primary, Cause::kRestore, {}, std::nullopt};
  decision.assign = Assignment{next_epoch(seen), primary, primary, Cause::kRestore};
  decision.reason = LogReason::kReplacingData;
  decision.message = fmt::format("{} stops and goes on with the data of Restore {}", primary, seen.replace);
  return decision;
}

// The first rule that has something to say decides.
Decision with_primary(const FailoverSeen& seen, const FailoverRules& rules, const LeaseRecord& lease) {
  const std::string& primary = lease.holder_endpoint;
  Decision decision;
  if (const Assignment settled = as_the_lease_says(seen, lease); settled != seen.assignment) decision.assign = settled;
  if (!lease.promoted) {
    if (seen.lease_may_be_taken) return choose(seen, rules, lease, Cause::kLeaseExpired);
    return unpromoted(seen, rules, lease, std::move(decision));
  }
  if (auto above = start_above(seen, lease, decision)) return *above;
  if (auto fenced = fence(seen, rules, lease, decision)) return *fenced;
  if (auto rerouting = reroute(seen, primary, decision)) return *rerouting;
  if (auto ended = end_change(seen, lease, decision)) return *ended;
  if (auto replacing = replace_data(seen, primary, decision)) return *replacing;
  if (auto switchover = switch_over(seen, rules, primary, decision)) return *switchover;
  foresee(seen, rules, primary, decision);
  return decision;
}

}  // namespace

void Transition::exclude(const std::string& name) {
  if (std::find(excluded.begin(), excluded.end(), name) == excluded.end()) excluded.push_back(name);
}

Decision decide(const FailoverSeen& seen, const FailoverRules& rules) {
  if (!seen.lease) return hold(seen, LogReason::kLeaseUnknown, "the primary lease was not read yet");
  const LeaseRecord& lease = *seen.lease;
  if (!lease.promoted && promotion_known(seen)) {
    FailoverSeen known = seen;
    known.lease->promoted = true;
    return decide(known, rules);
  }
  if (seen.paused) return hold(seen, LogReason::kPaused, "spec.paused is true: nothing moves");
  // Either what is known here of the lease is old, or the lease itself went back: only a read that can't be old tells.
  if (known_epoch(seen) > lease.epoch && !seen.lease_confirmed) {
    Decision decision = hold(seen, LogReason::kLeaseBehind,
                             fmt::format("the lease is at epoch {} and an endpoint remembers {}: it is read once more",
                                         lease.epoch.value, known_epoch(seen).value));
    decision.confirm_lease = true;
    return decision;
  }
  // An operator that stood still, or whose watch did, has seen nothing of a lease that was renewed all the while.
  const auto trigger = lease.held() ? triggered(seen, rules, lease) : std::nullopt;
  if (trigger && trigger->cause != Cause::kPrimaryFailing && !seen.lease_confirmed) {
    Decision decision = hold(seen, LogReason::kLeaseSilent,
                             fmt::format("{} was not seen to renew its lease for {} ms: it is read once more",
                                         lease.holder_endpoint, seen.lease_unchanged_for.count()));
    decision.confirm_lease = true;
    return decision;
  }
  if (under_way(seen)) return changing(seen, rules, lease);
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
