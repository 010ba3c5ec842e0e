#include "controllers/postgres/rollout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <set>

#include "controllers/cluster/names.hpp"
#include "controllers/postgres/acceptance.hpp"
#include "controllers/postgres/update_gate.hpp"

namespace twinspan::controllers {
namespace {

// A pod that is being deleted still says that it streams, and won't for long.
bool stays(const EndpointSeen* endpoint) { return endpoint && endpoint->pod && !endpoint->pod->terminating; }

bool streams(const EndpointSeen& endpoint) {
  if (!stays(&endpoint)) return false;
  const MemberReport* report = endpoint.member.fresh();
  return report && report->role == Role::kReplica && report->state == MemberState::kStreaming;
}

// Never came up: replacing it costs nothing, and keeping it would block the way out of a bad image or an unschedulable
// pod.
bool never_ran(const EndpointSeen& endpoint) {
  return !endpoint.member.report && !endpoint.pod->ready &&
         (!endpoint.pod->scheduled || !endpoint.pod->trouble.empty());
}

bool is_outdated(const LinkSeen& seen, const EndpointSeen& endpoint, const RenderConfig& config) {
  if (!endpoint.spec || !endpoint.pod || endpoint.pod->terminating || endpoint.pod->finished()) return false;
  const PodSource source = pod_source(seen, endpoint);
  return endpoint.pod->hash != pod_hash(*source.link, *source.endpoint, config);
}

// A person edited what it is made from. Of a pod that does not say what it was made from, who tries an edit knows.
bool is_edited(const LinkSeen& seen, const EndpointSeen& endpoint) {
  const PodSource source = pod_source(seen, endpoint);
  const std::string& said = endpoint.pod->asked;
  if (said.empty() && !endpoint.spec) return false;
  return (said.empty() ? asked_of_pod(*seen.link, *endpoint.spec) : said) !=
         asked_of_pod(*source.link, *source.endpoint);
}

// Its template is another because the operator is, and not because of an edit.
bool is_old(const LinkSeen& seen, const EndpointSeen& endpoint, const RenderConfig& config) {
  return endpoint.pod && endpoint.pod->origin != config.origin && is_outdated(seen, endpoint, config) &&
         !never_ran(endpoint) && !is_edited(seen, endpoint);
}

struct OldPods {
  std::set<const EndpointSeen*> due, held;  // held back by spec.postgres.updates
  UpdateGate gate;                          // where there are any
  bool any() const { return !due.empty() || !held.empty(); }
};

OldPods old_pods(const LinkSeen& seen, const RenderConfig& config) {
  OldPods old;
  for (const EndpointSeen& endpoint : seen.endpoints)
    if (is_old(seen, endpoint, config)) old.due.insert(&endpoint);
  if (old.due.empty()) return old;
  old.gate = update_gate(*seen.link, config.origin, seen.now);
  const std::string primary = seen.primary();
  const auto is_held = [&](const EndpointSeen* one) {
    return !old.gate.open || (one->name == primary && !old.gate.primary);
  };
  std::copy_if(old.due.begin(), old.due.end(), std::inserter(old.held, old.held.end()), is_held);
  std::erase_if(old.due, is_held);
  return old;
}

PutOff put_off(const OldPods& old) {
  if (old.gate.open)
    return {WaitFor::kSwitchover,
            fmt::format("the primary's pod waits for a switchover, or for a new value of the annotation {} "
                        "(spec.postgres.updates.primary is Supervised): {} is as the version before made it",
                        kUpdatePrimaryAnnotation, (*old.held.begin())->name),
            std::nullopt};
  const size_t pods = old.held.size();
  return {WaitFor::kWindow,
          fmt::format("{} of the version before; replaced when {}",
                      pods == 1 ? "1 pod is" : fmt::format("{} pods are", pods), old.gate.opens),
          old.gate.opens_at};
}

// The first wanted replica, other than `except`, that does not stream; nullptr: all do.
const EndpointSeen* first_behind(const LinkSeen& seen, const std::string& primary, const EndpointSeen* except) {
  for (const EndpointSeen& endpoint : seen.endpoints)
    if (endpoint.spec && endpoint.name != primary && &endpoint != except && !streams(endpoint)) return &endpoint;
  return nullptr;
}

Rollout plan_at_turn(const LinkSeen& seen, const RenderConfig& config, bool turn) {
  const std::string primary = seen.primary();
  const OldPods old = old_pods(seen, config);
  const EndpointSeen *replica = nullptr, *leader = nullptr;
  for (const EndpointSeen& endpoint : seen.endpoints) {
    if (old.held.contains(&endpoint) || !is_outdated(seen, endpoint, config)) continue;
    if (never_ran(endpoint) && endpoint.name != primary) return Replace{endpoint.name};
    if (endpoint.name == primary)
      leader = &endpoint;
    else if (!replica)
      replica = &endpoint;
  }
  if (!replica && !leader) return old.held.empty() ? Rollout(NothingOutdated{}) : put_off(old);
  const EndpointSeen& next = replica ? *replica : *leader;
  if (!turn && old.due.contains(&next))
    return Wait{WaitFor::kTurn, fmt::format("{} is as another version of Twinspan made it; it is replaced later: {}",
                                            next.name, seen.turn.waits_for)};
  const bool never_had_primary = !seen.lease || seen.lease->record.epoch.value == 0;
  if (never_had_primary && !seen.link->status.assignment) return Replace{next.name};
  if (!seen.settled() || !stays(seen.find(primary)))
    return Wait{WaitFor::kSettledPrimary,
                fmt::format("{} has an old template; it is replaced once there is a settled primary", next.name)};
  if (const EndpointSeen* behind = first_behind(seen, primary, replica))
    return Wait{WaitFor::kReplica,
                fmt::format("{} has an old template; it is replaced once {} streams again", next.name, behind->name)};
  if (replica) return Replace{replica->name};
  if (seen.fails_over) return MovePrimary{leader->name};
  if (leader->spec->postgres->managed->storage.ephemeral)
    return Wait{WaitFor::kPolicy, fmt::format("{} has an old template, but its data would be gone with its pod: "
                                              "create a FailoverPolicy of mode Automatic, so "
                                              "that a replica takes over first",
                                              leader->name)};
  return Replace{leader->name};
}

}  // namespace

RollState roll_state(const LinkSeen& seen, const RenderConfig& config) {
  RollState state;
  state.whole = true;
  if (seen.link->spec.paused || seen.link->metadata.deleting()) return state;
  const std::string primary = seen.primary();
  // What spec.postgres.updates holds back keeps nobody else waiting, and says nothing of what was begun.
  const OldPods old = old_pods(seen, config);
  state.old_left = !old.due.empty();
  state.begun = state.old_left && std::ranges::any_of(seen.endpoints, [&](const EndpointSeen& endpoint) {
                  return endpoint.spec && !old.due.contains(&endpoint) && !old.held.contains(&endpoint);
                });
  state.whole = seen.settled() && stays(seen.find(primary)) && !first_behind(seen, primary, nullptr);
  if (!state.old_left) return state;
  const Rollout next = plan_at_turn(seen, config, true);
  state.can_go_on = std::holds_alternative<Replace>(next) || std::holds_alternative<MovePrimary>(next);
  // What only a person ends keeps nobody else waiting.
  if (const auto* waits = std::get_if<Wait>(&next); waits && needs_person(waits->what)) state.old_left = false;
  return state;
}

Rollout plan_rollout(const LinkSeen& seen, const RenderConfig& config) {
  return plan_at_turn(seen, config, seen.turn.now);
}

std::optional<api::UpdateStatus> next_update(const LinkSeen& seen, const RenderConfig& config, const Rollout& next) {
  const CachedLink& link = *seen.link;
  const OldPods old = old_pods(seen, config);
  const auto replaces_old = [&] {
    const auto* replace = std::get_if<Replace>(&next);
    const auto* move = std::get_if<MovePrimary>(&next);
    return (replace && old.due.contains(seen.find(replace->endpoint))) ||
           (move && old.due.contains(seen.find(move->from)));
  };
  api::UpdateStatus status = link.status.update.value_or(api::UpdateStatus());
  const bool window = link.spec.postgres.updates && link.spec.postgres.updates->window;
  if (!window || !old.any() || status.begun != config.origin) status.begun.reset();
  if (window && replaces_old()) status.begun = config.origin;
  // A word that finds nothing to replace is used up as well: a later version does not take it for its own.
  const EndpointSeen* leader = seen.find(seen.primary());
  if (const std::string* word = update_word(link); word && leader && !is_old(seen, *leader, config))
    status.request = *word;
  return status == api::UpdateStatus() ? std::nullopt : std::optional(std::move(status));
}

}  // namespace twinspan::controllers
