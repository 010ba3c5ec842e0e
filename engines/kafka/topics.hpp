// The topics that a link carries, and those that it needs at its target: made and grown where they lack, looked at
// where they are. What stands in the way of one topic holds no other up.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "engines/kafka/lane.hpp"
#include "engines/kafka/topic_plan.hpp"
#include "kafka/cluster.hpp"

namespace twinspan::kafka_engine {

struct TopicWish {
  TopicChoice choice;
  std::string prefix{}, state_topic{};
  std::optional<int16_t> replication_factor{};  // of topics that are made; as the brokers have it by default
};

// Nothing at all can be carried until somebody does something about it.
struct Stall {
  std::string reason, message;
  bool operator==(const Stall&) const = default;
};

struct PreparedTopics {
  std::string source_cluster, target_cluster;       // their ids; empty: they told none
  std::map<PartitionName, std::string> partitions;  // that can be carried, and the target's topic of each
  std::map<PartitionName, int32_t> leaders;         // at the source
  std::set<PartitionName> leaderless;               // of `partitions`, at either side
  std::vector<TopicTrouble> troubled;
  std::optional<Stall> stall;
  uint64_t remade = 0;  // grows when a target's topic was made anew: who carries into it has to begin anew
};

// Who did not answer, or refused: nothing is known of the topics.
struct Unanswered {
  Side side = Side::kSource;
  Error error;
};

std::expected<PreparedTopics, Unanswered> prepare_topics(kafka::Cluster& source, kafka::Cluster& target,
                                                         const TopicWish& wish, TopicMemory& memory,
                                                         const std::stop_token& stop);

// The last stable offsets of those partitions whose leaders tell.
Result<std::map<PartitionName, int64_t>> stable_ends(kafka::Cluster& source,
                                                     const std::map<PartitionName, int32_t>& leaders,
                                                     const std::stop_token& stop);

}  // namespace twinspan::kafka_engine
