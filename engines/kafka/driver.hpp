// A lane and the two clusters that it goes between, on the thread that calls run().
#pragma once
#include <functional>
#include <optional>
#include <stop_token>
#include <string>

#include "core/result.hpp"
#include "engines/kafka/lane.hpp"
#include "kafka/access.hpp"

namespace twinspan::kafka_engine {

// How one side's brokers answer the lane.
struct SideHealth {
  int failures = 0;  // since the last answer: connections that could not be made or broke, answers that did not come
  std::string last_error{};
  std::optional<std::chrono::steady_clock::time_point> answered_at{};
};
struct DriverReport {
  const LaneStatus& lane;
  const SideHealth &source, &target;
};

struct DriverOptions {
  kafka::Access source, target;
  LaneSettings lane;
  bool until_end = false;  // end once all that the source had is committed; else on `stop` only
  // Where set, called on run()'s thread about twice a second, and once more at its end.
  std::function<void(const DriverReport&)> tell{};
};

// Ends after a commit where `stop` asks for it. kConflict: another process has taken the lane over. Any other error:
// the lane cannot go on at all.
Status run(const DriverOptions& options, const std::stop_token& stop, LaneStatus& status);

}  // namespace twinspan::kafka_engine
