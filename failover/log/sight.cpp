#include "failover/log/sight.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

namespace twinspan {
namespace {

// A member that can't stop its receiver must not block the others.
constexpr std::chrono::milliseconds kReceiverGrace{1000};

// Everybody who might still answer has frozen its position.
bool all_frozen(const FailoverSeen& seen, const std::string& old_primary) {
  return std::all_of(seen.members.begin(), seen.members.end(), [&](const MemberSeen& one) {
    if (one.name == old_primary || !one.report || (one.failures > 0 && !one.fresh)) return true;
    return frozen(seen, one) || (one.fresh && !one.report->database_running);
  });
}

// An operator that has just begun knows nothing of such a member yet, which is no reason to pass it over.
bool all_asked(const FailoverSeen& seen, const std::string& old_primary) {
  return std::none_of(seen.members.begin(), seen.members.end(), [&](const MemberSeen& one) {
    return one.name != old_primary && !one.report && one.failures == 0 && one.silent_for < kReceiverGrace;
  });
}

// Of those that are heard, who has most, and has not just failed to promote: what a command in a message proposes.
std::string furthest(const FailoverSeen& seen) {
  const MemberSeen* best = nullptr;
  const auto failed = [&](const std::string& name) {
    const bool stuck = !seen.lease->promoted && seen.lease->epoch > Epoch{0} && name == last_holder(*seen.lease);
    return stuck ||
           (seen.current && std::count(seen.current->excluded.begin(), seen.current->excluded.end(), name) > 0);
  };
  const auto epoch_of_log = [&](const MemberReport& report) {
    Epoch epoch;
    for (const MemberSeen& one : seen.members)
      if (report.memory && one.fresh && one.report && one.report->memory &&
          log_of(*one.report->memory) == log_of(*report.memory))
        epoch = std::max(epoch, one.report->memory->data_epoch.value_or(Epoch{0}));
    return epoch;
  };
  const auto order = [&](const MemberReport& report) {
    return std::make_tuple(!failed(report.endpoint), epoch_of_log(report), report.timeline.value_or(0),
                           report.received.value_or(Position{}));
  };
  for (const MemberSeen& one : seen.members)
    if (one.fresh && one.report && !one.report->system_id.empty() &&
        (!best || order(*one.report) > order(*best->report)))
      best = &one;
  return best ? best->name : "";
}

}  // namespace

const MemberSeen* member(const FailoverSeen& seen, const std::string& name) {
  const auto found =
      std::find_if(seen.members.begin(), seen.members.end(), [&](const MemberSeen& one) { return one.name == name; });
  return found == seen.members.end() ? nullptr : &*found;
}

Epoch known_epoch(const FailoverSeen& seen) {
  Epoch known;
  for (const MemberSeen& one : seen.members)
    if (one.report) known = std::max(known, remembered_epoch(*one.report));
  return known;
}

bool under_way(const FailoverSeen& seen) {
  return seen.assignment && seen.assignment->epoch > std::max(seen.lease->epoch, known_epoch(seen));
}

Epoch next_epoch(const FailoverSeen& seen) {
  return under_way(seen) ? seen.assignment->epoch : std::max(seen.lease->epoch, known_epoch(seen)).next();
}

Epoch offered_epoch(const FailoverSeen& seen) {
  const Epoch next = next_epoch(seen);
  return under_way(seen) && !seen.assignment->primary.empty() ? next.next() : next;
}

bool lease_tells(const FailoverSeen& seen) {
  const LeaseRecord& lease = *seen.lease;
  if (lease.epoch < known_epoch(seen)) return false;
  return lease.held() || (lease.epoch > Epoch{0} && lease.release && !lease.release->endpoint.empty());
}

std::string last_holder(const LeaseRecord& lease) {
  if (lease.held()) return lease.holder_endpoint;
  return lease.release ? lease.release->endpoint : "";
}

std::string last_primary(const FailoverSeen& seen) {
  const LeaseRecord& lease = *seen.lease;
  // A position where its log ended is only known of a primary.
  const bool wrote = lease.promoted || (lease.release && lease.release->final_position);
  if (wrote && !last_holder(lease).empty()) return last_holder(lease);
  if (seen.assignment && !seen.assignment->previous.empty()) return seen.assignment->previous;
  return last_holder(lease);
}

bool promotion_known(const FailoverSeen& seen) {
  const LeaseRecord& lease = *seen.lease;
  if (lease.epoch == Epoch{0}) return false;
  return std::any_of(seen.members.begin(), seen.members.end(), [&](const MemberSeen& one) {
    if (!one.report) return false;
    const MemberReport& report = *one.report;
    // Nobody's data become those of an epoch, but its primary's own, before the lease said that it accepts writes.
    if (report.memory && report.memory->data_epoch == lease.epoch && report.memory->part != DataPart::kPrimary)
      return true;
    return report.holds_lease && report.epoch == lease.epoch && report.role == Role::kPrimary &&
           report.state == MemberState::kRunning;
  });
}

bool last_primary_denies(const FailoverSeen& seen) {
  const MemberSeen* one = member(seen, last_primary(seen));
  if (!one || !one->report || !one->report->memory) return false;
  const MemberMemory& memory = *one->report->memory;
  return memory.data_epoch.value_or(Epoch{0}) > Epoch{0} && memory.part != DataPart::kPrimary;
}

std::optional<Position> final_position(const FailoverSeen& seen) {
  return seen.lease && seen.lease->release ? seen.lease->release->final_position : std::nullopt;
}

bool frozen(const FailoverSeen& seen, const MemberSeen& one) {
  return one.fresh && one.report && one.report->frozen_for > seen.lease->epoch;
}

bool settled(const FailoverSeen& seen, const std::string& old_primary) {
  return all_asked(seen, old_primary) && (all_frozen(seen, old_primary) || seen.step_for >= kReceiverGrace);
}

bool known_empty(const FailoverSeen& seen, const std::string& name) {
  const MemberSeen* one = member(seen, name);
  return one && one->fresh && one->report && one->report->system_id.empty();
}

bool can_restart(const FailoverSeen& seen, const std::string& name) {
  const MemberSeen* one = member(seen, name);
  return one && one->fresh && one->report && !one->report->system_id.empty() &&
         one->report->state != MemberState::kFailed;
}

std::string restartable(const FailoverSeen& seen) {
  const std::vector<std::string> excluded = seen.current ? seen.current->excluded : std::vector<std::string>();
  for (const std::string& name : {last_holder(*seen.lease), last_primary(seen)})
    if (can_restart(seen, name) && std::find(excluded.begin(), excluded.end(), name) == excluded.end()) return name;
  return "";
}

std::string words_of(const FailoverSeen& seen, const std::string& name) {
  const MemberSeen* one = member(seen, name);
  if (!one || !one->fresh || !one->report) return "it does not answer";
  const MemberReport& report = *one->report;
  std::string words = fmt::format("it is {}", to_string(report.state));
  if (report.received && report.replayed && *report.received > *report.replayed)
    words += fmt::format(", {} bytes of log are yet to be replayed", report.received->value - report.replayed->value);
  if (!report.message.empty()) words += ": " + report.message;
  return words;
}

MemberReport standing(MemberReport report) {
  report.role = Role::kReplica;
  report.database_running = true;
  return report;
}

namespace {

// Whose writes the old primary's data were, where it never came to write that into the lease: by the last that was
// heard of it, and by what it was told to do in that epoch.
EpochHistory said_of(const FailoverSeen& seen, const std::string& old_primary, const LeaseRecord& lease) {
  if (old_primary.empty() || old_primary != last_holder(lease)) return {};
  const MemberSeen* one = member(seen, old_primary);
  const bool wrote = one && one->report && one->report->memory && one->report->memory->part == DataPart::kPrimary;
  const Epoch of = wrote ? one->report->memory->data_epoch.value_or(Epoch{0}) : Epoch{0};
  const bool restored = lease.promoted && seen.assignment && seen.assignment->epoch == lease.epoch &&
                        seen.assignment->primary == old_primary && seen.assignment->cause == Cause::kRestore;
  if (restored && of != lease.epoch) return {{lease.epoch, Position{}}};
  // A primary that starts again goes on with the same log.
  return of > Epoch{0} && of <= lease.epoch ? one->report->memory->epochs : EpochHistory();
}

// Whose writes the latest data are that anybody told of, however long ago. What was written down for a promotion that
// nobody saw makes no data later.
EpochHistory latest_told(const FailoverSeen& seen, Epoch unpromoted) {
  EpochHistory latest;
  Epoch of;
  for (const MemberSeen& one : seen.members) {
    if (!one.report || !one.report->memory || one.report->memory->epochs.empty()) continue;
    const MemberMemory& memory = *one.report->memory;
    Epoch epoch = memory.data_epoch.value_or(Epoch{0});
    if (unpromoted > Epoch{0} && epoch >= unpromoted) {
      epoch = {};
      for (const EpochStart& wrote : memory.epochs)
        if (wrote.epoch < unpromoted) epoch = wrote.epoch;
    }
    if (epoch <= of) continue;
    of = epoch;
    latest = memory.epochs;
  }
  return latest;
}

}  // namespace

ElectionInput election(const FailoverSeen& seen, const FailoverRules& rules, const std::string& old_primary) {
  ElectionInput input;
  input.durability = rules.durability;
  input.max_lag_bytes = rules.max_lag_bytes;
  input.prefer = rules.prefer;
  input.primary_last_known = seen.primary_last_known;
  input.primary_among_them = !member(seen, old_primary);
  if (seen.lease) {
    const LeaseRecord& lease = *seen.lease;
    input.epoch = lease.epoch;
    if (last_primary(seen) == last_holder(lease)) input.epochs = lease.epochs;
    if (input.epochs.empty()) input.epochs = said_of(seen, old_primary, lease);
    if (!lease.promoted && last_primary(seen) != last_holder(lease)) input.unpromoted = lease.epoch;
    if (lease.release && lease.release->endpoint == old_primary) input.final_position = lease.release->final_position;
  }
  input.latest = latest_told(seen, input.unpromoted);
  if (seen.current) input.excluded = seen.current->excluded;
  for (const MemberSeen& one : seen.members)
    if (one.name != old_primary) input.replicas.push_back({one.name, one.fresh ? one.report : std::nullopt});
  return input;
}

ElectionInput frozen_election(const FailoverSeen& seen, const FailoverRules& rules, const std::string& old_primary) {
  ElectionInput input = election(seen, rules, old_primary);
  for (Candidate& one : input.replicas) {
    if (!one.report || frozen(seen, *member(seen, one.name))) continue;
    // What a candidate had that never came to accept writes counts also while it does not run.
    const bool failed = input.unpromoted > Epoch{0} && one.name == last_holder(*seen.lease);
    if (failed && !one.report->database_running)
      one.report = standing(*one.report);
    else
      one.report.reset();
  }
  return input;
}

Transition ongoing(const FailoverSeen& seen, Epoch epoch, Step step, const std::string& from, Cause cause) {
  Transition begun{step, epoch, from, "", cause, {}, std::nullopt};
  if (!seen.current) return begun;
  Transition current = *seen.current;
  // Where somebody is chosen instead of the primary that was to go on with restored data, nothing is restored any more.
  if (current.cause == Cause::kRestore) current.cause = cause;
  if (current.epoch == epoch) {
    begun = current;
    begun.step = step;
    return begun;
  }
  // Whom it led to had the lease and let go of it without ever accepting writes: the same change goes on without it.
  const LeaseRecord& lease = *seen.lease;
  if (current.epoch != lease.epoch || lease.promoted || current.to.empty() || last_holder(lease) != current.to)
    return begun;
  begun = current;
  begun.step = step;
  begun.epoch = epoch;
  begun.to.clear();
  begun.lost_bytes.reset();
  begun.exclude(current.to);
  if (begun.excluded.size() >= seen.members.size()) begun.excluded.clear();
  return begun;
}

Decision hold(const FailoverSeen& seen, LogReason reason, std::string message) {
  Decision decision;
  decision.current = seen.current;
  decision.reason = reason;
  decision.message = std::move(message);
  return decision;
}

std::string deciding_words(const FailoverSeen& seen) {
  const PromoteWord word{furthest(seen), offered_epoch(seen)};
  if (word.endpoint.empty())
    return "; nobody answers who has data and could be promoted: the rows of the link's status.endpoints say why";
  std::string text =
      fmt::format("; to decide it, whatever is lost by that: {}", promote_command(seen.ns, seen.link, word));
  if (!seen.word) return seen.word_error.empty() ? text : text + " (" + seen.word_error + ")";
  const MemberSeen* named = member(seen, seen.word->endpoint);
  if (!named)
    text += fmt::format(" (the annotation says {}: the link has no such endpoint)", to_string(*seen.word));
  else if (seen.word->epoch != word.epoch)
    text += fmt::format(" (the annotation says {}, which is for another epoch)", to_string(*seen.word));
  else if (known_empty(seen, named->name))
    text += fmt::format(" (the annotation says {}, which has no data)", to_string(*seen.word));
  return text;
}

std::optional<Decision> by_word(const FailoverSeen& seen, Cause cause) {
  if (!seen.word || seen.word->epoch != offered_epoch(seen)) return std::nullopt;
  const MemberSeen* named = member(seen, seen.word->endpoint);
  if (!named) return std::nullopt;
  const LeaseRecord& lease = *seen.lease;
  // Nobody was ever primary: an empty one may begin.
  const bool first = seen.assignment && seen.assignment->cause == Cause::kInitial && !lease.promoted &&
                     known_epoch(seen) <= lease.epoch;
  if (known_empty(seen, named->name) && !first) return std::nullopt;
  if (cause == Cause::kInitial || is_planned(cause)) cause = Cause::kLeaseExpired;
  const std::string old_primary = last_primary(seen);
  Decision decision;
  decision.current = ongoing(seen, seen.word->epoch, Step::kPromoting, old_primary, cause);
  decision.current->to = named->name;
  decision.current->excluded.clear();
  decision.current->lost_bytes.reset();
  decision.assign =
      Assignment{seen.word->epoch, named->name,
                 old_primary,      known_empty(seen, named->name) ? Cause::kInitial : decision.current->cause,
                 kWhateverIsLost,  known_empty(seen, named->name) ? named->report->instance : ""};
  if (lease.held()) decision.route_to = "";
  decision.reason = LogReason::kPromotedByWord;
  decision.message = fmt::format("{} takes over in epoch {}, as the annotation {} says", named->name,
                                 seen.word->epoch.value, kPromoteAnnotation);
  return decision;
}

}  // namespace twinspan
