// Who may reach workers, as the operator was told by --worker-network-policies.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "core/json.hpp"
#include "core/result.hpp"

namespace twinspan::controllers {

struct NetworkRules {
  Json operators = Json::array();     // peers that ask the agents: this operator's pods
  Json clients_from = Json::array();  // peers that use databases; empty: anybody
  Json metrics_from = Json::array();  // peers that read metrics; empty: anybody
};

// {"operators": [PEER…], "clientsFrom": [PEER…], "metricsFrom": [PEER…]}, with peers as NetworkPolicies have them.
// kInvalid names the part.
Result<NetworkRules> parse_network_rules(const std::string& text);

// Ports of a NetworkPolicy by which names are asked for. Some judge by the port of the DNS pod itself: 8053 on
// Gardener, 5353 on OpenShift.
Json name_ports();

// Of "https://s3.example:9000", as specs have it; without one that of the scheme.
int64_t port_of(std::string_view origin);

}  // namespace twinspan::controllers
