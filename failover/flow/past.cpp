#include "failover/flow/past.hpp"

#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <tuple>

namespace twinspan {

Json to_json(const FlowPast& past) {
  Json json = {{"known", past.known}, {"epoch", past.epoch.value}};
  if (!past.primary.empty()) json["primary"] = past.primary;
  if (past.undecided()) json["reason"] = to_string(past.reason);
  if (!past.message.empty()) json["message"] = past.message;
  return json;
}

std::optional<FlowPast> parse_flow_past(const Json& json) {
  if (!json.is_object()) return std::nullopt;
  return FlowPast{member_of(json, "known") == true, Epoch{integer_of(json, "epoch")}, text_of(json, "primary"),
                  parse_flow_reason(text_of(json, "reason")), text_of(json, "message")};
}

std::optional<FlowPast> furthest(const std::vector<FlowPast>& pasts) {
  const auto rank = [](const FlowPast& past) { return std::tuple(past.epoch, past.known, past.undecided()); };
  std::optional<FlowPast> best;
  for (const FlowPast& one : pasts)
    if (!best || rank(one) > rank(*best)) best = one;
  return best;
}

}  // namespace twinspan
