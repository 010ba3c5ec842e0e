#include "engines/kafka/topics.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace twinspan::kafka_engine {
namespace {

using kafka::ErrorCode;

constexpr int8_t kTopicResource = 2;

std::string value(const Configs& configs, const std::string& name) {
  const auto found = configs.find(name);
  return found == configs.end() ? "" : found->second;
}

Result<kafka::MetadataResponse> metadata(kafka::Cluster& side, const std::set<std::string>& topics,
                                         const std::stop_token& stop) {
  kafka::MetadataRequest request{.topics = std::vector<kafka::MetadataRequest::Topic>{}};
  for (const std::string& topic : topics) request.topics->push_back({.name = topic});
  auto answer = side.call(kafka::kAnyBroker, std::move(request), stop);
  if (!answer) return std::unexpected(answer.error());
  return std::get<kafka::MetadataResponse>(std::move(answer->message));
}

Result<std::map<std::string, Configs>> configs_of(kafka::Cluster& side, const std::set<std::string>& topics,
                                                  const std::stop_token& stop) {
  std::map<std::string, Configs> every;
  if (topics.empty()) return every;
  kafka::DescribeConfigsRequest request;
  for (const std::string& topic : topics)
    request.resources.push_back({.kind = kTopicResource, .name = topic, .keys = std::nullopt});
  auto answer = side.call(kafka::kAnyBroker, std::move(request), stop);
  if (!answer) return std::unexpected(answer.error());
  for (const auto& got : std::get<kafka::DescribeConfigsResponse>(answer->message).results) {
    if (got.error != ErrorCode::kNone)
      return fail(Code::kDenied, fmt::format("configuration of topic {}: {}", got.name, to_string(got.error)));
    for (const auto& config : got.configs) every[got.name][config.name] = config.value.value_or("");
  }
  return every;
}

Status create(kafka::Cluster& target, const std::string& topic, int32_t partitions, const Configs& configs,
              const std::stop_token& stop) {
  kafka::CreateTopicsRequest request;
  auto& row = request.topics.emplace_back();
  row.name = topic;
  row.partitions = partitions;
  for (const auto& [name, setting] : configs) row.configs.push_back({.name = name, .value = setting});
  auto answer = target.call(kafka::kAnyBroker, std::move(request), stop);
  if (!answer) return std::unexpected(answer.error());
  for (const auto& got : std::get<kafka::CreateTopicsResponse>(answer->message).topics)
    if (got.error != ErrorCode::kNone && got.error != ErrorCode::kTopicAlreadyExists)
      return fail(Code::kUnavailable, fmt::format("topic {} could not be made: {}: {}", topic, to_string(got.error),
                                                  got.message.value_or("")));
  return {};
}

}  // namespace

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

Configs mirror_configs(const Configs& source) {
  Configs configs{{"compression.type", "producer"},
                  {"message.timestamp.type", "CreateTime"},
                  {"message.timestamp.after.max.ms", "9223372036854775807"},
                  {"message.timestamp.before.max.ms", "9223372036854775807"}};
  for (const char* kept :
       {"cleanup.policy", "max.message.bytes", "retention.ms", "retention.bytes", "delete.retention.ms"})
    if (const std::string setting = value(source, kept); !setting.empty()) configs[kept] = setting;
  return configs;
}

Result<std::map<PartitionName, std::string>> prepare_topics(kafka::Cluster& source, kafka::Cluster& target,
                                                            const std::set<std::string>& topics,
                                                            const std::string& prefix, const std::string& state_topic,
                                                            const std::stop_token& stop) {
  const auto theirs = metadata(source, topics, stop);
  if (!theirs) return std::unexpected(theirs.error());
  std::set<std::string> wanted{state_topic};
  for (const std::string& topic : topics) wanted.insert(prefix + topic);
  const auto ours = metadata(target, wanted, stop);
  if (!ours) return std::unexpected(ours.error());
  if (theirs->cluster_id && theirs->cluster_id == ours->cluster_id)
    return fail(Code::kInvalid, fmt::format("source and target are the same cluster, {}", *theirs->cluster_id));
  std::map<std::string, size_t> there;  // partitions
  for (const auto& topic : ours->topics) {
    if (topic.error == ErrorCode::kNone) {
      there[topic.name.value_or("")] = topic.partitions.size();
    } else if (topic.error != ErrorCode::kUnknownTopicOrPartition) {
      return fail(Code::kUnavailable,
                  fmt::format("target topic {}: {}", topic.name.value_or(""), to_string(topic.error)));
    }
  }
  std::set<std::string> existing;
  for (const auto& [name, partitions] : there) existing.insert(name);
  const auto source_configs = configs_of(source, topics, stop);
  if (!source_configs) return std::unexpected(source_configs.error());
  const auto target_configs = configs_of(target, existing, stop);
  if (!target_configs) return std::unexpected(target_configs.error());
  for (const auto& [name, configs] : *target_configs)
    if (const std::string wrong = spoils_mirror(name, configs); !wrong.empty()) return fail(Code::kInvalid, wrong);

  std::map<PartitionName, std::string> partitions;
  for (const auto& topic : theirs->topics) {
    const std::string name = topic.name.value_or("");
    if (topic.error != ErrorCode::kNone)
      return fail(Code::kNotFound, fmt::format("source topic {}: {}", name, to_string(topic.error)));
    const std::string mirror = prefix + name;
    for (const auto& one : topic.partitions) partitions[{name, one.index}] = mirror;
    const auto found = there.find(mirror);
    if (found == there.end()) {
      const auto configs = source_configs->find(name);
      const Configs given = mirror_configs(configs == source_configs->end() ? Configs{} : configs->second);
      if (auto done = create(target, mirror, static_cast<int32_t>(topic.partitions.size()), given, stop); !done)
        return std::unexpected(done.error());
    } else if (found->second < topic.partitions.size()) {
      return fail(Code::kInvalid, fmt::format("target topic {} has {} partitions, its source has {}", mirror,
                                              found->second, topic.partitions.size()));
    }
  }
  if (!there.contains(state_topic)) {
    const Configs compacted{{"cleanup.policy", "compact"}, {"compression.type", "producer"}};
    if (auto done = create(target, state_topic, 1, compacted, stop); !done) return std::unexpected(done.error());
  }
  return partitions;
}

}  // namespace twinspan::kafka_engine
