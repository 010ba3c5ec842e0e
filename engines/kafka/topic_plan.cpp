#include "engines/kafka/topic_plan.hpp"

#include <fmt/format.h>

namespace twinspan::kafka_engine {
namespace {

using kafka::ErrorCode;

std::string value(const Configs& configs, const std::string& name) {
  const auto found = configs.find(name);
  return found == configs.end() ? "" : found->second;
}

}  // namespace

bool may_pass(ErrorCode error) {
  return kafka::says_look_again(error) || error == ErrorCode::kRequestTimedOut || error == ErrorCode::kNotController ||
         error == ErrorCode::kThrottlingQuotaExceeded || error == ErrorCode::kTopicAlreadyExists ||
         error == ErrorCode::kUnknownServerError;
}

TopicTrouble trouble_with(const std::string& topic, const std::string& what, ErrorCode error,
                          const std::optional<std::string>& words) {
  const std::string said =
      words && !words->empty() ? fmt::format("{}: {}", to_string(error), *words) : to_string(error);
  std::string next;
  if (error == ErrorCode::kTopicAuthorizationFailed || error == ErrorCode::kClusterAuthorizationFailed)
    next = "; give the link's user the right, it is looked at again by itself";
  else if (error == ErrorCode::kInvalidReplicationFactor)
    next = "; lower spec.kafka.replicationFactor, or add brokers";
  return {topic, may_pass(error) ? "Waiting" : "Refused", fmt::format("{}: {}{}", what, said, next)};
}

std::string state_topic_of(const std::string& link) { return "__twinspan." + link + ".state"; }
std::string transactional_id_of(const std::string& link) { return "twinspan." + link + ".0"; }

std::string spoils_mirror(const std::string& topic, const Configs& configs) {
  const std::string compression = value(configs, "compression.type"), times = value(configs, "message.timestamp.type");
  if (!compression.empty() && compression != "producer")
    return fmt::format("target topic {}: compression.type is {}, which compresses every batch again; expected producer",
                       topic, compression);
  if (!times.empty() && times != "CreateTime")
    return fmt::format(
        "target topic {}: message.timestamp.type is {}, which overwrites the records' times; expected CreateTime",
        topic, times);
  return {};
}

std::string spoils_state(const std::string& topic, const Configs& configs) {
  const std::string cleanup = value(configs, "cleanup.policy");
  if (!cleanup.empty() && cleanup != "compact")
    return fmt::format("target topic {}: cleanup.policy is {}, by which positions expire; expected compact", topic,
                       cleanup);
  return spoils_mirror(topic, configs);
}

const std::vector<std::string>& carried_configs() {
  static const std::vector<std::string> kNames{"cleanup.policy", "max.message.bytes", "retention.ms", "retention.bytes",
                                               "delete.retention.ms"};
  return kNames;
}

Configs mirror_configs(const Configs& source) {
  Configs configs{{"compression.type", "producer"},
                  {"message.timestamp.type", "CreateTime"},
                  {"message.timestamp.after.max.ms", "9223372036854775807"},
                  {"message.timestamp.before.max.ms", "9223372036854775807"}};
  for (const std::string& kept : carried_configs())
    if (const std::string setting = value(source, kept); !setting.empty()) configs[kept] = setting;
  return configs;
}

TopicPlan plan_topics(const std::map<std::string, int32_t>& sources, const std::map<std::string, TargetTopic>& targets,
                      const std::string& prefix, const TopicMemory& memory) {
  TopicPlan plan;
  for (const auto& [topic, partitions] : sources) {
    const TopicPlan::Change change{topic, prefix + topic, partitions};
    if (!is_topic_name(change.mirror)) {
      plan.troubled.push_back(
          {topic, "Refused",
           fmt::format("{} is no topic's name at the target: expected at most 249 characters; exclude it, or make a "
                       "link with a shorter topicPrefix",
                       change.mirror)});
      continue;
    }
    const auto found = targets.find(change.mirror);
    const TargetTopic target =
        found == targets.end() ? TargetTopic{.error = ErrorCode::kUnknownTopicOrPartition} : found->second;
    const auto known = memory.ready.find(topic);
    const bool was_there = known != memory.ready.end();
    if (target.error == ErrorCode::kUnknownTopicOrPartition) {
      // A topic that was carried into and is gone is made anew: its partitions say what was lost.
      (was_there && known->second.mirror_missed < kMissedBeforeGone ? plan.ready : plan.create).push_back(change);
    } else if (target.error != ErrorCode::kNone) {
      if (was_there && may_pass(target.error)) plan.ready.push_back(change);
      plan.troubled.push_back(trouble_with(topic, "target topic " + change.mirror, target.error, {}));
    } else if (target.settings_error != ErrorCode::kNone) {
      if (was_there) {
        plan.ready.push_back(change);
      } else {
        plan.troubled.push_back(trouble_with(topic,
                                             fmt::format("target topic {}: its settings cannot be read", change.mirror),
                                             target.settings_error, {}));
      }
    } else if (!target.spoilt.empty()) {
      plan.troubled.push_back({topic, "Refused", target.spoilt + "; set it so, it is looked at again by itself"});
    } else if (target.partitions < partitions) {
      plan.grow.push_back(change);
    } else if (target.partitions > partitions) {
      plan.troubled.push_back(
          {topic, "Refused",
           fmt::format("target topic {} has {} partitions, its source {}: add partitions at the source, or exclude it",
                       change.mirror, target.partitions, partitions)});
    } else {
      plan.ready.push_back(change);
    }
  }
  return plan;
}

}  // namespace twinspan::kafka_engine
