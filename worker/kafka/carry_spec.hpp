// What of a link's spec the engine goes by, and how. Pure.
#pragma once
#include <string>

#include "api/types.hpp"
#include "core/result.hpp"
#include "engines/kafka/topics.hpp"

namespace twinspan::worker_kafka {

struct CarrySpec {
  std::string ns, link, uid;
  api::Endpoint source, target;
  // Without where the pod runs, what it runs as, and groups, for which no lane has to begin anew.
  api::KafkaSettings settings;
  bool operator==(const CarrySpec&) const = default;
};

// kInvalid: no spec that this program can carry out; validation lets none of these through.
Result<CarrySpec> carry_spec_of(const api::ReplicationLink& link);

// NAMESPACE.LINK, by which the state is found again: a link that was deleted and made anew under its name goes on
// where the earlier one was, where both topics are still the same ones; else the partition says what is not.
std::string full_name(const CarrySpec& spec);

// Without partitions and holder.
Result<kafka_engine::LaneSettings> lane_settings(const CarrySpec& spec);
Result<kafka_engine::TopicWish> topic_wish(const CarrySpec& spec);

}  // namespace twinspan::worker_kafka
