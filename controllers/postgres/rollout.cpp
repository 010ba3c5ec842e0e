#include "controllers/postgres/rollout.hpp"

#include <fmt/format.h>

#include "controllers/postgres/acceptance.hpp"

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

// Its template is another because the operator is, and not because of an edit.
bool is_old(const LinkSeen& seen, const EndpointSeen& endpoint, const RenderConfig& config) {
  return endpoint.pod && endpoint.pod->origin != config.origin && is_outdated(seen, endpoint, config) &&
         !never_ran(endpoint);
}

// The first wanted replica, other than `except`, that does not stream; nullptr: all do.
const EndpointSeen* first_behind(const LinkSeen& seen, const std::string& primary, const EndpointSeen* except) {
  for (const EndpointSeen& endpoint : seen.endpoints)
    if (endpoint.spec && endpoint.name != primary && &endpoint != except && !streams(endpoint)) return &endpoint;
  return nullptr;
}

Rollout plan_at_turn(const LinkSeen& seen, const RenderConfig& config, bool turn) {
  const std::string primary = seen.primary();
  const EndpointSeen *replica = nullptr, *leader = nullptr;
  for (const EndpointSeen& endpoint : seen.endpoints) {
    if (!is_outdated(seen, endpoint, config)) continue;
    if (never_ran(endpoint) && endpoint.name != primary) return Replace{endpoint.name};
    if (endpoint.name == primary)
      leader = &endpoint;
    else if (!replica)
      replica = &endpoint;
  }
  if (!replica && !leader) return NothingOutdated{};
  const EndpointSeen& next = replica ? *replica : *leader;
  if (!turn && is_old(seen, next, config))
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
  bool others = false;
  for (const EndpointSeen& endpoint : seen.endpoints) {
    if (!endpoint.spec) continue;
    (is_old(seen, endpoint, config) ? state.old_left : others) = true;
  }
  state.begun = state.old_left && others;
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

}  // namespace twinspan::controllers
