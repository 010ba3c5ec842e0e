#include "engines/kafka/group_questions.hpp"

#include <algorithm>

#include "core/text.hpp"
#include "engines/kafka/questions.hpp"

namespace twinspan::kafka_engine {
namespace {

using kafka::ErrorCode;

constexpr size_t kAtOnce = 500;        // groups in a question
constexpr int8_t kOfGroups = 0;        // kind of coordinator
constexpr int32_t kNoGeneration = -1;  // of who is no member

// Who speaks no version of a request for many is asked for one at a time.
bool is_too_old(const Result<kafka::Answer>& answer) { return !answer && answer.error().code == Code::kInvalid; }

struct Batch {
  int32_t broker;
  std::vector<std::string> groups;
};
std::vector<Batch> batches_of(const std::map<std::string, int32_t>& brokers) {
  std::map<int32_t, std::vector<Batch>> by_broker;
  for (const auto& [group, broker] : brokers) {
    auto& batches = by_broker[broker];
    if (batches.empty() || batches.back().groups.size() >= kAtOnce) batches.push_back({broker, {}});
    batches.back().groups.push_back(group);
  }
  std::vector<Batch> all;
  for (auto& [broker, batches] : by_broker) std::ranges::move(batches, std::back_inserter(all));
  return all;
}

template <class Topics>
FetchedGroup fetched(const Topics& topics, ErrorCode error) {
  FetchedGroup group{.error = error};
  for (const auto& topic : topics)
    for (const auto& one : topic.partitions) {
      const PartitionName name{topic.name, one.index};
      if (one.error != ErrorCode::kNone)
        group.errors[name] = one.error;
      else if (one.offset >= 0)
        group.positions[name] = {one.offset, one.metadata.value_or("")};
    }
  return group;
}

}  // namespace

bool ListedGroup::is_share() const { return to_lower(kind) == "share" || protocol == "share"; }
bool ListedGroup::is_streams() const { return to_lower(kind) == "streams" || protocol == "streams"; }
bool ListedGroup::is_consumers() const {
  return !is_share() && !is_streams() && (protocol.empty() || protocol == "consumer");
}
bool ListedGroup::has_members() const {
  // Who does not tell its state is told by the broker's answer to a commit: one with members refuses it.
  const std::string now = to_lower(state);
  return !now.empty() && now != "empty" && now != "dead";
}

Result<GroupList> list_groups(kafka::Cluster& side, const std::stop_token& stop) {
  kafka::MetadataRequest which{.topics = std::vector<kafka::MetadataRequest::Topic>{}};
  const auto told = side.call(kafka::kAnyBroker, std::move(which), stop);
  if (!told) return std::unexpected(told.error());
  std::vector<int32_t> brokers;
  std::vector<Question> questions;
  for (const auto& broker : std::get<kafka::MetadataResponse>(told->message).brokers) {
    brokers.push_back(broker.id);
    questions.push_back({broker.id, kafka::ListGroupsRequest{}});
  }
  if (brokers.empty()) return fail(Code::kUnavailable, "no broker is known of the cluster");
  GroupList list;
  const auto answers = ask_all(side, std::move(questions), stop);
  for (size_t i = 0; i < answers.size(); ++i) {
    const auto* answer = answers[i] ? &std::get<kafka::ListGroupsResponse>(answers[i]->message) : nullptr;
    if (!answer || answer->error != ErrorCode::kNone) {
      list.silent.insert(brokers[i]);
      list.trouble = answer ? "broker " + std::to_string(brokers[i]) + ": its groups: " + to_string(answer->error)
                            : answers[i].error().message;
      continue;
    }
    list.told = brokers[i];
    for (const auto& one : answer->groups) list.groups[one.name] = {brokers[i], one.protocol, one.state, one.kind};
  }
  return list;
}

std::map<std::string, FoundCoordinator> find_coordinators(kafka::Cluster& side, int32_t broker,
                                                          const std::set<std::string>& groups,
                                                          const std::stop_token& stop) {
  std::map<std::string, FoundCoordinator> found;
  std::map<std::string, int32_t> every;
  for (const std::string& group : groups) every.emplace(group, broker);
  const auto batches = batches_of(every);
  std::vector<Question> questions;
  for (const Batch& batch : batches)
    questions.push_back({batch.broker, kafka::FindCoordinatorsRequest{.kind = kOfGroups, .keys = batch.groups}});
  const auto answers = ask_all(side, std::move(questions), stop);
  std::vector<std::string> one_by_one;
  for (size_t i = 0; i < answers.size(); ++i) {
    if (is_too_old(answers[i])) {
      one_by_one.insert(one_by_one.end(), batches[i].groups.begin(), batches[i].groups.end());
      continue;
    }
    for (const std::string& group : batches[i].groups)
      found[group].silence = answers[i] ? "the answer does not name it" : answers[i].error().message;
    if (!answers[i]) continue;
    for (const auto& one : std::get<kafka::FindCoordinatorsResponse>(answers[i]->message).coordinators)
      if (const auto at = found.find(one.key); at != found.end()) at->second = {one.node, one.error, {}};
  }
  questions.clear();
  for (const std::string& group : one_by_one)
    questions.push_back({broker, kafka::FindCoordinatorRequest{.key = group, .kind = kOfGroups}});
  const auto single = ask_all(side, std::move(questions), stop);
  for (size_t i = 0; i < single.size(); ++i) {
    const auto* one = single[i] ? &std::get<kafka::FindCoordinatorResponse>(single[i]->message) : nullptr;
    found[one_by_one[i]] =
        one ? FoundCoordinator{one->node, one->error, {}} : FoundCoordinator{.silence = single[i].error().message};
  }
  return found;
}

std::map<std::string, FetchedGroup> fetch_positions(kafka::Cluster& side,
                                                    const std::map<std::string, int32_t>& coordinators,
                                                    const std::stop_token& stop) {
  std::map<std::string, FetchedGroup> every;
  const auto batches = batches_of(coordinators);
  std::vector<Question> questions;
  for (const Batch& batch : batches) {
    kafka::OffsetFetchManyRequest request{.groups = {}, .stable = true};
    for (const std::string& group : batch.groups) request.groups.push_back({.name = group, .topics = std::nullopt});
    questions.push_back({batch.broker, std::move(request)});
  }
  const auto answers = ask_all(side, std::move(questions), stop);
  std::vector<std::string> one_by_one;
  for (size_t i = 0; i < answers.size(); ++i) {
    if (is_too_old(answers[i])) {
      one_by_one.insert(one_by_one.end(), batches[i].groups.begin(), batches[i].groups.end());
      continue;
    }
    for (const std::string& group : batches[i].groups)
      every[group].silence = answers[i] ? "the answer does not name it" : answers[i].error().message;
    if (!answers[i]) continue;
    for (const auto& one : std::get<kafka::OffsetFetchManyResponse>(answers[i]->message).groups)
      if (const auto at = every.find(one.name); at != every.end()) at->second = fetched(one.topics, one.error);
  }
  questions.clear();
  for (const std::string& group : one_by_one)
    questions.push_back(
        {coordinators.at(group), kafka::OffsetFetchRequest{.group = group, .topics = std::nullopt, .stable = true}});
  const auto single = ask_all(side, std::move(questions), stop);
  for (size_t i = 0; i < single.size(); ++i) {
    const auto* one = single[i] ? &std::get<kafka::OffsetFetchResponse>(single[i]->message) : nullptr;
    every[one_by_one[i]] = one ? fetched(one->topics, one->error) : FetchedGroup{.silence = single[i].error().message};
  }
  return every;
}

std::vector<CommittedGroup> commit_positions(kafka::Cluster& side, const std::vector<GroupCommit>& commits,
                                             const std::stop_token& stop) {
  std::vector<Question> questions;
  for (const GroupCommit& commit : commits) {
    kafka::OffsetCommitRequest request{.group = commit.group, .generation = kNoGeneration, .member = "", .topics = {}};
    for (const auto& [name, position] : commit.positions) {
      if (request.topics.empty() || request.topics.back().name != name.topic)
        request.topics.push_back({.name = name.topic, .partitions = {}});
      // Another cluster's leader epochs would hang the group's consumers.
      request.topics.back().partitions.push_back(
          {.index = name.partition, .offset = position.offset, .leader_epoch = -1, .metadata = position.metadata});
    }
    questions.push_back({commit.coordinator, std::move(request)});
  }
  const auto answers = ask_all(side, std::move(questions), stop);
  std::vector<CommittedGroup> every;
  for (const auto& answer : answers) {
    CommittedGroup& group = every.emplace_back();
    if (!answer) {
      group.silence = answer.error().message;
      continue;
    }
    for (const auto& topic : std::get<kafka::OffsetCommitResponse>(answer->message).topics)
      for (const auto& one : topic.partitions) group.partitions[{topic.name, one.index}] = one.error;
  }
  return every;
}

}  // namespace twinspan::kafka_engine
