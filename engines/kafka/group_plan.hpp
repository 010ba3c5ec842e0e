// What is to be done about one consumer group's positions, by what both sides have of it. Pure.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engines/kafka/offsets.hpp"
#include "engines/kafka/state.hpp"

namespace twinspan::kafka_engine {

enum class GroupState {
  kSynced,      // at the target it stands where it stands at the source, as far as records are carried
  kActive,      // it has members at the target
  kMoved,       // the position at the target is not ours, and is another one
  kBehind,      // it stands where the runs of so long ago are forgotten
  kNotCarried,  // of a kind whose positions are not carried, such as share groups
  kRefused,     // for want of rights, or by another of the broker's words
  kWaiting,     // nothing is known yet, such as of a partition whose lane has not begun
};
std::string_view to_string(GroupState state);

// Where a group stands in the partitions of one side: the next offset that it reads, and what was committed beside it.
struct GroupPosition {
  int64_t offset = 0;
  std::string metadata{};
  bool operator==(const GroupPosition&) const = default;
};
using GroupPositions = std::map<PartitionName, GroupPosition>;  // by the names of the side that has them

using Translate = std::function<Translated(const PartitionName&, int64_t)>;

// What positions are carried by.
struct GroupRules {
  std::string link;                                 // its full name, by which its own commits are known again
  std::map<PartitionName, std::string> partitions;  // that are carried, and the target's topic of each
  Translate translate;
};

struct GroupFacts {
  GroupPositions source, target;          // committed ones alone
  std::map<PartitionName, int64_t> left;  // by the target's names: where we left it, as far as this process knows
  bool renew = false;                     // commits of long ago are due to be made again, before they expire
};

struct GroupPlan {
  // nullopt: it has no position in any partition that is carried, so that there is nothing to say of it.
  std::optional<GroupState> state;
  std::string message;                    // of what is not kSynced: what is so, why, what to do next
  GroupPositions commit;                  // at the target; with it done the state is true
  bool renews = false;                    // `commit` has every position of ours
  std::map<PartitionName, int64_t> left;  // with `commit` done
};
GroupPlan plan_group(const GroupFacts& facts, const GroupRules& rules);

// What is committed beside a position: "twinspan LINK SOURCEOFFSET".
std::string group_metadata(const std::string& link, int64_t source_offset);
bool is_of_link(std::string_view metadata, std::string_view link);

}  // namespace twinspan::kafka_engine
