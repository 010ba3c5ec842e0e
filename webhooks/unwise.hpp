// What is allowed and unwise, in a sentence each. Pure.
#pragma once
#include <string>
#include <vector>

#include "api/types.hpp"

namespace twinspan::webhooks {

std::vector<std::string> unwise(const api::ReplicationLink& link);
// `link` nullptr: not known.
std::vector<std::string> unwise(const api::FailoverPolicy& policy, const api::ReplicationLink* link);

}  // namespace twinspan::webhooks
