// Looks every few seconds at the topics of both clusters, on a thread of its own: which are carried, that the target
// has them, how far the source's partitions go. Whatever it is told is asked again, with more patience each time.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "core/guarded.hpp"
#include "core/role_thread.hpp"
#include "core/wait.hpp"
#include "engines/kafka/topics.hpp"
#include "worker/kafka/mounted_access.hpp"

namespace twinspan::worker_kafka {

// What is looked at, and how.
struct TopicOrder {
  MountedAccess source, target;
  api::KafkaTopics topics;
  std::string prefix, state_topic;
  std::optional<int64_t> replication_factor;
  bool operator==(const TopicOrder&) const = default;
};

struct EndpointTrouble {
  int failures = 0;  // in a row
  std::string message;
};

struct TopicLook {
  std::optional<TopicOrder> order;                       // that it answers; nullopt: none yet
  std::optional<kafka_engine::PreparedTopics> prepared;  // the last that came of it
  std::map<kafka_engine::PartitionName, int64_t> ends;   // at the source, last stable offsets
  std::optional<BootTime> ends_at;
  EndpointTrouble source, target;
  bool source_answers = false;
};

class TopicKeeper {
 public:
  TopicKeeper(const Clock& clock, std::function<void()> on_look);
  ~TopicKeeper() { stop(); }

  // nullopt: nothing is looked at. One thread.
  void want(std::optional<TopicOrder> order);
  std::shared_ptr<const TopicLook> look() const;  // any thread; never null
  void stop();

 private:
  struct Session;
  void run(const std::stop_token& stop);
  std::chrono::milliseconds look_once(Session& session, const std::stop_token& stop);
  void publish(TopicLook look);

  const Clock& clock_;
  const std::function<void()> on_look_;
  Signal changed_;
  mutable Mutex mutex_;
  std::optional<TopicOrder> wanted_ GUARDED_BY(mutex_);
  std::stop_source look_stop_ GUARDED_BY(mutex_);  // of the look under way, once another one is wanted
  std::shared_ptr<const TopicLook> look_ GUARDED_BY(mutex_);
  RoleThread thread_{"topic-keeper"};
};

}  // namespace twinspan::worker_kafka
