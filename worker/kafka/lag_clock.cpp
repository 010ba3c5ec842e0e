#include "worker/kafka/lag_clock.hpp"

#include <algorithm>

namespace twinspan::worker_kafka {
namespace {

constexpr size_t kEndsKept = 32;  // of a partition

}  // namespace

void LagClock::Partition::settle() {
  if (!position) return;
  while (!ends.empty() && ends.front().end <= *position) ends.pop_front();
  if (first_end && *position >= *first_end) caught_up = true;
}

void LagClock::heard_end(const kafka_engine::PartitionName& name, int64_t end, BootTime at) {
  Partition& partition = partitions_[name];
  if (!partition.first_end) partition.first_end = end;
  partition.end = end;
  // An end that went back was lost, and nothing of it is awaited any more.
  while (!partition.ends.empty() && partition.ends.back().end > end) partition.ends.pop_back();
  const bool grew =
      partition.ends.empty() ? !partition.position || end > *partition.position : end > partition.ends.back().end;
  if (grew) partition.ends.push_back({end, at});
  // Two neighbours become one that reaches as far as the later and is as old as the earlier: never less than it is.
  if (partition.ends.size() > kEndsKept) {
    for (size_t i = 1; i < partition.ends.size(); ++i) {
      partition.ends[i].at = partition.ends[i - 1].at;
      partition.ends.erase(partition.ends.begin() + static_cast<std::ptrdiff_t>(i - 1));
    }
  }
  partition.settle();
}

void LagClock::committed(const kafka_engine::PartitionName& name, int64_t offset) {
  Partition& partition = partitions_[name];
  partition.position = offset;
  partition.settle();
}

void LagClock::keep_only(const std::map<kafka_engine::PartitionName, std::string>& partitions) {
  std::erase_if(partitions_, [&](const auto& one) { return !partitions.contains(one.first); });
}

std::optional<LagClock::Lag> LagClock::lag(const kafka_engine::PartitionName& name, BootTime now) const {
  const auto found = partitions_.find(name);
  if (found == partitions_.end()) return std::nullopt;
  const Partition& partition = found->second;
  if (!partition.position || !partition.end) return std::nullopt;
  Lag lag{.records = std::max<int64_t>(0, *partition.end - *partition.position), .caught_up = partition.caught_up};
  if (!partition.ends.empty()) lag.time = std::max(std::chrono::nanoseconds{0}, now - partition.ends.front().at);
  return lag;
}

}  // namespace twinspan::worker_kafka
