// NetworkPolicies of workers that an operator made which was told to, and this one is not: left alone they would keep
// clients out by rules that nobody keeps up.
#pragma once
#include <stop_token>
#include <string>
#include <vector>

#include "kube/client.hpp"

namespace twinspan::controllers {

// Deletes those that a link owns, in all of `namespaces` (empty: everywhere). Who has no right to is no error: the
// rights may have been given without them where none were ever made.
void remove_network_policies(kube::Client& client, const std::vector<std::string>& namespaces,
                             const std::stop_token& stop);

}  // namespace twinspan::controllers
