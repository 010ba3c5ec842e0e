#include "engines/kafka/state.hpp"

#include <fmt/format.h>

#include <charconv>

namespace twinspan::kafka_engine {
namespace {

constexpr int8_t kVersion = 1;

}  // namespace

std::string state_key(const PartitionName& name) { return fmt::format("{}/{}", name.topic, name.partition); }

Result<PartitionName> parse_state_key(std::string_view key) {
  const size_t slash = key.find('/');
  PartitionName name{.topic = std::string(key.substr(0, slash))};
  const std::string_view number = slash == key.npos ? std::string_view() : key.substr(slash + 1);
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), name.partition);
  if (name.topic.empty() || error != std::errc() || end != number.data() + number.size() || name.partition < 0)
    return fail(Code::kInvalid, fmt::format("state record \"{}\": expected TOPIC/PARTITION", key));
  return name;
}

std::string encode_state(const PartitionState& state) {
  std::string bytes;
  kafka::Writer out(bytes);
  out.put(kVersion);
  out.put(state.source_topic);
  out.put(state.target_topic);
  out.put(state.position.offset);
  out.put(state.position.epoch);
  out.put(state.target_next);
  return bytes;
}

Result<PartitionState> decode_state(std::string_view value) {
  kafka::Reader in(value);
  int8_t version = 0;
  PartitionState state;
  in.take(version);
  in.take(state.source_topic);
  in.take(state.target_topic);
  in.take(state.position.offset);
  in.take(state.position.epoch);
  in.take(state.target_next);
  if (version != kVersion || in.failed() || in.left() != 0 || state.position.offset < 0 || state.target_next < 0)
    return fail(Code::kInvalid, fmt::format("state record of version {}, {} bytes: expected version {}", version,
                                            value.size(), kVersion));
  return state;
}

}  // namespace twinspan::kafka_engine
