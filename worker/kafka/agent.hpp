// The Kafka worker: its link, the topics, the lane, what it says. PID 1 of its pod.
#pragma once
#include <atomic>
#include <memory>

#include "api/types.hpp"
#include "core/guarded.hpp"
#include "core/wait.hpp"
#include "kube/client.hpp"
#include "kube/informer.hpp"
#include "worker/kafka/carrier.hpp"
#include "worker/kafka/group_keeper.hpp"
#include "worker/kafka/lag_clock.hpp"
#include "worker/kafka/options.hpp"
#include "worker/kafka/rate_meter.hpp"
#include "worker/kafka/second_thoughts.hpp"
#include "worker/kafka/topic_keeper.hpp"
#include "worker/kafka/worker_report.hpp"
#include "worker/servers.hpp"

namespace twinspan::worker_kafka {

class Agent {
 public:
  Agent(Options options, const kube::Config& config, const Clock& clock);

  // Until stop() and everything has ended, or until the pod is another's. The exit code of the program.
  int run();
  void stop() { stop_.request_stop(); }  // SIGTERM; any thread

 private:
  std::shared_ptr<const api::ReplicationLink> link() const;
  PodOwner ask_owner();
  // Which groups' positions are to be carried now: none before the lane follows.
  std::optional<GroupOrder> carry(const api::ReplicationLink& link, ReportInput& input);
  std::nullopt_t carry_nothing();
  std::map<kafka_engine::PartitionName, std::string> carried_now(const kafka_engine::PreparedTopics& prepared) const;
  void measure(ReportInput& input);
  void turn();

  const Options options_;
  const Clock& clock_;
  const std::string instance_;
  std::stop_source stop_;
  Signal changed_;
  std::atomic<int64_t> turned_at_{0};  // of the main loop, for /healthz
  kube::Client client_;
  mutable Mutex mutex_;
  std::shared_ptr<const api::ReplicationLink> link_ GUARDED_BY(mutex_);
  std::string metrics_ GUARDED_BY(mutex_);
  kube::Informer<api::ReplicationLink> links_;
  TopicKeeper topics_;
  Carrier carrier_;
  GroupKeeper groups_;
  SecondThoughts second_thoughts_;
  LagClock lag_clock_;
  RateMeter rate_meter_;
  std::shared_ptr<const api::ReplicationLink> obeyed_;  // the last link whose spec may be
  int64_t carried_out_ = 0;                             // the generation that is; 0: none yet
  bool owner_known_ = false;                            // this pod is the link's
  std::optional<BootTime> owner_asked_at_;
  bool ended_ = false;  // this pod is another's
  worker::ReportBoard board_;
  worker::Servers servers_;
};

}  // namespace twinspan::worker_kafka
