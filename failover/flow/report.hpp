// What a worker says for the failover's sake: `details.failover` of its GET /status. Durations are
// durations: the clocks of worker and operator are never compared.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/json.hpp"
#include "core/result.hpp"
#include "failover/flow/drill.hpp"
#include "failover/flow/past.hpp"
#include "failover/flow/place.hpp"

namespace twinspan {

struct FlowReport {
  std::string member{};          // whose; not sent along
  std::string measured_at;       // another one with every measurement: a worker that hangs repeats itself
  std::optional<Epoch> adopted;  // nothing is carried by an older assignment; absent while another holds the lease
  std::vector<PlaceSeen> places;
  std::optional<RehearsalReport> rehearsal{};
  std::optional<FlowPast> past{};  // absent: nothing was read yet
};

Json to_json(const FlowReport& report);
Result<FlowReport> parse_flow_report(const Json& json);

// What several workers of one link say, each of its own share of what is carried: together it answers where it answers
// any of them, and has what all of them say it has.
std::vector<PlaceSeen> together(const std::vector<std::string>& names, const std::vector<FlowReport>& reports);

}  // namespace twinspan
