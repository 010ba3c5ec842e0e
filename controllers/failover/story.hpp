// FailoverPolicy status: the whole story of a failover, as people read it. Pure.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "api/types.hpp"
#include "controllers/failover/routing.hpp"
#include "core/clock.hpp"
#include "failover/decide.hpp"

namespace twinspan::controllers {

// The status after `decision`, from the status before. Times of a step are set once and kept.
// `detected`: when the sign that began the change arrived here.
api::PolicyStatus next_status(const api::FailoverPolicy& policy, const FailoverSeen& seen, const Decision& decision,
                              const RoutingSeen& routing, WallTime detected, WallTime now);

// What the person on call would want to have been told: Events that this step is worth.
struct Told {
  bool warning = false;
  std::string reason, message;
  bool operator==(const Told&) const = default;
};
std::vector<Told> events_of(const api::PolicyStatus& before, const api::PolicyStatus& after);

}  // namespace twinspan::controllers
