// Runs the lane, on a thread of its own: one at a time, begun anew where what it goes by is another.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "core/guarded.hpp"
#include "core/role_thread.hpp"
#include "core/wait.hpp"
#include "engines/kafka/driver.hpp"
#include "worker/kafka/carry_spec.hpp"
#include "worker/kafka/mounted_access.hpp"

namespace twinspan::worker_kafka {

struct LaneOrder {
  CarrySpec spec;
  MountedAccess source, target;
  std::map<kafka_engine::PartitionName, std::string> partitions;
  uint64_t attempt = 0, remade = 0;  // another one begins the lane anew
  bool operator==(const LaneOrder&) const = default;
};

struct CarrierLook {
  std::shared_ptr<const LaneOrder> order;  // that the lane goes by, or went by last; nullptr: none ever
  bool running = false;
  kafka_engine::LaneStatus lane;  // its counters are of all lanes of this process
  kafka_engine::SideHealth source, target;
  std::optional<BootTime> told_at;
  std::optional<Error> ended;  // why it ended by itself; nothing runs then
};

class Carrier {
 public:
  // `holder`: who this process is, unlike any other. The state has it behind the link's uid and a slash.
  Carrier(std::string holder, const Clock& clock, std::function<void()> on_news);
  ~Carrier() { stop(); }

  // nullopt: nothing is carried. The lane that runs ends first, after a commit. One thread.
  void want(std::optional<LaneOrder> order);
  std::shared_ptr<const CarrierLook> look() const;  // any thread; never null
  bool idle() const;                                // nothing is carried, and nothing is wanted to be
  // Where records are that were carried; of a partition that is carried no more, where they were. Any thread.
  const kafka_engine::OffsetBook& book() const { return book_; }
  void stop();

 private:
  void run(const std::stop_token& stop);
  void carry(const std::shared_ptr<const LaneOrder>& order, const std::stop_token& stop);
  void publish(CarrierLook look);

  const std::string holder_;
  const Clock& clock_;
  const std::function<void()> on_news_;
  kafka_engine::OffsetBook book_;
  Signal changed_;
  mutable Mutex mutex_;
  std::shared_ptr<const LaneOrder> wanted_ GUARDED_BY(mutex_);
  std::stop_source lane_stop_ GUARDED_BY(mutex_);  // of the lane that runs
  std::shared_ptr<const CarrierLook> look_ GUARDED_BY(mutex_);
  kafka_engine::LaneStatus former_;  // the sums of the lanes that ended. Of the lane's thread
  RoleThread thread_{"kafka-lane"};
};

// `sums` of lanes that ended are added to what a later one says.
void add_former(const kafka_engine::LaneStatus& sums, kafka_engine::LaneStatus& lane);

}  // namespace twinspan::worker_kafka
