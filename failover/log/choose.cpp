#include "failover/log/choose.hpp"

#include <fmt/format.h>

#include "failover/log/recover.hpp"
#include "failover/log/sight.hpp"

namespace twinspan {
namespace {

// Nobody may be promoted who could: whoever has everything starts again, else it is told what would help.
Decision restart(const FailoverSeen& seen, const FailoverRules& rules, Decision decision, LogReason reason,
                 const std::string& message) {
  const std::string name = restartable(seen);
  if (name.empty()) {
    decision.reason = reason;
    const std::string& from = decision.current->from;
    const char* of_old = from.empty()              ? ""
                         : known_empty(seen, from) ? "; {} has lost its data"
                                                   : "; {} starts again by itself once it is back";
    decision.message = message + fmt::format(fmt::runtime(of_old), from) + deciding_words(seen);
    decision.needs_person = seen.lease_unchanged_for >= rules.promotion_timeout;
    return decision;
  }
  decision.current->to = name;
  decision.current->step = Step::kPromoting;
  decision.assign = Assignment{next_epoch(seen), name, decision.current->from, Cause::kRestart, final_position(seen)};
  decision.reason = LogReason::kRestartingInPlace;
  decision.message = fmt::format("{}: {} starts again as primary", message, name);
  return decision;
}

}  // namespace

bool may_promote_others(const FailoverSeen& seen, const FailoverRules& rules, const std::string& old_primary) {
  if (rules.mode == Mode::kAutomatic) return true;
  return rules.mode == Mode::kManual && !rules.desired_primary.empty() && rules.desired_primary != old_primary &&
         rules.desired_primary != seen.desired_reached;
}

bool never_promoted(const FailoverSeen& seen, const LeaseRecord& lease) {
  return seen.assignment && seen.assignment->cause == Cause::kInitial && !lease.promoted;
}

Decision choose(const FailoverSeen& seen, const FailoverRules& rules, const LeaseRecord& lease, Cause cause) {
  if (!lease_tells(seen) || never_promoted(seen, lease) || last_primary_denies(seen))
    return recover(seen, rules, cause);
  if (auto decided = by_word(seen, cause)) return *decided;
  if (cause == Cause::kRestore) cause = Cause::kLeaseExpired;  // whoever is chosen restores nothing
  const std::string old_primary = last_primary(seen);
  Decision decision;
  decision.current = ongoing(seen, next_epoch(seen), Step::kElecting, old_primary, cause);
  if (lease.held()) decision.route_to = "";
  if (!may_promote_others(seen, rules, old_primary)) {
    if (rules.mode == Mode::kDryRun && settled(seen, old_primary)) {
      const ElectionResult would = elect(frozen_election(seen, rules, old_primary));
      const auto* elected = std::get_if<Elected>(&would);
      return restart(seen, rules, decision, LogReason::kDryRun,
                     elected ? fmt::format("mode is DryRun: {} would have been promoted", elected->name)
                             : "mode is DryRun: nobody would have been promoted");
    }
    return restart(seen, rules, decision, LogReason::kManualMode,
                   rules.mode == Mode::kRestartOnly ? "no FailoverPolicy allows another primary"
                                                    : "mode is Manual: set desiredPrimary to promote a replica");
  }
  if (!settled(seen, old_primary)) {
    decision.reason = LogReason::kStoppingReceivers;
    decision.message = "replicas stop receiving, so that none advances after they are compared";
    return decision;
  }
  ElectionInput input = frozen_election(seen, rules, old_primary);
  input.excluded = decision.current->excluded;
  if (rules.mode == Mode::kManual) input.prefer = {rules.desired_primary};
  const ElectionResult result = elect(input);
  if (const auto* refused = std::get_if<Refused>(&result)) {
    decision.current->excluded.clear();  // whoever failed may be tried again
    return restart(seen, rules, decision, refused->reason, refused->message);
  }
  const Elected& elected = std::get<Elected>(result);
  decision.current->to = elected.name;
  decision.current->step = Step::kPromoting;
  decision.current->lost_bytes = elected.lost_bytes;
  decision.assign =
      Assignment{next_epoch(seen), elected.name, old_primary, decision.current->cause, final_position(seen)};
  decision.reason = LogReason::kPromoting;
  decision.message = fmt::format("{} has the most log and takes over from {}", elected.name, old_primary);
  return decision;
}

}  // namespace twinspan
