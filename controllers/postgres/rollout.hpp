// Which pod is replaced next when its template changed: replicas first, one at a time and only while all others stream;
// the primary last, after it has handed over where somebody can take over, else in place. What only the operator's
// version changed is replaced when spec.postgres.updates says. Pure.
#pragma once
#include <string>
#include <variant>

#include "controllers/link/link_plan.hpp"
#include "controllers/link/link_seen.hpp"
#include "controllers/link/render.hpp"

namespace twinspan::controllers {

struct NothingOutdated {};
struct Wait {
  WaitFor what;
  std::string message;
};
struct Replace {
  std::string endpoint;
};
struct MovePrimary {
  std::string from;
};
using Rollout = std::variant<NothingOutdated, Wait, PutOff, Replace, MovePrimary>;

// The link's turn to renew pods that another version of the operator made is asked for by its state.
RollState roll_state(const LinkSeen& seen, const RenderConfig& config);
Rollout plan_rollout(const LinkSeen& seen, const RenderConfig& config);
// What is remembered for spec.postgres.updates once `next` is carried out. Durable before it is.
std::optional<api::UpdateStatus> next_update(const LinkSeen& seen, const RenderConfig& config, const Rollout& next);

}  // namespace twinspan::controllers
