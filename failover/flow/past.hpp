// What the places of a link themselves tell of its past: who was primary last, and in which epoch. A link's status
// and leases can be deleted, restored or applied anew; what was written to a place stays.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.hpp"
#include "failover/flow/reason.hpp"
#include "failover/types.hpp"

namespace twinspan {

// As a worker concludes it from the records in all places of the link.
struct FlowPast {
  bool known = false;  // enough records were read to conclude anything
  Epoch epoch;         // the highest that any of them names; 0: none speaks of another time than the link's own first
  std::string primary{};                  // of that epoch, by its present name; empty: undecided, or there was none
  FlowReason reason = FlowReason::kNone;  // why nobody can be chosen without a person; kNone: nothing is against it
  std::string message{};  // for people: why it is not known, or not decided, and the command that decides it
  bool undecided() const { return reason != FlowReason::kNone; }
  bool operator==(const FlowPast&) const = default;
};

Json to_json(const FlowPast& past);
std::optional<FlowPast> parse_flow_past(const Json& json);

// Of what several workers have read, what goes furthest: an epoch that one of them has seen was there.
std::optional<FlowPast> furthest(const std::vector<FlowPast>& pasts);

}  // namespace twinspan
