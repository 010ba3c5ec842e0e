// How long each partition has been behind, by our clock: since when the source's last stable offset has been past the
// position that is committed now. Records' own times say nothing of it.
#pragma once
#include <deque>
#include <map>
#include <optional>

#include "core/clock.hpp"
#include "engines/kafka/lane.hpp"

namespace twinspan::worker_kafka {

// Used by one thread.
class LagClock {
 public:
  // The source's last stable offset, as it was heard at `at`.
  void heard_end(const kafka_engine::PartitionName& name, int64_t end, BootTime at);
  // The position that is committed, for the log whose ends are heard.
  void committed(const kafka_engine::PartitionName& name, int64_t offset);
  void keep_only(const std::map<kafka_engine::PartitionName, std::string>& partitions);

  struct Lag {
    std::chrono::nanoseconds time{0};
    int64_t records = 0;
    bool caught_up = false;  // it was at the end, as that was heard first, at some time
  };
  // nullopt: not measured, since either is not known yet.
  std::optional<Lag> lag(const kafka_engine::PartitionName& name, BootTime now) const;

 private:
  struct Seen {
    int64_t end = 0;
    BootTime at{};
  };
  struct Partition {
    std::deque<Seen> ends;  // growing; those that the position has not reached
    std::optional<int64_t> position, end, first_end;
    bool caught_up = false;
    void settle();
  };
  std::map<kafka_engine::PartitionName, Partition> partitions_;
};

}  // namespace twinspan::worker_kafka
