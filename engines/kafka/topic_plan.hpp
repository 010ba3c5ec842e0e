// What is to be done about a link's topics, by what both sides have of them. Pure.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "engines/kafka/topic_choice.hpp"
#include "kafka/errors.hpp"
#include "kafka/wire.hpp"

namespace twinspan::kafka_engine {

using Configs = std::map<std::string, std::string>;

// By the link's full name, such as NAMESPACE.LINK.
std::string state_topic_of(const std::string& link);
std::string transactional_id_of(const std::string& link);

// What would spoil a mirror without a word, or make it stop (W7); empty: nothing. For people.
std::string spoils_mirror(const std::string& topic, const Configs& configs);
// What would make positions go, or unreadable.
std::string spoils_state(const std::string& topic, const Configs& configs);
// What a mirror is made with, by what its source has, and which of the source's settings that are.
const std::vector<std::string>& carried_configs();
Configs mirror_configs(const Configs& source);

// Of one topic; `state` is a word: Waiting (it may pass by itself), Refused.
struct TopicTrouble {
  std::string topic, state, message;
  bool operator==(const TopicTrouble&) const = default;
};
// What a broker said of a topic, and what may be done about it.
TopicTrouble trouble_with(const std::string& topic, const std::string& what, kafka::ErrorCode error,
                          const std::optional<std::string>& words);
bool may_pass(kafka::ErrorCode error);  // by itself

// What one process remembers from look to look: a broker that has just come may tell of less than there is.
struct TopicMemory {
  struct Known {
    kafka::Uuid id{};
    int32_t partitions = 0;
    int missed = 0;  // looks in a row that it was not told of
    kafka::Uuid mirror_id{};
    int mirror_missed = 0;
  };
  std::map<std::string, Known> ready{};  // by the source's name
  bool state_there = false;
  uint64_t remade = 0;
};
constexpr int kMissedBeforeGone = 3;

struct TopicPlan {
  struct Change {
    std::string topic, mirror;
    int32_t partitions = 0;
  };
  std::vector<Change> ready, create, grow;
  std::vector<TopicTrouble> troubled;
};
struct TargetTopic {
  kafka::ErrorCode error = kafka::ErrorCode::kNone;  // kUnknownTopicOrPartition: there is none
  int32_t partitions = 0;
  kafka::ErrorCode settings_error = kafka::ErrorCode::kNone;
  std::string spoilt{};  // what is wrong with its settings
};
// `sources`: how many partitions each has. `targets`: by their own names.
TopicPlan plan_topics(const std::map<std::string, int32_t>& sources, const std::map<std::string, TargetTopic>& targets,
                      const std::string& prefix, const TopicMemory& memory);

}  // namespace twinspan::kafka_engine
