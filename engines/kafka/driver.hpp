// A lane and the two clusters that it goes between, on the thread that calls run().
#pragma once
#include <stop_token>

#include "core/result.hpp"
#include "engines/kafka/lane.hpp"
#include "kafka/access.hpp"

namespace twinspan::kafka_engine {

struct DriverOptions {
  kafka::Access source, target;
  LaneSettings lane;
  bool until_end = false;  // end once all that the source had is committed; else on `stop` only
};

// Ends after a commit where `stop` asks for it. An error: the lane cannot go on at all, such as one that was taken
// over.
Status run(const DriverOptions& options, const std::stop_token& stop, LaneStatus& status);

}  // namespace twinspan::kafka_engine
