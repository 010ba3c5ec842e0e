// What brokers are asked and told about consumer groups, for many groups at once where they can.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "engines/kafka/group_plan.hpp"
#include "kafka/cluster.hpp"

namespace twinspan::kafka_engine {

// As its coordinator lists it, which is the broker that does.
struct ListedGroup {
  int32_t coordinator = kafka::kAnyBroker;
  std::string protocol{}, state{}, kind{};  // `kind` is empty before Kafka 3.8
  bool is_consumers() const;                // it has positions, and consumers that go by them
  bool is_share() const;
  bool is_streams() const;
  bool has_members() const;  // as far as its state tells
};

struct GroupList {
  std::map<std::string, ListedGroup> groups;
  std::set<int32_t> silent;          // brokers that did not tell theirs
  int32_t told = kafka::kAnyBroker;  // one that did
  std::string trouble;               // what one of these said; empty: all told theirs
};
// An error: not even the brokers are known.
Result<GroupList> list_groups(kafka::Cluster& side, const std::stop_token& stop);

// What became of a question about one group: an answer, a broker's error, or none (`silence` says why).
struct FoundCoordinator {
  int32_t broker = kafka::kAnyBroker;
  kafka::ErrorCode error = kafka::ErrorCode::kNone;
  std::string silence{};
};
// `broker`: who is asked.
std::map<std::string, FoundCoordinator> find_coordinators(kafka::Cluster& side, int32_t broker,
                                                          const std::set<std::string>& groups,
                                                          const std::stop_token& stop);

struct FetchedGroup {
  GroupPositions positions{};
  std::map<PartitionName, kafka::ErrorCode> errors{};  // of partitions whose positions were not told
  kafka::ErrorCode error = kafka::ErrorCode::kNone;    // of the whole group
  std::string silence{};
  kafka::ErrorCode worst() const {
    return error != kafka::ErrorCode::kNone || errors.empty() ? error : errors.begin()->second;
  }
};
// `coordinators`: of each group that is asked for. Positions in transactions that are not ended yet are
// kUnstableOffsetCommit.
std::map<std::string, FetchedGroup> fetch_positions(kafka::Cluster& side,
                                                    const std::map<std::string, int32_t>& coordinators,
                                                    const std::stop_token& stop);

struct GroupCommit {
  std::string group;
  int32_t coordinator = kafka::kAnyBroker;
  GroupPositions positions;
};
struct CommittedGroup {
  std::map<PartitionName, kafka::ErrorCode> partitions{};
  std::string silence{};  // it is not known whether anything was committed
};
// As somebody who is no member, which only groups without members take. In the order of `commits`.
std::vector<CommittedGroup> commit_positions(kafka::Cluster& side, const std::vector<GroupCommit>& commits,
                                             const std::stop_token& stop);

}  // namespace twinspan::kafka_engine
