// The rules of failover/ from what people wrote. Pure.
#pragma once
#include "api/types.hpp"
#include "failover/decide.hpp"
#include "failover/types.hpp"

namespace twinspan::controllers {

Mode mode_of(api::FailoverMode mode);
FailbackMode failback_of(api::FailbackMode mode);

// `policy` nullptr: there is none, and a primary is only ever restarted in place.
FailoverRules rules_of(const api::ReplicationLink& link, const api::FailoverPolicy* policy);

std::optional<Assignment> assignment_of(const api::LinkStatus& status);
Json to_json(const Assignment& assignment);

std::optional<Transition> transition_of(const api::PolicyStatus& status);

}  // namespace twinspan::controllers
