#include "worker/kafka/agent.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>

#include "core/log.hpp"
#include "worker/obeyed_link.hpp"

namespace twinspan::worker_kafka {
namespace {

namespace engine = kafka_engine;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kTurn{500};
constexpr seconds kHangs{60};  // a question to the API server may be under way
constexpr seconds kRefresh{10}, kHeardLately{10}, kOwnerEvery{2};

kube::Config own(kube::Config config) {
  config.user_agent = "twinspan-kafka-worker";
  config.connections = 2;
  return config;
}

std::string new_instance(const std::string& pod_uid) {
  std::random_device random;
  return fmt::format("{}-{:08x}{:08x}", pod_uid, random(), random());
}

// Its positions are of the log whose end is heard.
bool is_measured(const engine::PartitionStatus& partition) {
  if (!partition.halt) return true;
  switch (partition.halt->reason) {
    case engine::Halt::Reason::kExisting:
    case engine::Halt::Reason::kRecreated:
    case engine::Halt::Reason::kTruncated:
    case engine::Halt::Reason::kTargetLost: return false;
    default: return true;
  }
}

}  // namespace

Agent::Agent(Options options, const kube::Config& config, const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      instance_(new_instance(options_.pod_uid)),
      client_(own(config)),
      links_(client_, kube::kReplicationLinks, worker::only({options_.ns, options_.link}), worker::read_obeyed),
      topics_(clock, [this] { changed_.raise(); }),
      carrier_(instance_, clock, [this] { changed_.raise(); }),
      groups_(clock, carrier_.book(), [this] { changed_.raise(); }),
      servers_(
          worker::servers_config(options_, options_.tls_dir), board_,
          [this] {
            MutexLock lock(mutex_);
            return metrics_;
          },
          [this] {
            return clock_.boot_now().time_since_epoch().count() - turned_at_ < std::chrono::nanoseconds(kHangs).count();
          }) {
  links_.add_handler([this](const kube::Key&, const auto&, const auto& after) {
    {
      MutexLock lock(mutex_);
      link_ = after;
    }
    changed_.raise();
  });
}

std::shared_ptr<const api::ReplicationLink> Agent::link() const {
  MutexLock lock(mutex_);
  return link_;
}

// A pod that was given up on while its node was away has a successor of the same name, and another uid.
PodOwner Agent::ask_owner() {
  const BootTime now = clock_.boot_now();
  if (owner_asked_at_ && now - *owner_asked_at_ < kOwnerEvery) return PodOwner::kUnknown;
  owner_asked_at_ = now;
  const auto pod = client_.get(kube::kPods, {options_.ns, options_.pod_name}, stop_.get_token());
  if (pod)
    return text_of(member_of(*pod, "metadata"), "uid") == options_.pod_uid ? PodOwner::kOurs : PodOwner::kAnothers;
  log::warn("whose pod this is cannot be asked", {{"pod", options_.pod_name}, {"error", pod.error().message}});
  return pod.error().code == Code::kNotFound ? PodOwner::kAnothers : PodOwner::kUnknown;
}

// What is carried goes on while a leader is away, unless the lane cannot begin without it: one partition holds no other
// up.
std::map<engine::PartitionName, std::string> Agent::carried_now(const engine::PreparedTopics& prepared) const {
  const auto carrier = carrier_.look();
  const bool follows = carrier->running && carrier->lane.following;
  std::map<engine::PartitionName, std::string> partitions;
  for (const auto& [name, mirror] : prepared.partitions)
    if (!prepared.leaderless.contains(name) || (follows && carrier->order->partitions.contains(name)))
      partitions.emplace(name, mirror);
  return partitions;
}

std::nullopt_t Agent::carry_nothing() {
  topics_.want(std::nullopt);
  carrier_.want(std::nullopt);
  return std::nullopt;
}

std::optional<GroupOrder> Agent::carry(const api::ReplicationLink& link, ReportInput& input) {
  auto spec = carry_spec_of(link);
  if (!spec) {
    input.stall = engine::Stall{"SpecRefused", spec.error().message};
    carried_out_ = link.metadata.generation;
    return carry_nothing();
  }
  auto source = mounted_access(spec->source, options_.kafka_dir),
       target = mounted_access(spec->target, options_.kafka_dir);
  if (!source) input.source_wrong = source.error().message;
  if (!target) input.target_wrong = target.error().message;
  if (!source || !target) return carry_nothing();
  if (!owner_known_) {
    const PodOwner owner = ask_owner();
    if (owner == PodOwner::kAnothers) ended_ = true;
    owner_known_ = owner == PodOwner::kOurs;
    input.waits = "whether this pod is still the link's is asked";
    if (!owner_known_) return std::nullopt;
  }
  TopicOrder order{*source,
                   *target,
                   spec->settings.topics,
                   spec->settings.topic_prefix,
                   engine::state_topic_of(full_name(*spec)),
                   spec->settings.replication_factor};
  topics_.want(order);
  if (const auto look = topics_.look(); look->order == order) input.topics = *look;

  SecondThoughts::Verdict verdict = second_thoughts_.look(*carrier_.look(), {}, clock_.boot_now());
  if (verdict.ask_owner) verdict = second_thoughts_.look(*carrier_.look(), ask_owner(), clock_.boot_now());
  input.waits = verdict.waits;
  input.stall = verdict.stall;
  ended_ = ended_ || verdict.end;
  const auto carrier = carrier_.look();
  if (input.stall || (carrier->running && carrier->order->spec == *spec)) carried_out_ = link.metadata.generation;
  // Whoever was thrown out is not let in again by another order, only by another attempt.
  if (carrier->ended && carrier->ended->code == Code::kConflict &&
      carrier->order->attempt == second_thoughts_.attempt())
    return std::nullopt;
  const auto& prepared = input.topics.prepared;
  if (!prepared) {
    carrier_.want(std::nullopt);
    return std::nullopt;
  }
  if (prepared->stall) {
    input.stall = prepared->stall;
    carried_out_ = link.metadata.generation;
    carrier_.want(std::nullopt);
    return std::nullopt;
  }
  LaneOrder lane{std::move(*spec),       std::move(*source),         std::move(*target),
                 carried_now(*prepared), second_thoughts_.attempt(), prepared->remade};
  std::optional<GroupOrder> groups;
  if (link.spec.kafka.groups && carrier->running && carrier->lane.following && *carrier->order == lane)
    groups = GroupOrder{lane.source, lane.target, *link.spec.kafka.groups, full_name(lane.spec), lane.partitions};
  carrier_.want(std::move(lane));
  return groups;
}

void Agent::measure(ReportInput& input) {
  const BootTime now = clock_.boot_now();
  const CarrierLook& carrier = input.carrier;
  const engine::PartitionStatus sum = carrier.lane.total();
  rate_meter_.add(sum.records, sum.bytes, now);
  input.rates = rate_meter_.rates();
  if (!carrier.order) return;
  lag_clock_.keep_only(carrier.order->partitions);
  input.source_heard = input.topics.ends_at && now - *input.topics.ends_at < kHeardLately;
  if (carrier.running && carrier.source.answered_at)
    input.source_heard =
        input.source_heard || std::chrono::steady_clock::now() - *carrier.source.answered_at < kHeardLately;
  for (const auto& [name, mirror] : carrier.order->partitions) {
    std::optional<int64_t> end;
    BootTime heard_at = now;
    if (const auto found = input.topics.ends.find(name); found != input.topics.ends.end() && input.topics.ends_at) {
      end = found->second;
      heard_at = *input.topics.ends_at;
    }
    const auto lane = carrier.lane.partitions.find(name);
    if (lane != carrier.lane.partitions.end()) {
      const engine::PartitionStatus& partition = lane->second;
      if (!is_measured(partition)) continue;
      if (carrier.running && partition.source_end && (!end || *partition.source_end >= *end)) {
        end = partition.source_end;
        heard_at = carrier.told_at.value_or(now);
      }
      if (carrier.running && carrier.lane.following) lag_clock_.committed(name, partition.committed.offset);
    }
    if (end) lag_clock_.heard_end(name, *end, heard_at);
    if (const auto lag = lag_clock_.lag(name, now)) input.lags.emplace(name, *lag);
  }
}

void Agent::turn() {
  const auto link = this->link();
  const bool valid = link && worker::may_be_obeyed(*link);
  if (valid) obeyed_ = link;
  // A link that was made anew under its name is another one.
  if (obeyed_ && link && obeyed_->metadata.uid != link->metadata.uid) {
    obeyed_.reset();
    carried_out_ = 0;
  }
  ReportInput input;
  std::optional<GroupOrder> groups;
  input.instance = instance_;
  input.address = options_.address;
  if (link && obeyed_ && !obeyed_->spec.paused && !link->metadata.deleting()) {
    groups = carry(*obeyed_, input);
  } else {
    carry_nothing();
    if (obeyed_ && carrier_.idle()) carried_out_ = obeyed_->metadata.generation;
  }
  groups_.want(groups);
  if (obeyed_ && obeyed_->spec.kafka.groups) {
    input.groups.emplace();
    if (const auto look = groups_.look(); look->order == groups) input.groups = *look;
  }
  input.generation = carried_out_;
  input.link = link && obeyed_ ? obeyed_.get() : nullptr;
  if (link && !valid) input.unreadable = "the link's spec is not accepted";
  input.carrier = *carrier_.look();
  measure(input);
  MemberReport report = worker_report(input);
  std::string metrics = metrics_text(options_.ns, options_.link, input);
  {
    MutexLock lock(mutex_);
    metrics_ = std::move(metrics);
  }
  const bool ready = is_ready(report);
  board_.publish(std::move(report), ready);
  turned_at_ = clock_.boot_now().time_since_epoch().count();
}

int Agent::run() {
  log::info("agent started", {{"instance", instance_}});
  turn();
  if (auto started = servers_.start(); !started) {
    log::error("can't listen", {{"error", started.error().message}});
    return 1;
  }
  links_.start();
  BootTime refresh_at = clock_.boot_now() + kRefresh;
  while (!stop_.stop_requested() && !ended_) {
    changed_.wait(kTurn, stop_.get_token());
    if (stop_.stop_requested()) break;
    turn();
    if (clock_.boot_now() < refresh_at) continue;
    servers_.refresh_identity();
    refresh_at = clock_.boot_now() + kRefresh;
  }
  if (ended_)
    log::error("this pod is the link's no more: another one of its name took its place",
               {{"pod", options_.pod_name}, {"uid", options_.pod_uid}});
  groups_.stop();
  carrier_.stop();
  topics_.stop();
  links_.stop();
  servers_.stop();
  log::info("agent stopped", {});
  return ended_ ? 1 : 0;
}

}  // namespace twinspan::worker_kafka
