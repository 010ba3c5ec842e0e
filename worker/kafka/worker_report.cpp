#include "worker/kafka/worker_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "contract/names.hpp"
#include "core/text.hpp"

namespace twinspan::worker_kafka {
namespace {

namespace engine = kafka_engine;
using engine::Halt;

constexpr size_t kTroubledMost = 20;         // in the link's status
constexpr size_t kMessageBytesMost = 990;    // of 1000, and what says that there is more
constexpr std::chrono::seconds kBehind{10};  // from then on, or two transactions, it is catching up again

std::string next_step(Halt::Reason reason, const std::string& mirror) {
  const std::string anew = fmt::format(
      "to have the topic carried anew, exclude it here, delete topic {} at the target, and make a link of "
      "another name for it",
      mirror);
  switch (reason) {
    case Halt::Reason::kTooLarge:
      return fmt::format("raise max.message.bytes of topic {} at the target; it is tried again by itself", mirror);
    case Halt::Reason::kExisting:
      return fmt::format(
          "set spec.kafka.intoExisting: Append to carry on behind them, or delete topic {} at the target", mirror);
    case Halt::Reason::kCorrupt: return "look at the brokers' disks and network; it is tried again by itself";
    case Halt::Reason::kRefused: return "it is tried again by itself";
    case Halt::Reason::kGap:
    case Halt::Reason::kTruncated:
    case Halt::Reason::kRecreated:
    case Halt::Reason::kOldFormat:
    case Halt::Reason::kTargetLost: return anew;
  }
  return "";
}

std::string mirror_of(const engine::PartitionName& name, const ReportInput& input) {
  if (!input.carrier.order) return name.topic;
  const auto found = input.carrier.order->partitions.find(name);
  return found == input.carrier.order->partitions.end() ? name.topic : found->second;
}

// The partitions that the lane goes by, and what it says of each.
template <class Each>
void each_partition(const ReportInput& input, const Each& each) {
  static const engine::PartitionStatus kNothing;
  if (!input.carrier.order) return;
  for (const auto& [name, mirror] : input.carrier.order->partitions) {
    const auto found = input.carrier.lane.partitions.find(name);
    each(name, found == input.carrier.lane.partitions.end() ? kNothing : found->second);
  }
}

std::vector<api::TroubledPartition> troubled(const ReportInput& input) {
  std::vector<api::TroubledPartition> rows;
  if (input.topics.prepared)
    for (const engine::TopicTrouble& one : input.topics.prepared->troubled)
      rows.push_back({one.topic, {}, one.state, {}, one_line(one.message, kMessageBytesMost)});
  each_partition(input, [&](const engine::PartitionName& name, const engine::PartitionStatus& partition) {
    if (!partition.halt && !partition.waits.empty())
      rows.push_back(
          {name.topic, name.partition, "Waiting", partition.committed.offset,
           one_line(fmt::format("the target takes nothing of topic {} at the moment: {}; look at its brokers, "
                                "it is tried again by itself",
                                mirror_of(name, input), partition.waits),
                    kMessageBytesMost)});
    if (!partition.halt) return;
    const std::string next = next_step(partition.halt->reason, mirror_of(name, input));
    rows.push_back({name.topic, name.partition, std::string(to_string(partition.halt->reason)), partition.halt->offset,
                    one_line(partition.halt->message + "; " + next, kMessageBytesMost)});
  });
  if (input.topics.prepared)
    for (const engine::PartitionName& name : input.topics.prepared->leaderless)
      if (!input.carrier.order || !input.carrier.order->partitions.contains(name))
        rows.push_back(
            {name.topic, name.partition, "Waiting", {}, "it has no leader at the moment, at one of the sides"});
  return rows;
}

// The longest that a partition is behind, and all that they are behind. nullopt while it is not measured: the source
// has not been heard of late, and nothing was seen before of which is known that it is not here yet.
struct Behind {
  double seconds = 0;
  int64_t records = 0;
};
std::optional<Behind> behind(const ReportInput& input) {
  size_t partitions = 0;
  each_partition(input, [&](const auto&, const auto&) { ++partitions; });
  Behind sum;
  for (const auto& [name, lag] : input.lags) {
    sum.seconds = std::max(sum.seconds, std::chrono::duration<double>(lag.time).count());
    sum.records += lag.records;
  }
  if (sum.records > 0) return sum;
  if (!input.source_heard || input.lags.size() < partitions || !input.carrier.order) return std::nullopt;
  return sum;
}

bool unreachable(const EndpointTrouble& look, const engine::SideHealth& lane, const api::Endpoint& endpoint,
                 std::string& message) {
  const int failures = std::max(look.failures, lane.failures);
  if (failures == 0 || failures < endpoint.kafka->max_retries) return false;
  message = fmt::format("it failed {} times in a row, and is tried on: {}", failures,
                        look.failures >= lane.failures ? look.message : lane.last_error);
  return true;
}

struct Rows {
  api::EndpointStatus source, target;
};
Rows rows_of(const ReportInput& input) {
  const api::LinkSpec& spec = input.link->spec;
  Rows rows;
  rows.source.name = spec.source.name;
  rows.source.role = "Primary";
  rows.target.name = spec.targets.front().name;
  rows.target.role = "Replica";
  rows.target.upstream = spec.source.name;
  const auto tell = [](api::EndpointStatus& row, MemberState state, const std::string& message) {
    row.state = to_string(state);
    if (!message.empty()) row.message = message;
  };
  if (spec.paused) {
    for (auto* row : {&rows.source, &rows.target}) tell(*row, MemberState::kStopped, "spec.paused is true");
    return rows;
  }
  if (const auto lag = behind(input)) {
    rows.target.lag_seconds = std::round(lag->seconds);
    rows.target.lag_records = lag->records;
  }
  const engine::SideHealth quiet;
  const engine::SideHealth& source = input.carrier.running ? input.carrier.source : quiet;
  const engine::SideHealth& target = input.carrier.running ? input.carrier.target : quiet;
  std::string message;
  if (!input.source_wrong.empty())
    tell(rows.source, MemberState::kDisconnected, input.source_wrong);
  else if (unreachable(input.topics.source, source, spec.source, message))
    tell(rows.source, MemberState::kDisconnected, message);
  else if (input.topics.source_answers || source.answered_at)
    tell(rows.source, MemberState::kRunning, "");
  else
    tell(rows.source, MemberState::kStarting, input.topics.source.message);

  size_t catching_up = 0, halted = 0;
  each_partition(input, [&](const engine::PartitionName& name, const engine::PartitionStatus& partition) {
    halted += partition.halt.has_value();
    catching_up += partition_state(name, input) == "CatchingUp";
  });
  if (!input.target_wrong.empty())
    tell(rows.target, MemberState::kDisconnected, input.target_wrong);
  else if (unreachable(input.topics.target, target, spec.targets.front(), message))
    tell(rows.target, MemberState::kDisconnected, message);
  else if (input.carrier.running && input.carrier.lane.following)
    tell(rows.target, catching_up > 0 ? MemberState::kCatchingUp : MemberState::kStreaming,
         halted > 0 ? fmt::format("{} partitions stand still: status.kafka.troubled says which and why", halted) : "");
  else
    tell(rows.target, MemberState::kStarting,
         !input.waits.empty()                                              ? input.waits
         : input.carrier.running && !input.carrier.lane.last_doubt.empty() ? input.carrier.lane.last_doubt
                                                                           : input.topics.target.message);
  return rows;
}

// Those that somebody has to do something about come first: the link's status has the first of them.
int urgency_of(GroupState state) {
  switch (state) {
    case GroupState::kRefused: return 0;
    case GroupState::kBehind: return 1;
    case GroupState::kMoved: return 2;
    case GroupState::kNotCarried: return 3;
    default: return 4;
  }
}

// nullopt until all were looked at, and where nobody looks at them any more.
std::optional<api::KafkaGroupsStatus> groups_status(const ReportInput& input) {
  if (!input.groups || !input.groups->looked_at || input.link->spec.paused) return std::nullopt;
  const GroupLook& look = *input.groups;
  api::KafkaGroupsStatus status;
  status.synced = static_cast<int64_t>(look.synced);
  status.active = static_cast<int64_t>(look.active);
  status.failed = static_cast<int64_t>(look.failed);
  if (look.oldest_seconds) status.oldest_seconds = std::round(*look.oldest_seconds * 10) / 10;
  auto troubled = look.troubled;
  std::stable_sort(troubled.begin(), troubled.end(),
                   [](const auto& a, const auto& b) { return urgency_of(a.state) < urgency_of(b.state); });
  for (const auto& one : troubled)
    status.troubled.push_back({one.group, std::string(to_string(one.state)), one_line(one.message, kMessageBytesMost)});
  return status;
}

api::KafkaStatus kafka_status(const ReportInput& input) {
  api::KafkaStatus status;
  if (input.carrier.order) {
    std::set<std::string> topics;
    each_partition(input, [&](const engine::PartitionName& name, const engine::PartitionStatus&) {
      topics.insert(name.topic);
      ++status.partitions_by_state[partition_state(name, input)];
    });
    status.topics = static_cast<int64_t>(topics.size());
    status.partitions = static_cast<int64_t>(input.carrier.order->partitions.size());
  }
  const engine::PartitionStatus sum = input.carrier.lane.total();
  status.records = sum.records;
  status.bytes = sum.bytes;
  if (input.carrier.order && input.carrier.order->spec.settings.filter) status.filtered_records = sum.filtered;
  if (sum.records > 0) status.passed_percent = 100 * (sum.records - sum.encoded_records) / sum.records;
  if (input.rates) {
    status.records_per_second = std::round(input.rates->records_per_second * 10) / 10;
    status.bytes_per_second = std::round(input.rates->bytes_per_second);
  }
  if (input.topics.prepared && !input.topics.prepared->source_cluster.empty())
    status.source_cluster_id = input.topics.prepared->source_cluster;
  if (input.topics.prepared && !input.topics.prepared->target_cluster.empty())
    status.target_cluster_id = input.topics.prepared->target_cluster;
  status.troubled = troubled(input);
  if (status.troubled.size() > kTroubledMost) status.troubled.resize(kTroubledMost);
  status.groups = groups_status(input);
  return status;
}

}  // namespace

std::string partition_state(const engine::PartitionName& name, const ReportInput& input) {
  if (input.link && input.link->spec.paused) return "Stopped";
  const auto found = input.carrier.lane.partitions.find(name);
  if (found != input.carrier.lane.partitions.end() && found->second.halt)
    return std::string(to_string(found->second.halt->reason));
  if (found != input.carrier.lane.partitions.end() && !found->second.waits.empty()) return "Waiting";
  if (!input.carrier.running || !input.carrier.lane.following) return "Starting";
  const auto lag = input.lags.find(name);
  if (lag == input.lags.end()) return "CatchingUp";
  const std::chrono::milliseconds checkpoint(input.carrier.order->spec.settings.checkpoint_interval_milliseconds);
  const auto most = std::max<std::chrono::milliseconds>(kBehind, 2 * checkpoint);
  return lag->second.caught_up && lag->second.time <= most ? "Following" : "CatchingUp";
}

MemberReport worker_report(const ReportInput& input) {
  MemberReport report;
  report.endpoint = kKafkaMember;
  report.instance = input.instance;
  report.address = input.address;
  report.state = MemberState::kStarting;
  if (!input.link) {
    report.message = input.unreadable.empty() ? "the link is not known yet" : input.unreadable;
    return report;
  }
  report.generation = input.generation;
  const bool paused = input.link->spec.paused;
  // Its transactional id is its own: whoever had it is ended, or fenced.
  report.holds_lease = !paused && input.carrier.running && input.carrier.lane.following;
  if (input.link->spec.targets.empty() || !input.link->spec.source.kafka || !input.link->spec.targets.front().kafka) {
    report.state = MemberState::kFailed;
    report.message = input.stall ? input.stall->message : "the link names no two Kafka clusters";
    return report;
  }
  const Rows rows = rows_of(input);
  Json details{{"kafka", api::to_json(kafka_status(input))},
               {"endpoints", {api::to_json(rows.source), api::to_json(rows.target)}},
               {"troubled", Json::array()}};
  for (const api::TroubledPartition& one : troubled(input)) details["troubled"].push_back(api::to_json(one));
  if (const auto& groups = input.groups; groups && !paused)
    details["groups"] = {
        {"waiting", groups->waiting}, {"notCarried", groups->not_carried}, {"trouble", groups->trouble}};
  if (paused) {
    report.state = MemberState::kStopped;
    report.message = "spec.paused is true";
  } else if (input.stall) {
    report.state = MemberState::kFailed;
    report.message = input.stall->message;
    details["stalled"] = {{"reason", input.stall->reason}, {"message", input.stall->message}};
  } else if (report.holds_lease) {
    report.state = MemberState::kRunning;
  } else {
    report.message = rows.source.state != to_string(MemberState::kRunning) ? rows.source.message.value_or("")
                                                                           : rows.target.message.value_or("");
  }
  report.details = std::move(details);
  return report;
}

bool is_ready(const MemberReport& report) {
  return report.state == MemberState::kRunning || report.state == MemberState::kStopped;
}

}  // namespace twinspan::worker_kafka
