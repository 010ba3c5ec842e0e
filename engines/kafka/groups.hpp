// Consumer groups' positions, carried: one look at both sides, and commits at the target of what differs. What stands
// in the way of one group holds no other up; whose coordinator does not answer keeps the state that it had.
#pragma once
#include <map>
#include <optional>
#include <set>
#include <stop_token>
#include <string>

#include "core/clock.hpp"
#include "engines/kafka/group_plan.hpp"
#include "engines/kafka/lane.hpp"
#include "engines/kafka/name_choice.hpp"
#include "kafka/cluster.hpp"

namespace twinspan::kafka_engine {

struct GroupWish {
  NameChoice choice;
  GroupRules rules;
};

// What one process remembers from look to look.
struct GroupMemory {
  struct Known {
    std::optional<GroupState> state = GroupState::kWaiting;  // nullopt: no position in what is carried
    std::string message{};                                   // as GroupPlan has it
    BootTime known_since{};                                  // or since it went out of the count
    std::optional<BootTime> in_sync_at{};           // of the last look that found it so: when the source was asked
    BootTime renew_at{};                            // what is ours is to be committed again, so that it does not expire
    std::map<PartitionName, BootTime> stable_at{};  // of each partition, while some are in transactions: see in_sync()
    std::map<PartitionName, int64_t> left{};
    int missed = 0;  // looks in a row that it was not told of
  };
  std::map<std::string, Known> groups;
};

struct GroupsLooked {
  std::optional<Side> silent;  // nothing at all was learned there
  std::string trouble;         // why the look was not whole; empty: it was
};
// Nothing is committed once `stop` is set; what comes back then means nothing.
GroupsLooked carry_groups(kafka::Cluster& source, kafka::Cluster& target, const GroupWish& wish, GroupMemory& memory,
                          const Clock& clock, const std::stop_token& stop);

// Notes that a group was found in sync, but for partitions with positions in transactions that are not ended: nobody
// tells of those, and a group that uses transactions has some most of the time. So it is in sync as of the one of its
// partitions that was told of longest ago. False: one of them never was. Pure.
bool in_sync(GroupMemory::Known& known, const GroupPositions& stable, const std::set<PartitionName>& unstable,
             BootTime asked_at);

// What a broker's word about one group means for it. Pure.
enum class GroupAnswer {
  kFine,
  kLater,    // it passes by itself, within a look or two: the group keeps its state
  kMembers,  // it has members, whose positions they are
  kRefused,
};
GroupAnswer meaning_of(kafka::ErrorCode error);

// Offsets of groups without members expire, after a week by default. So many groups a look are committed again, each
// once a day; where that was refused, an hour later.
constexpr size_t kRenewedALook = 200;
constexpr std::chrono::hours kRenewAfter{24}, kRenewRetry{1};
// Whoever is not listed so many times in a row is gone: a group is listed by none while its coordinator moves.
constexpr int kGroupMissedBeforeGone = 3;

}  // namespace twinspan::kafka_engine
