#include "failover/flow/decide.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "failover/names.hpp"

namespace twinspan {
namespace {

constexpr Names<FlowStep, 4> kSteps{{{FlowStep::kWithdrawing, "Withdrawing"},
                                     {FlowStep::kDraining, "Draining"},
                                     {FlowStep::kStopping, "Stopping"},
                                     {FlowStep::kRerouting, "Rerouting"}}};

// After a switchover that had to be given up, clients have peace for so long before they are withdrawn again.
constexpr std::chrono::milliseconds kPeace{60000};

class Decider {
 public:
  Decider(const FlowSeen& seen, const FlowRules& rules) : seen_(seen), rules_(rules) {}

  FlowDecision decide() const {
    if (seen_.paused) return hold(FlowReason::kPaused, "spec.paused is true: nothing moves");
    if (auto beginning = decide_beginning(seen_)) return std::move(*beginning);
    if (!place(primary()))
      return hold(FlowReason::kPrimaryNotInLink,
                  fmt::format("{} is primary, and the link has no such endpoint any more: nothing moves", primary()));
    if (const auto current = under_way()) return go_on(*current);
    return steady();
  }

 private:
  const std::string& primary() const { return seen_.assignment->primary; }
  Epoch epoch() const { return seen_.assignment->epoch; }

  const PlaceSeen* place(const std::string& name) const {
    const auto found =
        std::find_if(seen_.places.begin(), seen_.places.end(), [&](const PlaceSeen& one) { return one.name == name; });
    return found == seen_.places.end() ? nullptr : &*found;
  }

  FlowDecision hold(FlowReason reason, std::string message) const {
    FlowDecision decision;
    decision.current = seen_.current;
    decision.reason = reason;
    decision.message = std::move(message);
    return decision;
  }

  // One whose epoch is behind the assignment's was overtaken by another operator.
  std::optional<FlowMove> under_way() const {
    if (!seen_.current || epoch() > seen_.current->epoch) return std::nullopt;
    if (!place(seen_.current->from) || !place(seen_.current->to)) return std::nullopt;
    return seen_.current;
  }

  bool down(const PlaceSeen& one) const {
    return one.reach == Reach::kUnreachable && one.reach_for >= rules_.unreachable &&
           one.failures >= rules_.consecutive_failures;
  }

  // No worker carries anything by an older assignment than that of `epoch`.
  bool adopted(Epoch epoch) const {
    return std::all_of(seen_.workers.begin(), seen_.workers.end(), [&](const WorkerSeen& worker) {
      return worker.expired || (worker.fresh && worker.adopted && *worker.adopted >= epoch);
    });
  }

  std::string not_adopted(Epoch epoch) const {
    std::string names;
    for (const WorkerSeen& worker : seen_.workers)
      if (!worker.expired && !(worker.fresh && worker.adopted && *worker.adopted >= epoch))
        names += (names.empty() ? "" : ", ") + worker.name;
    return names;
  }

  bool routed(const std::string& to) const {
    return !seen_.routes || (seen_.routing == Routing::kTo && seen_.routed_to == to);
  }
  bool withdrawn() const { return !seen_.routes || seen_.routing == Routing::kWithdrawn; }

  std::variant<PlaceElected, PlaceRefused> elected(bool only_wish) const {
    PlaceElection input;
    for (const PlaceSeen& one : seen_.places)
      if (one.name != primary()) input.candidates.push_back(one);
    input.words = seen_.words;
    input.max_missing = rules_.max_missing;
    // A person who names the candidate while the primary is down has read what it lacks.
    if (only_wish) input.max_missing.reset();
    input.wish = wish();
    input.only_wish = only_wish;
    input.prefer = rules_.prefer;
    return elect(input);
  }

  // What a person asks for and was not reached yet; empty: nothing.
  std::string wish() const {
    if (rules_.mode == Mode::kDryRun || rules_.desired_primary == primary()) return "";
    return rules_.desired_primary == seen_.desired_reached ? "" : rules_.desired_primary;
  }

  FlowDecision fail_over(const PlaceElected& to, Epoch epoch, Cause cause, const std::string& why) const {
    FlowDecision decision;
    decision.current = FlowMove{FlowStep::kStopping, epoch, primary(), to.name, cause, to.missing, to.listed_at};
    decision.assign = Assignment{epoch, to.name, primary(), cause};
    decision.route_to = "";
    decision.reason = cause == Cause::kPrimaryFailing ? FlowReason::kPrimaryFailing : FlowReason::kPrimaryUnreachable;
    decision.message =
        fmt::format("{}; {}", why, missing_for_people(seen_.words, to.missing, to.listed_at, primary(), to.name));
    return decision;
  }

  // Without any number that grows: it is written into the status, and not every second anew.
  std::string silence(const PlaceSeen& one) const {
    return fmt::format("{} has not answered since {}: {}", one.name, one.since, one.message);
  }

  FlowDecision steady() const {
    FlowDecision decision;
    const PlaceSeen& here = *place(primary());
    // Where clients are is put right before anything else, but not while the old direction may still run.
    if (!routed(primary()) || !seen_.routes) {
      if (seen_.assignment->cause == Cause::kInitial || adopted(epoch()))
        decision.route_to = primary();
      else
        decision.message = fmt::format("waiting until {} has stopped what was before", not_adopted(epoch()));
    }
    // A person who names another while the primary refuses everybody means it.
    if (down(here) || (here.reach == Reach::kRefused && !wish().empty()))
      return primary_down(std::move(decision), here);
    if (here.reach != Reach::kReachable) {
      decision.reason = here.reach == Reach::kRefused       ? FlowReason::kPrimaryRefuses
                        : here.reach == Reach::kUnreachable ? FlowReason::kPrimarySilent
                                                            : FlowReason::kWorkerNotHeard;
      decision.message =
          here.reach == Reach::kRefused
              ? fmt::format("{} answers and refuses, which no failover is made for: {}", here.name, here.message)
          : here.reach == Reach::kUnreachable ? silence(here)
                                              : "no worker says whether the primary answers: nothing is "
                                                "concluded from that";
      return decision;
    }
    if (const auto to = wanted_elsewhere()) {
      if (const auto refusal = switchover_refusal(*place(*to))) {
        foresee(decision);
        decision.reason = FlowReason::kSwitchoverRefused;
        decision.message = *refusal;
        return decision;
      }
      const PlaceSeen& there = *place(*to);
      decision.current = FlowMove{FlowStep::kWithdrawing, epoch().next().next(), primary(),      *to,
                                  Cause::kSwitchover,     there.missing,         there.listed_at};
      decision.route_to = "";
      decision.reason = FlowReason::kSwitchover;
      decision.message = fmt::format("clients are withdrawn from {}, then {} takes over", primary(), *to);
      return decision;
    }
    foresee(decision);
    return decision;
  }

  FlowDecision primary_down(FlowDecision decision, const PlaceSeen& here) const {
    const bool wished = !wish().empty() && (rules_.mode == Mode::kManual || !down(here));
    const auto result = elected(wished);
    const auto* refused = std::get_if<PlaceRefused>(&result);
    const std::string why = down(here) ? silence(here) : fmt::format("{} refuses: {}", here.name, here.message);
    decision.possible = !refused;
    if (refused) {
      decision.reason = refused->reason;
      decision.message = fmt::format("{}. No failover: {}", why, refused->message);
      return decision;
    }
    const PlaceElected& to = std::get<PlaceElected>(result);
    if (rules_.mode == Mode::kAutomatic || wished)
      return fail_over(to, epoch().next(), down(here) ? Cause::kPrimaryUnreachable : Cause::kPrimaryFailing, why);
    decision.reason = rules_.mode == Mode::kDryRun ? FlowReason::kDryRun : FlowReason::kManualMode;
    decision.message =
        fmt::format("{}. {}; {}", why,
                    rules_.mode == Mode::kDryRun ? fmt::format("mode is DryRun: {} would have taken over", to.name)
                                                 : fmt::format("mode is Manual: set desiredPrimary to {}", to.name),
                    missing_for_people(seen_.words, to.missing, to.listed_at, primary(), to.name));
    return decision;
  }

  void foresee(FlowDecision& decision) const {
    const auto result = elected(false);
    if (const auto* refused = std::get_if<PlaceRefused>(&result)) {
      decision.possible = refused->reason == FlowReason::kCandidateUnknown ? std::nullopt : std::optional(false);
      decision.reason = refused->reason;
      decision.message = refused->message;
      return;
    }
    const PlaceElected& to = std::get<PlaceElected>(result);
    decision.possible = true;
    decision.reason = FlowReason::kCandidateReady;
    decision.message = fmt::format("{} would take over; {}", to.name,
                                   missing_for_people(seen_.words, to.missing, to.listed_at, primary(), to.name));
  }

  std::optional<std::string> wanted_elsewhere() const {
    if (const std::string name = wish(); !name.empty() && place(name)) return name;
    if (rules_.mode != Mode::kAutomatic || rules_.failback != FailbackMode::kAutomatic) return std::nullopt;
    const std::string& home = rules_.desired_primary.empty() ? seen_.source : rules_.desired_primary;
    const PlaceSeen* there = place(home);
    if (!there || home == primary() || there->reach != Reach::kReachable || !there->caught_up) return std::nullopt;
    if (std::min(seen_.stable_for, there->reach_for) < rules_.failback_stable) return std::nullopt;
    return home;
  }

  std::optional<std::string> switchover_refusal(const PlaceSeen& to) const {
    PlaceElection input;
    input.words = seen_.words;
    input.candidates = {to};
    const auto result = elect(input);
    if (const auto* refused = std::get_if<PlaceRefused>(&result)) return refused->message;
    if (!to.missing) return fmt::format("how far {} is behind is not known", to.name);
    if (to.sync_took >= rules_.promotion_timeout)
      return fmt::format(
          "the last full sync to {} took {} s, and clients would be without a {} for as long: "
          "promotion.timeoutSeconds allows {}",
          to.name, to.sync_took.count() / 1000, seen_.words.place, rules_.promotion_timeout.count() / 1000);
    if (seen_.cancelled_for && *seen_.cancelled_for < kPeace)
      return fmt::format("the last one was cancelled; it is tried again {} s after that", kPeace.count() / 1000);
    return std::nullopt;
  }

  FlowDecision go_on(const FlowMove& current) const {
    switch (current.step) {
      case FlowStep::kWithdrawing:
      case FlowStep::kDraining: return drain(current);
      case FlowStep::kStopping: return stop(current);
      case FlowStep::kRerouting: break;
    }
    return reroute(current);
  }

  FlowDecision drain(const FlowMove& current) const {
    FlowDecision decision;
    decision.current = current;
    if (const PlaceSeen& from = *place(current.from); down(from) && rules_.mode == Mode::kAutomatic) {
      const auto result = elected(false);
      if (const auto* to = std::get_if<PlaceElected>(&result))
        return fail_over(*to, current.epoch, Cause::kPrimaryUnreachable, silence(from));
    }
    if (seen_.step_for >= rules_.promotion_timeout) {
      decision.current->step = FlowStep::kRerouting;
      decision.current->to = current.from;
      decision.route_to = current.from;
      decision.reason = FlowReason::kSwitchoverCancelled;
      decision.message = fmt::format("{} did not catch up within {} s: clients go back to {}", current.to,
                                     rules_.promotion_timeout.count() / 1000, current.from);
      return decision;
    }
    decision.route_to = "";
    if (!withdrawn()) {
      decision.reason = FlowReason::kWithdrawing;
      decision.message = fmt::format("clients are withdrawn from {}", current.from);
      return decision;
    }
    const Epoch draining{current.epoch.value - 1};
    decision.current->step = FlowStep::kDraining;
    if (epoch() < draining) decision.assign = Assignment{draining, current.from, current.from, Cause::kSwitchover};
    decision.reason = FlowReason::kDraining;
    decision.message = fmt::format("a full sync to {} looks for what is left", current.to);
    if (decision.assign || !adopted(draining) || !place(current.to)->caught_up) return decision;
    decision.current->step = FlowStep::kStopping;
    decision.current->missing = 0;
    decision.assign = Assignment{current.epoch, current.to, current.from, Cause::kSwitchover};
    decision.reason = FlowReason::kStopping;
    decision.message = fmt::format("{} has everything; the old direction ends", current.to);
    return decision;
  }

  FlowDecision stop(const FlowMove& current) const {
    FlowDecision decision;
    decision.current = current;
    decision.route_to = "";
    const PlaceSeen& to = *place(current.to);
    // The candidate has died as well, and the old primary is back: nothing was sent to the candidate yet.
    if (down(to) && place(current.from)->reach == Reach::kReachable && current.to != current.from) {
      decision.current->epoch = current.epoch.next();
      decision.current->to = current.from;
      decision.assign = Assignment{decision.current->epoch, current.from, current.to, current.cause};
      decision.reason = FlowReason::kCandidateFailed;
      decision.message = fmt::format("{}; {} answers and stays primary", silence(to), current.from);
      return decision;
    }
    if (epoch() < current.epoch) decision.assign = Assignment{current.epoch, current.to, current.from, current.cause};
    decision.reason = FlowReason::kStopping;
    decision.message = fmt::format("waiting until {} has stopped carrying from {} to {}", not_adopted(current.epoch),
                                   current.from, current.to);
    if (decision.assign || !adopted(current.epoch)) return decision;
    decision.current->step = FlowStep::kRerouting;
    decision.route_to = current.to;
    decision.reason = FlowReason::kRerouting;
    decision.message = fmt::format("clients move to {}", current.to);
    return decision;
  }

  FlowDecision reroute(const FlowMove& current) const {
    FlowDecision decision;
    if (!routed(current.to)) {
      // Clients that can't all be led there are no reason to leave them with a bucket that is dead.
      if (const PlaceSeen& to = *place(current.to);
          current.to == primary() && down(to) && rules_.mode == Mode::kAutomatic) {
        const auto result = elected(false);
        if (const auto* next = std::get_if<PlaceElected>(&result))
          return fail_over(*next, epoch().next(), Cause::kPrimaryUnreachable, silence(to));
      }
      decision.current = current;
      decision.route_to = current.to;
      decision.reason = FlowReason::kRerouting;
      decision.message = fmt::format("clients move to {}", current.to);
      return decision;
    }
    const bool arrived = current.to != current.from;
    decision.ended = arrived ? Ending::kCompleted : Ending::kCancelled;
    decision.reason = arrived ? FlowReason::kCompleted : FlowReason::kCancelled;
    decision.message = fmt::format("{} {} primary", current.to, arrived ? "is" : "stays");
    if (current.cause != Cause::kSwitchover && arrived)
      decision.message +=
          "; " + missing_for_people(seen_.words, current.missing, current.listed_at, current.from, current.to);
    return decision;
  }

  const FlowSeen& seen_;
  const FlowRules& rules_;
};

}  // namespace

FlowDecision decide(const FlowSeen& seen, const FlowRules& rules) { return Decider(seen, rules).decide(); }

std::optional<FlowDecision> decide_beginning(const FlowSeen& seen) {
  const auto& past = seen.past;
  const Epoch assigned = seen.assignment ? seen.assignment->epoch : Epoch{};
  // An epoch that a change under way leads to is no surprise.
  const bool ours = past && seen.current && past->epoch <= seen.current->epoch;
  const bool contradicts = seen.assignment && past && past->epoch == assigned &&
                           (past->primary != seen.assignment->primary || past->undecided());
  if (seen.assignment && (!past || ours || past->epoch < assigned || (past->epoch == assigned && !contradicts)))
    return std::nullopt;
  FlowDecision decision;
  const Epoch next = std::max(assigned, past ? past->epoch : Epoch{}).next();
  const auto assign = [&](Epoch epoch, const std::string& primary, const std::string& previous, Cause cause) {
    decision.assign = Assignment{epoch, primary, previous, cause};
  };
  const bool in_link = seen.promote && std::any_of(seen.places.begin(), seen.places.end(), [&](const PlaceSeen& one) {
                         return one.name == seen.promote->endpoint;
                       });
  const bool settled = past && past->known && !past->undecided() && !contradicts;
  if (past && !settled && in_link && seen.promote->epoch == next) {
    assign(next, seen.promote->endpoint, "", Cause::kSwitchover);
    decision.reason = FlowReason::kPromoted;
    decision.message =
        fmt::format("{} is primary in epoch {} by the word of a person", seen.promote->endpoint, next.value);
  } else if (!past) {
    decision.current = seen.current;
    decision.reason = FlowReason::kRecordsUnread;
    decision.message = fmt::format("no worker has read yet what the {} say of who was primary last", seen.words.places);
  } else if (!settled) {
    decision.current = seen.current;
    decision.reason = past->undecided() ? past->reason
                      : contradicts     ? FlowReason::kRecordsContradict
                                        : FlowReason::kRecordsUnread;
    decision.message = past->message;
    if (decision.message.empty())
      decision.message = fmt::format(
          "{} is primary in epoch {}, and the {}' own records say {}: the link's condition "
          "Stalled names the command that decides",
          seen.assignment->primary, assigned.value, seen.words.places, past->primary);
  } else if (past->epoch.value == 0) {
    assign(Epoch{1}, seen.source, "", Cause::kInitial);
    decision.reason = FlowReason::kInitial;
    decision.message = fmt::format("{} is the first primary", seen.source);
  } else {
    // The same once more is a question: has a full sync that begins now found nothing left?
    assign(next, past->primary, past->primary, Cause::kRestart);
    decision.reason = FlowReason::kPrimaryRemembered;
    decision.message = fmt::format("{} was primary last, in epoch {}, as the {}' own records say, and is primary again",
                                   past->primary, past->epoch.value, seen.words.places);
  }
  return decision;
}

std::string_view to_string(FlowStep step) { return name_of(kSteps, step); }

std::optional<FlowStep> parse_flow_step(std::string_view text) { return value_of(kSteps, text); }

}  // namespace twinspan
