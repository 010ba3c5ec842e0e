// Carries the committed positions of consumer groups every few seconds, on a thread of its own, while a lane follows.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "core/guarded.hpp"
#include "core/role_thread.hpp"
#include "core/wait.hpp"
#include "engines/kafka/groups.hpp"
#include "worker/kafka/mounted_access.hpp"

namespace twinspan::worker_kafka {

using kafka_engine::GroupState;
using kafka_engine::to_string;

struct GroupTrouble {
  std::string group;
  GroupState state;
  std::string message;  // what is so, why, what to do next
  bool operator==(const GroupTrouble&) const = default;
};

// What is carried, and how.
struct GroupOrder {
  MountedAccess source, target;
  api::KafkaGroups groups;
  std::string link;                                               // its full name, NAMESPACE.LINK
  std::map<kafka_engine::PartitionName, std::string> partitions;  // that are carried, and the target's topic of each
  bool operator==(const GroupOrder&) const = default;
};

struct GroupLook {
  std::optional<GroupOrder> order;    // that it answers; nullopt: none yet
  std::optional<BootTime> looked_at;  // the end of the last whole look; absent: none yet, counts mean nothing
  int64_t synced = 0;
  int64_t active = 0;  // kActive and kMoved
  int64_t failed = 0;  // kBehind and kRefused
  int64_t waiting = 0;
  int64_t not_carried = 0;
  // How long ago the group that waits longest was in sync, or for how long it waits for the first time, when this was
  // published. Absent: there is none that counts, active ones and those that are not carried do not.
  std::optional<double> oldest_seconds;
  std::vector<GroupTrouble> troubled;  // all but kSynced and kWaiting, by name
  std::string trouble;                 // why the last look was not whole; empty: it was
};

// What is remembered, as it is told: the counts, the oldest, those in trouble. Pure.
void tell_groups(const kafka_engine::GroupMemory& memory, BootTime now, GroupLook& look);

class GroupKeeper {
 public:
  // `book`: what the lane has carried; it outlives this.
  GroupKeeper(const Clock& clock, const kafka_engine::OffsetBook& book, std::function<void()> on_look);
  ~GroupKeeper() { stop(); }

  // nullopt: nothing is committed any more. One thread.
  void want(std::optional<GroupOrder> order);
  std::shared_ptr<const GroupLook> look() const;  // any thread; never null
  void stop();

 private:
  struct Session;
  void run(const std::stop_token& stop);
  std::chrono::milliseconds look_once(Session& session, const std::stop_token& stop);
  void publish(GroupLook look);

  const Clock& clock_;
  const kafka_engine::OffsetBook& book_;
  const std::function<void()> on_look_;
  Signal changed_;
  mutable Mutex mutex_;
  std::optional<GroupOrder> wanted_ GUARDED_BY(mutex_);
  std::stop_source look_stop_ GUARDED_BY(mutex_);  // of the look under way, once another one is wanted
  std::shared_ptr<const GroupLook> look_ GUARDED_BY(mutex_);
  RoleThread thread_{"group-keeper"};
};

}  // namespace twinspan::worker_kafka
