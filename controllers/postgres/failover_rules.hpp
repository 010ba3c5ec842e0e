// The rules of failover/ from what people wrote of PostgreSQL links, and what an operator before this one did. Pure.
#pragma once
#include <string>

#include "api/types.hpp"
#include "controllers/cluster/kinds.hpp"
#include "failover/log/decide.hpp"
#include "failover/types.hpp"

namespace twinspan::controllers {

// `policy` nullptr: there is none, and a primary is only ever restarted in place.
FailoverRules rules_of(const api::ReplicationLink& link, const api::FailoverPolicy* policy);

// Whether an endpoint that is not heard can have no data: its volume was made for this very link, after the link's
// lease, which nobody ever held. Without claim or pod nothing is known of it.
bool surely_empty(const api::ReplicationLink& link, const std::string& endpoint, const Lease& lease, const Claim* claim,
                  const Pod* pod);

// nullopt: none is under way. kInvalid names the field: a newer version's word.
Result<std::optional<Transition>> transition_of(const api::PolicyStatus& status);

}  // namespace twinspan::controllers
