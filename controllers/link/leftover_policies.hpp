// NetworkPolicies of workers that an operator made which was told to, and this one is not: left alone they would keep
// clients out by rules that nobody keeps up.
#pragma once
#include <stop_token>
#include <string>
#include <vector>

#include "kube/client.hpp"

namespace twinspan::controllers {

// Deletes those that a link owns, by the name it gives its own, in all of `namespaces` (empty: everywhere). False: some
// may be left, it has to be repeated. Who has no right to see them is through: the rights may have been given without
// them where none were ever made.
bool remove_network_policies(kube::Client& client, const std::vector<std::string>& namespaces,
                             const std::stop_token& stop);

}  // namespace twinspan::controllers
