// From what the lane and the looks at topics say to what the worker says of itself. Pure.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/types.hpp"
#include "failover/report.hpp"
#include "worker/kafka/carrier.hpp"
#include "worker/kafka/group_keeper.hpp"
#include "worker/kafka/lag_clock.hpp"
#include "worker/kafka/topic_keeper.hpp"

namespace twinspan::worker_kafka {

struct Rates {
  double records_per_second = 0, bytes_per_second = 0;
};

struct ReportInput {
  const api::ReplicationLink* link = nullptr;  // nullptr: not known yet
  std::string unreadable;                      // why what is known can't be obeyed
  int64_t generation = 0;                      // of the spec that is carried out; 0: none yet
  std::string instance, address;
  std::optional<kafka_engine::Stall> stall;  // why nothing can be carried until somebody does something
  std::string source_wrong, target_wrong;    // of their Secrets
  std::string waits;                         // what is waited for before anything is carried
  TopicLook topics;                          // of what is wanted now; else empty
  CarrierLook carrier;
  std::map<kafka_engine::PartitionName, LagClock::Lag> lags;  // that are measured
  bool source_heard = false;                                  // of late
  std::optional<Rates> rates;
  std::optional<GroupLook> groups;  // absent where spec.kafka.groups is
};

// What one partition is doing: Following, CatchingUp, Starting, Stopped, or the word of what it was halted for.
std::string partition_state(const kafka_engine::PartitionName& name, const ReportInput& input);

// `details`: {"kafka": KafkaStatus, "endpoints": [EndpointStatus], "troubled": [TroubledPartition], "stalled":
// {"reason", "message"}}, as the CRD has them; troubled, and kafka.groups.troubled: all of them. Where groups are
// carried, "groups": {"waiting", "notCarried", "trouble"}: how many are not in sync yet, or never will be, and why the
// last look was not whole.
MemberReport worker_report(const ReportInput& input);

// Whether the pod is to be told as ready: it carries, or is not to.
bool is_ready(const MemberReport& report);

// What /metrics says, in the text format of Prometheus.
std::string metrics_text(const std::string& ns, const std::string& link, const ReportInput& input);

}  // namespace twinspan::worker_kafka
