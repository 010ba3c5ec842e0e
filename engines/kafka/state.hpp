// What a lane keeps at the target, in the transactions that carry its records: how far each partition is, and who
// carries it.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "core/result.hpp"
#include "kafka/wire.hpp"

namespace twinspan::kafka_engine {

// The next offset to read, and the leader's epoch of what was read before it (-1: not known).
struct Position {
  int64_t offset = 0;
  int32_t epoch = -1;
  bool operator==(const Position&) const = default;
};

struct PartitionName {
  std::string topic;  // at the source
  int32_t partition = 0;
  auto operator<=>(const PartitionName&) const = default;
};

// Records source … source + count - 1 are at target … target + count - 1.
struct Run {
  int64_t source = 0, target = 0, count = 0;
  bool operator==(const Run&) const = default;
};

struct PartitionState {
  kafka::Uuid source_topic{}, target_topic{};  // a topic that was made anew has another id
  Position position;
  int64_t target_next = 0;  // where the target's partition ended for us
  bool operator==(const PartitionState&) const = default;
};

// Keys of the state partition. A topic's name has no '/', so that no topic is called as the lane's own key.
inline constexpr std::string_view kHolderKey = "holder";
std::string state_key(const PartitionName& name);
Result<PartitionName> parse_state_key(std::string_view key);
std::string encode_state(const PartitionState& state);
// kInvalid: of a version that this program does not know, or cut. Nobody goes on from what it cannot read.
Result<PartitionState> decode_state(std::string_view value);

}  // namespace twinspan::kafka_engine
