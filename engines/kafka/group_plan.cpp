#include "engines/kafka/group_plan.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace twinspan::kafka_engine {
namespace {

constexpr size_t kNamedMost = 3;  // of a group's partitions that stand for the others

class Named {
 public:
  void add(std::string what) {
    if (++count_ <= kNamedMost) texts_.push_back(std::move(what));
  }
  bool empty() const { return count_ == 0; }
  std::string text() const {
    std::string text = fmt::format("{}", fmt::join(texts_, ", "));
    if (count_ > kNamedMost) text += fmt::format(" and {} more", count_ - kNamedMost);
    return text;
  }

 private:
  size_t count_ = 0;
  std::vector<std::string> texts_;
};

std::string place(const PartitionName& name) { return fmt::format("{}/{}", name.topic, name.partition); }

std::string metadata_prefix(std::string_view link) { return fmt::format("twinspan {} ", link); }

}  // namespace

std::string_view to_string(GroupState state) {
  switch (state) {
    case GroupState::kSynced: return "Synced";
    case GroupState::kActive: return "Active";
    case GroupState::kMoved: return "Moved";
    case GroupState::kBehind: return "Behind";
    case GroupState::kNotCarried: return "NotCarried";
    case GroupState::kRefused: return "Refused";
    case GroupState::kWaiting: return "Waiting";
  }
  return "Waiting";
}

std::string group_metadata(const std::string& link, int64_t source_offset) {
  return metadata_prefix(link) + std::to_string(source_offset);
}

bool is_of_link(std::string_view metadata, std::string_view link) {
  const std::string prefix = metadata_prefix(link);
  if (!metadata.starts_with(prefix) || metadata.size() == prefix.size()) return false;
  return std::ranges::all_of(metadata.substr(prefix.size()), [](char c) { return c >= '0' && c <= '9'; });
}

GroupPlan plan_group(const GroupFacts& facts, const GroupRules& rules) {
  GroupPlan plan;
  GroupPositions every;
  Named waiting, behind, moved;
  for (const auto& [name, position] : facts.source) {
    const auto carried = rules.partitions.find(name);
    if (carried == rules.partitions.end() || position.offset < 0) continue;
    plan.state = GroupState::kSynced;
    const PartitionName there{carried->second, name.partition};
    const auto left = facts.left.find(there);
    if (left != facts.left.end()) plan.left.insert(*left);
    const Translated to = rules.translate(name, position.offset);
    if (to.how == Translated::How::kUnknown) {
      waiting.add(place(name));
      continue;
    }
    if (to.how == Translated::How::kForgotten) {
      behind.add(fmt::format("{} at offset {}", place(name), position.offset));
      continue;
    }
    const auto at = facts.target.find(there);
    // Whoever used the group at the target without moving it took our words away, and nothing else.
    const bool ours = at == facts.target.end() || is_of_link(at->second.metadata, rules.link) ||
                      (left != facts.left.end() && left->second == at->second.offset);
    if (!ours) {
      if (at->second.offset != to.offset)
        moved.add(fmt::format("{} is at {} and would be at {}", place(there), at->second.offset, to.offset));
      continue;
    }
    GroupPosition wanted{to.offset, group_metadata(rules.link, position.offset)};
    if (at == facts.target.end() || at->second != wanted) plan.commit.emplace(there, wanted);
    plan.left[there] = to.offset;
    every.emplace(there, std::move(wanted));
  }
  plan.renews = plan.commit.size() == every.size() || facts.renew;
  if (facts.renew) plan.commit = std::move(every);
  if (!behind.empty()) {
    plan.state = GroupState::kBehind;
    plan.message = fmt::format(
        "at the source: {}: where records of so long ago are at the target is known no more; it is carried again once "
        "the group has read on, until then set its position at the target by hand, by a record's time",
        behind.text());
  } else if (!moved.empty()) {
    plan.state = GroupState::kMoved;
    plan.message = fmt::format(
        "at the target: {}: somebody else moved it, so that it is left alone; where it is to follow the source again, "
        "delete its position at the target",
        moved.text());
  } else if (!waiting.empty()) {
    plan.state = GroupState::kWaiting;
    plan.message = fmt::format("{}: not carried yet, it is not known where its records are", waiting.text());
  }
  return plan;
}

}  // namespace twinspan::kafka_engine
