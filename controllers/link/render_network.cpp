#include <nlohmann/json.hpp>

#include "controllers/cluster/names.hpp"
#include "controllers/link/network_rules.hpp"
#include "controllers/link/render.hpp"

namespace twinspan::controllers {
namespace {

Json port(int64_t number) { return {{"port", number}, {"protocol", "TCP"}}; }

// No peers: anybody.
Json rule(const char* whom, Json peers, Json ports) {
  Json out = Json::object();
  if (!peers.empty()) out[whom] = std::move(peers);
  if (!ports.empty()) out["ports"] = std::move(ports);
  return out;
}

}  // namespace

Json render_network_policy(const api::ReplicationLink& link, const NetworkRules& rules, Clients clients,
                           const std::set<int64_t>& outward) {
  const Json pods = {
      {"matchLabels", {{std::string(kLinkLabel), link.metadata.name}, {std::string(kNameLabel), kWorkerName}}}};
  const Json each_other = Json::array({{{"podSelector", pods}}});
  Json ingress = Json::array({rule("from", each_other, Json::array())});
  if (clients == Clients::kAsAllowed) {
    // Workers of other links, too: they import from here, or ask by postgres_fdw.
    Json from = rules.clients_from;
    if (!from.empty()) from.push_back({{"podSelector", {{"matchLabels", {{std::string(kNameLabel), kWorkerName}}}}}});
    ingress.push_back(rule("from", from, Json::array({port(5432)})));
  }
  ingress.push_back(rule("from", rules.operators, Json::array({port(8443)})));
  ingress.push_back(rule("from", rules.metrics_from, Json::array({port(8080)})));  // health, too, for the kubelet
  std::set<int64_t> called = {443, 6443};  // the API server's: it stands outside of the pod network
  called.insert(outward.begin(), outward.end());
  Json calls = Json::array();
  for (const int64_t number : called) calls.push_back(port(number));
  Json policy =
      render_meta(link, "networking.k8s.io/v1", "NetworkPolicy", network_policy_name(link.metadata.name), "", true);
  policy["spec"] = {
      {"podSelector", pods},
      {"policyTypes", {"Ingress", "Egress"}},
      {"ingress", std::move(ingress)},
      {"egress", Json::array({rule("to", each_other, Json::array()), rule("to", Json::array(), name_ports()),
                              rule("to", Json::array(), std::move(calls))})}};
  annotate_hash(policy);
  return policy;
}

}  // namespace twinspan::controllers
