#include "failover/log/change.hpp"

#include <fmt/format.h>

#include "failover/log/choose.hpp"
#include "failover/log/recover.hpp"
#include "failover/log/sight.hpp"

namespace twinspan {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kReportSettles{1000};  // agents measure and are asked several times in it

// A change whose candidate is named, and what its rules have in common.
struct Change {
  const FailoverSeen& seen;
  const FailoverRules& rules;
  const LeaseRecord& lease;
  const Assignment& assignment;
  const std::string old_primary;
  const MemberSeen* const candidate;
  const bool short_of_end;  // it lacks some of what a clean stop left
};

bool lacks(const MemberReport& report, const LeaseRecord& lease, Position end) {
  if (!report.received) return true;
  return common_end(report.memory ? report.memory->epochs : EpochHistory(), *report.received, lease.epochs) < end;
}

// Replicas that were connected have all of a clean stop; one that was not can't get it any more.
// A report may have been measured a moment before the last of it arrived: judged once it has had time to say so.
bool short_of_end(const FailoverSeen& seen, const LeaseRecord& lease, const MemberSeen* candidate) {
  return candidate && candidate->fresh && lease.release && lease.release->final_position &&
         seen.lease_unchanged_for >= kReportSettles && lacks(*candidate->report, lease, *lease.release->final_position);
}

// Nobody is named before the old primary has ended.
Decision unnamed(const FailoverSeen& seen, const FailoverRules& rules, const LeaseRecord& lease) {
  const Assignment& assignment = *seen.assignment;
  if (!lease.held() || seen.lease_may_be_taken) return choose(seen, rules, lease, assignment.cause);
  if (auto decided = by_word(seen, assignment.cause)) return *decided;
  const std::string old_primary = last_primary(seen);
  Decision decision;
  decision.current = ongoing(seen, assignment.epoch, Step::kFencing, old_primary, assignment.cause);
  decision.route_to = "";
  decision.reason = LogReason::kFencing;
  decision.message = fmt::format("{} may still run: waiting until its lease is released or has run out", old_primary);
  return decision;
}

std::optional<Decision> first_primary(const FailoverSeen& seen, const FailoverRules& rules, const LeaseRecord& lease) {
  if (!never_promoted(seen, lease)) return std::nullopt;
  const Assignment& assignment = *seen.assignment;
  const MemberSeen* first = member(seen, assignment.primary);
  const bool another = first && first->fresh && first->report->instance != assignment.instance;
  if (known_epoch(seen) > lease.epoch || another) return recover(seen, rules, assignment.cause);
  const bool waits_long = seen.lease_unchanged_for >= rules.promotion_timeout;
  Decision decision;
  decision.reason = LogReason::kInitial;
  decision.message = fmt::format("waiting for {} to become the first primary{}", assignment.primary,
                                 waits_long ? deciding_words(seen) : std::string());
  decision.needs_person = waits_long;
  return decision;
}

std::optional<Decision> handover_unclean(const Change& change, Decision decision) {
  const LeaseRecord& lease = change.lease;
  const Assignment& assignment = change.assignment;
  const bool handed_over = !lease.held() && lease.release && lease.release->final_position && !change.short_of_end;
  if (assignment.cause != Cause::kSwitchover || handed_over || (lease.held() && !change.seen.lease_may_be_taken))
    return std::nullopt;
  const Cause cause = lease.release ? lease.release->cause : Cause::kLeaseExpired;
  decision.current->step = Step::kElecting;
  decision.current->to.clear();
  decision.current->cause = is_planned(cause) ? Cause::kShutdown : cause;
  decision.assign = Assignment{assignment.epoch, "", change.old_primary, decision.current->cause};
  decision.reason = LogReason::kHandoverUnclean;
  decision.message = fmt::format("{} ended without handing over: an election decides", change.old_primary);
  return decision;
}

std::optional<Decision> chosen_before_the_end(const Change& change, Decision decision) {
  const Assignment& assignment = change.assignment;
  // What was restored is short of it by a person's word.
  if (is_planned(assignment.cause) || !change.short_of_end ||
      assignment.final_position.value_or(Position{}) >= *change.lease.release->final_position)
    return std::nullopt;
  decision.current->step = Step::kElecting;
  decision.current->to.clear();
  decision.assign = Assignment{assignment.epoch, "", change.old_primary, assignment.cause};
  decision.reason = LogReason::kChosenBeforeTheEnd;
  decision.message = fmt::format("{} was back and stopped cleanly after {} was chosen, which lacks what it wrote",
                                 change.old_primary, assignment.primary);
  return decision;
}

// Why the candidate is not waited for any longer.
struct Failure {
  bool silent, late;
  bool lost;  // it was named while it had data, and has none any more: it will never take the lease
};

Failure failure_of(const Change& change) {
  const FailoverSeen& seen = change.seen;
  const FailoverRules& rules = change.rules;
  const MemberSeen* candidate = change.candidate;
  const bool silent =
      !candidate || (candidate->failures >= rules.consecutive_failures && candidate->silent_for >= rules.unreachable);
  // Where the lease is not free by its holder's own word, it has to stand first.
  const bool waits = change.lease.held() || !lease_tells(seen);
  const bool late = seen.step_for >= rules.promotion_timeout + (waits ? rules.lease.duration : milliseconds(0));
  const bool lost = change.assignment.cause != Cause::kInitial && known_empty(seen, change.assignment.primary);
  return {silent, late, lost};
}

Decision wait_on(const Change& change, Decision decision) {
  if (change.seen.lease_unchanged_for < change.rules.promotion_timeout + change.rules.lease.duration) return decision;
  decision.message += deciding_words(change.seen);
  decision.needs_person = true;
  return decision;
}

std::optional<Decision> cancel_switchover(const Change& change, Decision decision) {
  const LeaseRecord& lease = change.lease;
  const Assignment& assignment = change.assignment;
  if (!is_planned(assignment.cause) || !lease.held() || !lease.promoted || change.seen.lease_may_be_taken)
    return std::nullopt;
  // Nothing was restored in this epoch.
  const Cause cause = assignment.cause == Cause::kRestore ? Cause::kRestart : assignment.cause;
  decision.assign = Assignment{lease.epoch, lease.holder_endpoint, assignment.previous, cause};
  decision.reason = LogReason::kSwitchoverCancelled;
  decision.message =
      assignment.cause == Cause::kRestore
          ? fmt::format("{} did not stop in time, and stays primary with the data it has", lease.holder_endpoint)
          : fmt::format("{} did not take over in time: {} stays primary", assignment.primary, lease.holder_endpoint);
  return decision;
}

// Another is chosen. Should the first still take the lease, the lease's precondition lets only one of them have it.
Decision choose_again(const Change& change, const Failure& failure, Decision decision) {
  const FailoverSeen& seen = change.seen;
  const Assignment& assignment = change.assignment;
  if (assignment.cause != Cause::kRestart || !failure.silent) {
    decision.current->exclude(assignment.primary);
    if (decision.current->excluded.size() >= seen.members.size()) decision.current->excluded.clear();
  }
  decision.current->to.clear();
  decision.current->step = Step::kFencing;
  // Nobody could tell whether it took a lease that is gone by now: the epoch is not used again then.
  const Epoch epoch = lease_tells(seen) ? assignment.epoch : assignment.epoch.next();
  decision.current->epoch = epoch;
  const Cause cause = is_planned(assignment.cause) ? Cause::kLeaseExpired : assignment.cause;
  if (decision.current->cause == Cause::kRestore) decision.current->cause = cause;
  decision.assign = Assignment{epoch, "", change.old_primary, cause};
  decision.reason = LogReason::kCandidateFailed;
  decision.message = fmt::format("{} {}: choosing again", assignment.primary,
                                 failure.lost ? "has lost its data" : "did not take over in time");
  return decision;
}

}  // namespace

Decision changing(const FailoverSeen& seen, const FailoverRules& rules, const LeaseRecord& lease) {
  const Assignment& assignment = *seen.assignment;
  if (assignment.primary.empty()) return unnamed(seen, rules, lease);
  if (auto decided = by_word(seen, assignment.cause)) return *decided;
  if (auto first = first_primary(seen, rules, lease)) return *first;

  const MemberSeen* candidate = member(seen, assignment.primary);
  const Change change{
      seen, rules, lease, assignment, last_primary(seen), candidate, short_of_end(seen, lease, candidate)};
  Decision decision;
  decision.current = ongoing(seen, assignment.epoch, Step::kPromoting, change.old_primary, assignment.cause);
  if (auto unclean = handover_unclean(change, decision)) return *unclean;
  if (auto too_early = chosen_before_the_end(change, decision)) return *too_early;

  decision.current->to = assignment.primary;
  decision.reason = LogReason::kPromoting;
  decision.message = fmt::format("waiting for {} to take the lease", assignment.primary);
  const Failure failure = failure_of(change);
  if (!failure.silent && !failure.late && !failure.lost) return wait_on(change, std::move(decision));
  if (auto cancelled = cancel_switchover(change, decision)) return *cancelled;
  return choose_again(change, failure, std::move(decision));
}

}  // namespace twinspan
