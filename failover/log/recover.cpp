#include "failover/log/recover.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "failover/log/sight.hpp"

namespace twinspan {
namespace {

enum class Heard {
  kNot,
  kEmpty,
  kUnknown,  // data of which nobody remembers whose they are
  kData,
};

Heard heard(const FailoverSeen& seen, const MemberSeen& one) {
  // A lease whose epoch was edited looks like one that nobody ever held: whoever remembers an epoch knows better.
  const bool surely_empty = one.surely_empty && known_epoch(seen) == Epoch{0};
  if (!one.fresh || !one.report) return surely_empty ? Heard::kEmpty : Heard::kNot;
  const MemberReport& report = *one.report;
  if (!report.memory) return surely_empty && report.system_id.empty() ? Heard::kEmpty : Heard::kUnknown;
  if (report.system_id.empty()) return Heard::kEmpty;
  return report.memory->data_epoch ? Heard::kData : Heard::kUnknown;
}

std::string joined(const std::vector<std::string>& names) { return fmt::format("{}", fmt::join(names, ", ")); }

struct Histories {
  std::vector<std::string> silent, unknown;
  std::vector<const MemberSeen*> newest;     // of those with data: the highest epoch, and whoever has the same log
  std::vector<const MemberSeen*> primaries;  // of `newest`: where that epoch was written
  Epoch epoch;                               // the highest of `newest`
  size_t empty = 0;
};

Histories histories(const FailoverSeen& seen) {
  Histories all;
  for (const MemberSeen& one : seen.members) {
    const Heard what = heard(seen, one);
    if (what == Heard::kNot) all.silent.push_back(one.name);
    if (what == Heard::kUnknown) all.unknown.push_back(one.name);
    if (what == Heard::kEmpty) ++all.empty;
    if (what == Heard::kData) all.epoch = std::max(all.epoch, *one.report->memory->data_epoch);
  }
  std::set<Epoch> logs;
  for (const MemberSeen& one : seen.members)
    if (heard(seen, one) == Heard::kData && one.report->memory->data_epoch == all.epoch)
      logs.insert(log_of(*one.report->memory));
  for (const MemberSeen& one : seen.members) {
    if (heard(seen, one) != Heard::kData || !logs.contains(log_of(*one.report->memory))) continue;
    const bool newest_epoch = one.report->memory->data_epoch == all.epoch;
    all.newest.push_back(&one);
    if (newest_epoch && one.report->memory->part == DataPart::kPrimary && all.epoch > Epoch{0})
      all.primaries.push_back(&one);
  }
  return all;
}

// Why the newest data contradict each other; empty: they don't.
std::string contradiction(const Histories& all) {
  std::set<std::string> systems;
  std::vector<std::string> names;
  for (const MemberSeen* one : all.newest) {
    systems.insert(one->report->system_id);
    names.push_back(fmt::format("{} (database system {})", one->name, one->report->system_id));
  }
  if (systems.size() > 1) return fmt::format("{} are not the same database", joined(names));
  if (all.primaries.size() < 2) return "";
  names.clear();
  for (const MemberSeen* one : all.primaries) names.push_back(one->name);
  return fmt::format("{} were each primary of epoch {}", joined(names), all.epoch.value);
}

Candidate candidate(const FailoverSeen& seen, const MemberSeen& one) {
  if (heard(seen, one) != Heard::kData) return {one.name, std::nullopt};
  if (!one.report->database_running) return {one.name, standing(*one.report)};
  return {one.name, frozen(seen, one) ? one.report : std::nullopt};
}

Decision undecided(const FailoverSeen& seen, const FailoverRules& rules, LogReason reason, const std::string& message) {
  Decision decision = hold(seen, reason, message + deciding_words(seen));
  decision.needs_person = seen.lease_unchanged_for >= rules.promotion_timeout;
  return decision;
}

// As far as lease, assignment and everybody's memory say, nobody was ever primary.
bool is_first(const FailoverSeen& seen) {
  if (seen.lease->promoted || known_epoch(seen) > seen.lease->epoch) return false;
  return seen.assignment ? seen.assignment->cause == Cause::kInitial : seen.lease->epoch == Epoch{0};
}

Decision first_primary(const FailoverSeen& seen, const FailoverRules& rules) {
  if (!is_first(seen)) {
    Decision decision =
        hold(seen, LogReason::kDataMissing,
             "this link had a primary, and no endpoint has data any more: an empty database must not take its place. "
             "Restore a volume, or delete the link and apply it again to begin from nothing");
    decision.needs_person = seen.lease_unchanged_for >= rules.promotion_timeout;
    return decision;
  }
  const MemberSeen* source = member(seen, seen.source);
  if (!source || !source->fresh || !source->report)
    return hold(seen, LogReason::kWaitingForSource,
                fmt::format("{} becomes the first primary once it answers", seen.source));
  Decision decision;
  decision.assign =
      Assignment{next_epoch(seen), seen.source, "", Cause::kInitial, std::nullopt, source->report->instance};
  decision.reason = LogReason::kInitial;
  decision.message = fmt::format("{} becomes the first primary", seen.source);
  return decision;
}

Decision promote(const FailoverSeen& seen, const std::string& name, Cause cause, LogReason reason,
                 std::string message) {
  const std::string previous = cause == Cause::kRestart ? name : last_primary(seen);
  Decision decision;
  decision.current = ongoing(seen, next_epoch(seen), Step::kPromoting, previous, cause);
  decision.current->to = name;
  if (seen.lease->held() || seen.routed_to != name) decision.route_to = "";
  decision.assign = Assignment{next_epoch(seen), name, previous, cause, final_position(seen)};
  decision.reason = reason;
  decision.message = std::move(message);
  return decision;
}

// Whoever was primary of the newest epoch has lost its data: the best of the others, if nothing can be lost by it.
Decision elect_newest(const FailoverSeen& seen, const FailoverRules& rules, const Histories& all, Cause cause) {
  if (rules.mode != Mode::kAutomatic)
    return undecided(seen, rules, LogReason::kManualMode,
                     fmt::format("whoever was primary last has lost its data, and {} another primary",
                                 rules.mode == Mode::kRestartOnly ? "no FailoverPolicy allows" : "the mode forbids"));
  if (!settled(seen, "")) {
    Decision decision = hold(seen, LogReason::kStoppingReceivers,
                             "replicas stop receiving, so that none advances after they are compared");
    decision.current = ongoing(seen, next_epoch(seen), Step::kElecting, last_primary(seen), cause);
    return decision;
  }
  for (const MemberSeen* one : all.newest)
    if (!one->report->received)
      return undecided(seen, rules, LogReason::kHistoryUnknown,
                       fmt::format("{} has yet to say how far its data go", one->name));
  ElectionInput input = election(seen, rules, "");
  input.primary_among_them = true;
  input.final_position.reset();
  input.unpromoted = {};
  if (seen.lease->epoch < all.epoch) input.epochs.clear();  // it tells of data that came before these
  input.epoch = all.epoch;
  for (Candidate& one : input.replicas) one = candidate(seen, *member(seen, one.name));
  const ElectionResult result = elect(input);
  if (const auto* refused = std::get_if<Refused>(&result))
    return undecided(seen, rules, refused->reason, refused->message);
  const Elected& elected = std::get<Elected>(result);
  Decision decision = promote(
      seen, elected.name, cause, LogReason::kPromoting,
      fmt::format("the data of epoch {} are the newest, and {} has the most of them", all.epoch.value, elected.name));
  decision.current->lost_bytes = elected.lost_bytes;
  return decision;
}

}  // namespace

Decision recover(const FailoverSeen& seen, const FailoverRules& rules, Cause cause) {
  // Whoever was to begin, to take over or to start again did not: what is chosen now is none of these.
  if (cause == Cause::kInitial || is_planned(cause) || cause == Cause::kRestart) cause = Cause::kLeaseExpired;
  if (auto decided = by_word(seen, cause)) return *decided;
  const Histories all = histories(seen);
  if (!all.silent.empty())
    return undecided(
        seen, rules, LogReason::kHistoryUnknown,
        fmt::format("the lease does not tell who was primary last, and {} {} not heard yet: it may have the "
                    "newest data",
                    joined(all.silent), all.silent.size() == 1 ? "is" : "are"));
  if (!all.unknown.empty())
    return undecided(
        seen, rules, LogReason::kHistoryUnknown,
        fmt::format("the lease does not tell who was primary last, and {} {} not remember whose data it has",
                    joined(all.unknown), all.unknown.size() == 1 ? "does" : "do"));
  if (all.newest.empty()) return first_primary(seen, rules);
  if (const std::string contradicts = contradiction(all); !contradicts.empty())
    return undecided(seen, rules, LogReason::kHistoriesDiffer,
                     fmt::format("the newest data contradict each other: {}. Nothing is overwritten", contradicts));
  // The first primary wrote its data and never came to let anybody in: it tries again.
  if (is_first(seen) && all.newest.size() == 1 && all.newest.front()->name == seen.source)
    return first_primary(seen, rules);
  const bool newest_of_all = all.epoch >= known_epoch(seen) || all.empty == 0;
  if (all.primaries.size() == 1 && newest_of_all) {
    const std::string& name = all.primaries.front()->name;
    if (!can_restart(seen, name))
      return undecided(seen, rules, LogReason::kRestartFailed,
                       fmt::format("{} was primary last, in epoch {}, and can't start: {}", name, all.epoch.value,
                                   all.primaries.front()->report->message));
    return promote(seen, name, Cause::kRestart, LogReason::kRestartingInPlace,
                   fmt::format("{} was primary last, in epoch {}: it starts again as primary", name, all.epoch.value));
  }
  return elect_newest(seen, rules, all, cause);
}

}  // namespace twinspan
