#include "failover/bucket_decide.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "failover/names.hpp"

namespace twinspan {
namespace {

constexpr Names<BucketStep, 4> kSteps{{{BucketStep::kWithdrawing, "Withdrawing"},
                                       {BucketStep::kDraining, "Draining"},
                                       {BucketStep::kStopping, "Stopping"},
                                       {BucketStep::kRerouting, "Rerouting"}}};

// After a switchover that had to be given up, clients have peace for so long before they are withdrawn again.
constexpr std::chrono::milliseconds kPeace{60000};

class Decider {
 public:
  Decider(const BucketFailoverSeen& seen, const BucketRules& rules) : seen_(seen), rules_(rules) {}

  BucketDecision decide() const {
    if (seen_.paused) return hold("Paused", "spec.paused is true: nothing moves");
    if (!seen_.assignment) {
      BucketDecision decision;
      decision.assign = Assignment{Epoch{1}, seen_.source, "", Cause::kInitial};
      decision.reason = "Initial";
      decision.message = fmt::format("{} is the first primary", seen_.source);
      return decision;
    }
    if (!bucket(primary()))
      return hold("PrimaryNotInLink",
                  fmt::format("{} is primary, and the link has no such endpoint any more: nothing moves", primary()));
    if (const auto current = under_way()) return go_on(*current);
    return steady();
  }

 private:
  const std::string& primary() const { return seen_.assignment->primary; }
  Epoch epoch() const { return seen_.assignment->epoch; }

  const BucketSeen* bucket(const std::string& name) const {
    const auto found = std::find_if(seen_.buckets.begin(), seen_.buckets.end(),
                                    [&](const BucketSeen& one) { return one.name == name; });
    return found == seen_.buckets.end() ? nullptr : &*found;
  }

  BucketDecision hold(std::string reason, std::string message) const {
    BucketDecision decision;
    decision.current = seen_.current;
    decision.reason = std::move(reason);
    decision.message = std::move(message);
    return decision;
  }

  // One whose epoch is behind the assignment's was overtaken by another operator.
  std::optional<BucketMove> under_way() const {
    if (!seen_.current || epoch() > seen_.current->epoch) return std::nullopt;
    if (!bucket(seen_.current->from) || !bucket(seen_.current->to)) return std::nullopt;
    return seen_.current;
  }

  bool down(const BucketSeen& one) const {
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

  std::variant<BucketElected, BucketRefused> elected(bool only_wish) const {
    BucketElection input;
    for (const BucketSeen& one : seen_.buckets)
      if (one.name != primary()) input.candidates.push_back(one);
    input.max_missing_keys = rules_.max_missing_keys;
    // A person who names the candidate while the primary is down has read what it lacks.
    if (only_wish) input.max_missing_keys.reset();
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

  BucketDecision fail_over(const BucketElected& to, Epoch epoch, Cause cause, const std::string& why) const {
    BucketDecision decision;
    decision.current =
        BucketMove{BucketStep::kStopping, epoch, primary(), to.name, cause, to.missing_keys, to.listed_at};
    decision.assign = Assignment{epoch, to.name, primary(), cause};
    decision.route_to = "";
    decision.reason = std::string(to_string(cause));
    decision.message =
        fmt::format("{}; {}", why, missing_for_people(to.missing_keys, to.listed_at, primary(), to.name));
    return decision;
  }

  // Without any number that grows: it is written into the status, and not every second anew.
  std::string silence(const BucketSeen& one) const {
    return fmt::format("{} has not answered since {}: {}", one.name, one.since, one.message);
  }

  BucketDecision steady() const {
    BucketDecision decision;
    const BucketSeen& here = *bucket(primary());
    // Where clients are is put right before anything else, but not while the old direction may still run.
    if (!routed(primary())) {
      if (seen_.assignment->cause == Cause::kInitial || adopted(epoch()))
        decision.route_to = primary();
      else
        decision.message = fmt::format("waiting until {} has stopped what was before", not_adopted(epoch()));
    }
    // A person who names another while the primary refuses everybody means it.
    if (down(here) || (here.reach == Reach::kRefused && !wish().empty()))
      return primary_down(std::move(decision), here);
    if (here.reach != Reach::kReachable) {
      decision.reason = here.reach == Reach::kRefused       ? "PrimaryRefuses"
                        : here.reach == Reach::kUnreachable ? "PrimarySilent"
                                                            : "WorkerNotHeard";
      decision.message =
          here.reach == Reach::kRefused
              ? fmt::format("{} answers and refuses, which no failover is made for: {}", here.name, here.message)
          : here.reach == Reach::kUnreachable ? silence(here)
                                              : "no worker says whether the primary answers: nothing is "
                                                "concluded from that";
      return decision;
    }
    if (const auto to = wanted_elsewhere()) {
      if (const auto refusal = switchover_refusal(*bucket(*to))) {
        foresee(decision);
        decision.reason = "SwitchoverRefused";
        decision.message = *refusal;
        return decision;
      }
      const BucketSeen& there = *bucket(*to);
      decision.current = BucketMove{BucketStep::kWithdrawing, epoch().next().next(), primary(),      *to,
                                    Cause::kSwitchover,       there.missing,         there.listed_at};
      decision.route_to = "";
      decision.reason = "Switchover";
      decision.message = fmt::format("clients are withdrawn from {}, then {} takes over", primary(), *to);
      return decision;
    }
    foresee(decision);
    return decision;
  }

  BucketDecision primary_down(BucketDecision decision, const BucketSeen& here) const {
    const bool wished = !wish().empty() && (rules_.mode == Mode::kManual || !down(here));
    const auto result = elected(wished);
    const auto* refused = std::get_if<BucketRefused>(&result);
    const std::string why = down(here) ? silence(here) : fmt::format("{} refuses: {}", here.name, here.message);
    decision.possible = !refused;
    if (refused) {
      decision.reason = refused->reason;
      decision.message = fmt::format("{}. No failover: {}", why, refused->message);
      return decision;
    }
    const BucketElected& to = std::get<BucketElected>(result);
    if (rules_.mode == Mode::kAutomatic || wished)
      return fail_over(to, epoch().next(), down(here) ? Cause::kPrimaryUnreachable : Cause::kPrimaryFailing, why);
    decision.reason = rules_.mode == Mode::kDryRun ? "DryRun" : "ManualMode";
    decision.message =
        fmt::format("{}. {}; {}", why,
                    rules_.mode == Mode::kDryRun ? fmt::format("mode is DryRun: {} would have taken over", to.name)
                                                 : fmt::format("mode is Manual: set desiredPrimary to {}", to.name),
                    missing_for_people(to.missing_keys, to.listed_at, primary(), to.name));
    return decision;
  }

  void foresee(BucketDecision& decision) const {
    const auto result = elected(false);
    if (const auto* refused = std::get_if<BucketRefused>(&result)) {
      decision.possible = refused->reason == "CandidateUnknown" ? std::nullopt : std::optional(false);
      decision.reason = refused->reason;
      decision.message = refused->message;
      return;
    }
    const BucketElected& to = std::get<BucketElected>(result);
    decision.possible = true;
    decision.reason = "CandidateReady";
    decision.message = fmt::format("{} would take over; {}", to.name,
                                   missing_for_people(to.missing_keys, to.listed_at, primary(), to.name));
  }

  std::optional<std::string> wanted_elsewhere() const {
    if (const std::string name = wish(); !name.empty() && bucket(name)) return name;
    if (rules_.mode != Mode::kAutomatic || rules_.failback != FailbackMode::kAutomatic) return std::nullopt;
    const std::string& home = rules_.desired_primary.empty() ? seen_.source : rules_.desired_primary;
    const BucketSeen* there = bucket(home);
    if (!there || home == primary() || there->reach != Reach::kReachable || !there->caught_up) return std::nullopt;
    if (std::min(seen_.stable_for, there->reach_for) < rules_.failback_stable) return std::nullopt;
    return home;
  }

  std::optional<std::string> switchover_refusal(const BucketSeen& to) const {
    BucketElection input;
    input.candidates = {to};
    const auto result = elect(input);
    if (const auto* refused = std::get_if<BucketRefused>(&result)) return refused->message;
    if (!to.missing) return fmt::format("how far {} is behind is not known", to.name);
    if (to.sync_took >= rules_.promotion_timeout)
      return fmt::format(
          "the last full sync to {} took {} s, and clients would be without a bucket for as long: "
          "promotion.timeoutSeconds allows {}",
          to.name, to.sync_took.count() / 1000, rules_.promotion_timeout.count() / 1000);
    if (seen_.cancelled_for && *seen_.cancelled_for < kPeace)
      return fmt::format("the last one was cancelled; it is tried again {} s after that", kPeace.count() / 1000);
    return std::nullopt;
  }

  BucketDecision go_on(const BucketMove& current) const {
    switch (current.step) {
      case BucketStep::kWithdrawing:
      case BucketStep::kDraining: return drain(current);
      case BucketStep::kStopping: return stop(current);
      case BucketStep::kRerouting: break;
    }
    return reroute(current);
  }

  BucketDecision drain(const BucketMove& current) const {
    BucketDecision decision;
    decision.current = current;
    if (const BucketSeen& from = *bucket(current.from); down(from) && rules_.mode == Mode::kAutomatic) {
      const auto result = elected(false);
      if (const auto* to = std::get_if<BucketElected>(&result))
        return fail_over(*to, current.epoch, Cause::kPrimaryUnreachable, silence(from));
    }
    if (seen_.step_for >= rules_.promotion_timeout) {
      decision.current->step = BucketStep::kRerouting;
      decision.current->to = current.from;
      decision.route_to = current.from;
      decision.reason = "SwitchoverCancelled";
      decision.message = fmt::format("{} did not catch up within {} s: clients go back to {}", current.to,
                                     rules_.promotion_timeout.count() / 1000, current.from);
      return decision;
    }
    decision.route_to = "";
    if (!withdrawn()) {
      decision.reason = "Withdrawing";
      decision.message = fmt::format("clients are withdrawn from {}", current.from);
      return decision;
    }
    const Epoch draining{current.epoch.value - 1};
    decision.current->step = BucketStep::kDraining;
    if (epoch() < draining) decision.assign = Assignment{draining, current.from, current.from, Cause::kSwitchover};
    decision.reason = "Draining";
    decision.message = fmt::format("a full sync to {} looks for what is left", current.to);
    if (decision.assign || !adopted(draining) || !bucket(current.to)->caught_up) return decision;
    decision.current->step = BucketStep::kStopping;
    decision.current->missing_keys = 0;
    decision.assign = Assignment{current.epoch, current.to, current.from, Cause::kSwitchover};
    decision.reason = "Stopping";
    decision.message = fmt::format("{} has everything; the old direction ends", current.to);
    return decision;
  }

  BucketDecision stop(const BucketMove& current) const {
    BucketDecision decision;
    decision.current = current;
    decision.route_to = "";
    const BucketSeen& to = *bucket(current.to);
    // The candidate has died as well, and the old primary is back: nothing was sent to the candidate yet.
    if (down(to) && bucket(current.from)->reach == Reach::kReachable && current.to != current.from) {
      decision.current->epoch = current.epoch.next();
      decision.current->to = current.from;
      decision.assign = Assignment{decision.current->epoch, current.from, current.to, current.cause};
      decision.reason = "CandidateFailed";
      decision.message = fmt::format("{}; {} answers and stays primary", silence(to), current.from);
      return decision;
    }
    if (epoch() < current.epoch) decision.assign = Assignment{current.epoch, current.to, current.from, current.cause};
    decision.reason = "Stopping";
    decision.message = fmt::format("waiting until {} has stopped carrying from {} to {}", not_adopted(current.epoch),
                                   current.from, current.to);
    if (decision.assign || !adopted(current.epoch)) return decision;
    decision.current->step = BucketStep::kRerouting;
    decision.route_to = current.to;
    decision.reason = "Rerouting";
    decision.message = fmt::format("clients move to {}", current.to);
    return decision;
  }

  BucketDecision reroute(const BucketMove& current) const {
    BucketDecision decision;
    if (!routed(current.to)) {
      decision.current = current;
      decision.route_to = current.to;
      decision.reason = "Rerouting";
      decision.message = fmt::format("clients move to {}", current.to);
      return decision;
    }
    decision.completed = true;
    decision.outcome = current.to == current.from ? "Cancelled" : "Completed";
    decision.reason = decision.outcome;
    decision.message = current.to == current.from ? fmt::format("{} stays primary", current.from)
                                                  : fmt::format("{} is primary", current.to);
    if (current.cause != Cause::kSwitchover && current.to != current.from)
      decision.message += "; " + missing_for_people(current.missing_keys, current.listed_at, current.from, current.to);
    return decision;
  }

  const BucketFailoverSeen& seen_;
  const BucketRules& rules_;
};

}  // namespace

BucketDecision decide(const BucketFailoverSeen& seen, const BucketRules& rules) {
  return Decider(seen, rules).decide();
}

std::string_view to_string(BucketStep step) { return name_of(kSteps, step); }

std::optional<BucketStep> parse_bucket_step(std::string_view text) { return value_of(kSteps, text); }

}  // namespace twinspan
