#include "controllers/link/network_rules.hpp"

#include <charconv>
#include <nlohmann/json.hpp>

namespace twinspan::controllers {
namespace {

// The API server would refuse what has other members, in every link anew.
Status check_peers(const std::string& name, const Json& peers) {
  if (!peers.is_array()) return fail(Code::kInvalid, name + ": a list is expected");
  for (const Json& peer : peers) {
    if (!peer.is_object() || peer.empty()) return fail(Code::kInvalid, name + ": objects with members are expected");
    for (const auto& [key, value] : peer.items())
      if ((key != "podSelector" && key != "namespaceSelector" && key != "ipBlock") || !value.is_object())
        return fail(Code::kInvalid, name + ": \"" + key + "\" is none of podSelector, namespaceSelector and ipBlock");
  }
  return {};
}

}  // namespace

Result<NetworkRules> parse_network_rules(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return fail(Code::kInvalid, "a JSON object is expected");
  NetworkRules rules;
  for (const auto& [key, value] : json.items()) {
    Json* const part = key == "operators"     ? &rules.operators
                       : key == "clientsFrom" ? &rules.clients_from
                       : key == "metricsFrom" ? &rules.metrics_from
                                              : nullptr;
    if (!part) return fail(Code::kInvalid, "\"" + key + "\" is none of operators, clientsFrom and metricsFrom");
    if (const auto checked = check_peers(key, value); !checked) return std::unexpected(checked.error());
    *part = value;
  }
  if (rules.operators.empty()) return fail(Code::kInvalid, "operators: at least one peer is expected");
  return rules;
}

Json name_ports() {
  Json ports = Json::array();
  for (const int64_t number : {53, 5353, 8053})
    for (const char* protocol : {"UDP", "TCP"}) ports.push_back({{"port", number}, {"protocol", protocol}});
  return ports;
}

int64_t port_of(std::string_view origin) {
  const size_t colon = origin.rfind(':'), bracket = origin.rfind(']');
  int64_t port = origin.starts_with("https:") ? 443 : 80;
  // That of the scheme is followed by slashes, and those of an address stand in brackets.
  if (colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket))
    std::from_chars(origin.data() + colon + 1, origin.data() + origin.size(), port);
  return port;
}

}  // namespace twinspan::controllers
