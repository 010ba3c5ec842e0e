#include "engines/kafka/topics.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace twinspan::kafka_engine {
namespace {

using kafka::ErrorCode;

constexpr int8_t kTopicResource = 2;

const std::vector<std::string> kSpoiling{"compression.type", "message.timestamp.type", "cleanup.policy"};

Result<kafka::MetadataResponse> metadata(kafka::Cluster& side, const std::optional<std::set<std::string>>& topics,
                                         const std::stop_token& stop) {
  kafka::MetadataRequest request{.topics = std::nullopt};
  if (topics) {
    request.topics.emplace();
    for (const std::string& topic : *topics) request.topics->push_back({.name = topic});
  }
  auto answer = side.call(kafka::kAnyBroker, std::move(request), stop);
  if (!answer) return std::unexpected(answer.error());
  return std::get<kafka::MetadataResponse>(std::move(answer->message));
}

struct DescribedTopic {
  ErrorCode error = ErrorCode::kNone;
  Configs configs{};
};

Result<std::map<std::string, DescribedTopic>> configs_of(kafka::Cluster& side, const std::set<std::string>& topics,
                                                         const std::vector<std::string>& keys,
                                                         const std::stop_token& stop) {
  std::map<std::string, DescribedTopic> every;
  if (topics.empty()) return every;
  kafka::DescribeConfigsRequest request;
  for (const std::string& topic : topics)
    request.resources.push_back({.kind = kTopicResource, .name = topic, .keys = keys});
  auto answer = side.call(kafka::kAnyBroker, std::move(request), stop);
  if (!answer) return std::unexpected(answer.error());
  for (const auto& got : std::get<kafka::DescribeConfigsResponse>(answer->message).results) {
    DescribedTopic& one = every[got.name];
    one.error = got.error;
    for (const auto& config : got.configs) one.configs[config.name] = config.value.value_or("");
  }
  return every;
}

// Who is asked to change topics: the controller, where it is told; other brokers pass it on.
int32_t controller_of(const kafka::MetadataResponse& answer) {
  const bool known = std::ranges::any_of(answer.brokers, [&](const auto& one) { return one.id == answer.controller; });
  return known ? answer.controller : kafka::kAnyBroker;
}

struct Making {
  kafka::Cluster& target;
  int32_t controller;
  const TopicWish& wish;
  const std::stop_token& stop;
};

struct Made {
  ErrorCode error = ErrorCode::kUnknownServerError;
  std::optional<std::string> words;
};

// Brokers before 3.6 know no bounds of records' times, and refuse their names (KIP-937).
Configs without_time_bounds(Configs configs) {
  configs.erase("message.timestamp.after.max.ms");
  configs.erase("message.timestamp.before.max.ms");
  return configs;
}

Result<std::map<std::string, Made>> create(const Making& making, const std::vector<TopicPlan::Change>& topics,
                                           const std::map<std::string, Configs>& configs) {
  std::map<std::string, Made> made;
  if (topics.empty()) return made;
  kafka::CreateTopicsRequest request;
  for (const TopicPlan::Change& one : topics) {
    auto& row = request.topics.emplace_back();
    row.name = one.mirror;
    row.partitions = one.partitions;
    row.replication_factor = making.wish.replication_factor.value_or(-1);
    for (const auto& [name, setting] : configs.at(one.mirror)) row.configs.push_back({.name = name, .value = setting});
  }
  auto answer = making.target.call(making.controller, std::move(request), making.stop);
  if (!answer) return std::unexpected(answer.error());
  std::vector<TopicPlan::Change> again;
  std::map<std::string, Configs> fewer;
  for (auto& got : std::get<kafka::CreateTopicsResponse>(answer->message).topics) {
    const auto asked = std::ranges::find(topics, got.name, &TopicPlan::Change::mirror);
    if (got.error == ErrorCode::kInvalidConfig && asked != topics.end())
      if (Configs kept = without_time_bounds(configs.at(got.name)); kept != configs.at(got.name)) {
        again.push_back(*asked);
        fewer.emplace(got.name, std::move(kept));
      }
    made[got.name] = {got.error, std::move(got.message)};
  }
  if (again.empty()) return made;
  auto once_more = create(making, again, fewer);
  if (!once_more) return std::unexpected(once_more.error());
  for (auto& [name, one] : *once_more) made[name] = std::move(one);
  return made;
}

Result<std::map<std::string, Made>> grow(const Making& making, const std::vector<TopicPlan::Change>& topics) {
  std::map<std::string, Made> made;
  if (topics.empty()) return made;
  kafka::CreatePartitionsRequest request;
  for (const TopicPlan::Change& one : topics)
    request.topics.push_back({.name = one.mirror, .partitions = one.partitions, .assignments = std::nullopt});
  auto answer = making.target.call(making.controller, std::move(request), making.stop);
  if (!answer) return std::unexpected(answer.error());
  for (auto& got : std::get<kafka::CreatePartitionsResponse>(answer->message).results)
    made[got.name] = {got.error, std::move(got.message)};
  return made;
}

// The source's topics that are chosen. Those that are named and not told of are asked for, since only then it is told
// why.
struct Sources {
  std::map<std::string, int32_t> partitions;
  std::map<std::string, const kafka::MetadataResponse::Topic*> rows;
};
Result<Sources> chosen(kafka::Cluster& source, const kafka::MetadataResponse& every, const TopicWish& wish,
                       TopicMemory& memory, PreparedTopics& out, const std::stop_token& stop) {
  Sources sources;
  for (const auto& topic : every.topics) {
    const std::string name = topic.name.value_or("");
    if (topic.internal || !wish.choice.chooses(name)) continue;
    if (topic.error != ErrorCode::kNone) {
      out.troubled.push_back(trouble_with(name, "the source", topic.error, {}));
      continue;
    }
    sources.rows[name] = &topic;
    auto& count = sources.partitions[name] = static_cast<int32_t>(topic.partitions.size());
    if (const auto known = memory.ready.find(name); known != memory.ready.end() && known->second.id == topic.id) {
      count = std::max(count, known->second.partitions);
      known->second.missed = 0;
    }
  }
  std::set<std::string> untold;
  for (const std::string& name : wish.choice.named())
    if (wish.choice.chooses(name) && !sources.rows.contains(name)) untold.insert(name);
  // Who may not describe a topic is told of it by nobody, unless it is asked for by name.
  for (const auto& [name, known] : memory.ready)
    if (wish.choice.chooses(name) && !sources.rows.contains(name)) untold.insert(name);
  if (!untold.empty()) {
    const auto asked = metadata(source, untold, stop);
    if (!asked) return std::unexpected(asked.error());
    for (const auto& topic : asked->topics) {
      const std::string name = topic.name.value_or("");
      if (topic.error == ErrorCode::kUnknownTopicOrPartition && !wish.choice.named().contains(name)) continue;
      if (topic.error == ErrorCode::kUnknownTopicOrPartition)
        out.troubled.push_back({name, "Waiting", "the source has no such topic; it is carried once it is made there"});
      else if (topic.error != ErrorCode::kNone)
        out.troubled.push_back(trouble_with(name, "the source", topic.error, {}));
    }
  }
  // What was there a moment ago.
  for (auto one = memory.ready.begin(); one != memory.ready.end();) {
    const auto at = one++;
    auto& [name, known] = *at;
    if (sources.rows.contains(name)) continue;
    if (!wish.choice.chooses(name) || ++known.missed >= kMissedBeforeGone)
      memory.ready.erase(at);
    else
      sources.partitions[name] = known.partitions;
  }
  return sources;
}

bool leads(const kafka::MetadataResponse::Topic* topic, int32_t index, int32_t* leader = nullptr) {
  if (!topic) return false;
  const auto at = std::ranges::find(topic->partitions, index, &kafka::MetadataResponse::Topic::Partition::index);
  if (at == topic->partitions.end() || at->leader < 0) return false;
  if (leader) *leader = at->leader;
  return true;
}

}  // namespace

std::expected<PreparedTopics, Unanswered> prepare_topics(kafka::Cluster& source, kafka::Cluster& target,
                                                         const TopicWish& wish, TopicMemory& memory,
                                                         const std::stop_token& stop) {
  const auto silent = [](Side side, Error error) { return std::unexpected(Unanswered{side, std::move(error)}); };
  PreparedTopics out;
  const auto theirs = metadata(source, std::nullopt, stop);
  if (!theirs) return silent(Side::kSource, theirs.error());
  const auto sources = chosen(source, *theirs, wish, memory, out, stop);
  if (!sources) return silent(Side::kSource, sources.error());

  std::set<std::string> wanted{wish.state_topic};
  for (const auto& [topic, partitions] : sources->partitions)
    if (is_topic_name(wish.prefix + topic)) wanted.insert(wish.prefix + topic);
  const auto ours = metadata(target, wanted, stop);
  if (!ours) return silent(Side::kTarget, ours.error());
  out.source_cluster = theirs->cluster_id.value_or("");
  out.target_cluster = ours->cluster_id.value_or("");
  if (!out.source_cluster.empty() && out.source_cluster == out.target_cluster) {
    out.stall = Stall{"SameCluster",
                      fmt::format("source and target are the same cluster, {}: nothing is carried; give the target the "
                                  "brokers of another one",
                                  out.source_cluster)};
    return out;
  }

  std::map<std::string, TargetTopic> targets;
  std::map<std::string, const kafka::MetadataResponse::Topic*> target_rows;
  std::set<std::string> existing;
  for (const auto& topic : ours->topics) {
    const std::string name = topic.name.value_or("");
    targets[name] = {.error = topic.error, .partitions = static_cast<int32_t>(topic.partitions.size())};
    if (topic.error != ErrorCode::kNone) continue;
    existing.insert(name);
    target_rows[name] = &topic;
  }
  const auto described = configs_of(target, existing, kSpoiling, stop);
  if (!described) return silent(Side::kTarget, described.error());
  for (const auto& [name, one] : *described) {
    targets[name].settings_error = one.error;
    targets[name].spoilt =
        name == wish.state_topic ? spoils_state(name, one.configs) : spoils_mirror(name, one.configs);
  }

  const Making making{target, controller_of(*ours), wish, stop};
  const TargetTopic state = targets[wish.state_topic];
  if (state.error == ErrorCode::kUnknownTopicOrPartition) {
    if (memory.state_there) {
      out.stall = Stall{"StateLost",
                        fmt::format("topic {} at the target is gone, and with it how far each partition was: nothing "
                                    "is carried, since records would be carried twice",
                                    wish.state_topic)};
      return out;
    }
    // Whoever begins reads all of it.
    const Configs compacted{{"cleanup.policy", "compact"},
                            {"compression.type", "producer"},
                            {"segment.bytes", "16777216"},
                            {"min.cleanable.dirty.ratio", "0.1"}};
    auto made = create(making, {{"", wish.state_topic, 1}}, {{wish.state_topic, compacted}});
    if (!made) return silent(Side::kTarget, made.error());
    const Made& one = (*made)[wish.state_topic];
    if (one.error != ErrorCode::kNone && one.error != ErrorCode::kTopicAlreadyExists) {
      const TopicTrouble what =
          trouble_with("", fmt::format("topic {} cannot be made", wish.state_topic), one.error, one.words);
      if (may_pass(one.error)) return silent(Side::kTarget, {Code::kUnavailable, what.message, true});
      out.stall = Stall{"StateTopicRefused", what.message};
      return out;
    }
  } else if (const ErrorCode error = state.error != ErrorCode::kNone ? state.error : state.settings_error;
             error != ErrorCode::kNone || !state.spoilt.empty()) {
    const std::string what =
        error != ErrorCode::kNone ? trouble_with("", "topic " + wish.state_topic, error, {}).message : state.spoilt;
    if (may_pass(error)) return silent(Side::kTarget, {Code::kUnavailable, what, true});
    out.stall = Stall{"StateTopicRefused", what};
    return out;
  }
  memory.state_there = true;

  for (auto& [topic, known] : memory.ready) {
    const bool gone = targets[wish.prefix + topic].error == ErrorCode::kUnknownTopicOrPartition;
    known.mirror_missed = gone ? known.mirror_missed + 1 : 0;
    const auto row = target_rows.find(wish.prefix + topic);
    if (row == target_rows.end()) continue;
    if (known.mirror_id != kafka::Uuid{} && known.mirror_id != row->second->id) ++memory.remade;
    known.mirror_id = row->second->id;
  }
  out.remade = memory.remade;

  TopicPlan plan = plan_topics(sources->partitions, targets, wish.prefix, memory);
  std::ranges::move(plan.troubled, std::back_inserter(out.troubled));

  std::set<std::string> missing;
  for (const TopicPlan::Change& one : plan.create) missing.insert(one.topic);
  const auto settings = configs_of(source, missing, carried_configs(), stop);
  if (!settings) return silent(Side::kSource, settings.error());
  std::map<std::string, Configs> given;
  std::erase_if(plan.create, [&](const TopicPlan::Change& one) {
    const auto found = settings->find(one.topic);
    const ErrorCode error = found == settings->end() ? ErrorCode::kUnknownServerError : found->second.error;
    if (error == ErrorCode::kNone) {
      given[one.mirror] = mirror_configs(found->second.configs);
      return false;
    }
    out.troubled.push_back(trouble_with(one.topic, "its settings at the source cannot be read", error, {}));
    return true;
  });
  const auto created = create(making, plan.create, given);
  if (!created) return silent(Side::kTarget, created.error());
  const auto grown = grow(making, plan.grow);
  if (!grown) return silent(Side::kTarget, grown.error());
  std::set<std::string> fresh;
  for (const auto& [changes, made, what] :
       {std::tuple{&plan.create, &*created, "cannot be made"}, {&plan.grow, &*grown, "gets no more partitions"}})
    for (const TopicPlan::Change& one : *changes) {
      const auto found = made->find(one.mirror);
      const Made said = found == made->end() ? Made{} : found->second;
      const bool done = said.error == ErrorCode::kNone;
      if (done) fresh.insert(one.topic);
      if (!done)
        out.troubled.push_back(
            trouble_with(one.topic, fmt::format("target topic {} {}", one.mirror, what), said.error, said.words));
      // What the target has of it goes on.
      if (const int32_t there = done ? one.partitions : targets[one.mirror].partitions; there > 0)
        plan.ready.push_back({one.topic, one.mirror, there});
    }

  for (const TopicPlan::Change& one : plan.ready) {
    const auto row = sources->rows.find(one.topic);
    const auto* topic = row == sources->rows.end() ? nullptr : row->second;
    TopicMemory::Known& known = memory.ready[one.topic];
    if (topic) {
      known.id = topic->id;
      known.missed = 0;
    }
    known.partitions = one.partitions;
    const auto mirror = target_rows.find(one.mirror);
    if (fresh.contains(one.topic)) known.mirror_missed = 0;
    for (int32_t index = 0; index < one.partitions; ++index) {
      const PartitionName name{one.topic, index};
      out.partitions[name] = one.mirror;
      int32_t leader = -1;
      if (leads(topic, index, &leader)) out.leaders[name] = leader;
      const bool received = fresh.contains(one.topic) || (mirror != target_rows.end() && leads(mirror->second, index));
      if (leader < 0 || !received) out.leaderless.insert(name);
    }
  }
  return out;
}

Result<std::map<PartitionName, int64_t>> stable_ends(kafka::Cluster& source,
                                                     const std::map<PartitionName, int32_t>& leaders,
                                                     const std::stop_token& stop) {
  std::map<int32_t, std::map<std::string, std::vector<int32_t>>> by_broker;
  for (const auto& [name, leader] : leaders) by_broker[leader][name.topic].push_back(name.partition);
  std::map<PartitionName, int64_t> ends;
  for (const auto& [broker, topics] : by_broker) {
    kafka::ListOffsetsRequest request{.isolation = 1};
    for (const auto& [topic, indexes] : topics) {
      auto& row = request.topics.emplace_back();
      row.name = topic;
      for (const int32_t index : indexes) row.partitions.push_back({.index = index, .timestamp = -1});
    }
    auto answer = source.call(broker, std::move(request), stop);
    if (!answer) return std::unexpected(answer.error());
    for (const auto& topic : std::get<kafka::ListOffsetsResponse>(answer->message).topics)
      for (const auto& got : topic.partitions)
        if (got.error == ErrorCode::kNone) ends[{topic.name, got.index}] = got.offset;
  }
  return ends;
}

}  // namespace twinspan::kafka_engine
