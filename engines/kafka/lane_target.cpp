// What a lane writes: records and positions in one transaction.
#include <fmt/format.h>

#include <algorithm>

#include "engines/kafka/lane.hpp"
#include "kafka/records.hpp"

namespace twinspan::kafka_engine {

using kafka::ErrorCode;

namespace {

constexpr int64_t kProduceBytes = 8 << 20;  // of a request, unless one batch is larger
constexpr int kSeenBeforeBelieved = 3;
constexpr double kBurstSeconds = 0.1;  // of the bytes of a second, at once
constexpr int kRestDoublings = 4;

std::string may_not_write(const std::string& topic) {
  return fmt::format("the target's topic {} may not be written: TOPIC_AUTHORIZATION_FAILED; give the link's user Write",
                     topic);
}

}  // namespace

void Lane::skip_empty(Partition& partition) {
  while (!partition.queue.empty() && partition.queue.front().bytes.empty()) {
    partition.staged = partition.queue.front().next;
    partition.sent.filtered += partition.queue.front().filtered;
    partition.queue.pop_front();
  }
}

void Lane::transact() {
  if (transaction_.state == Transaction::State::kNone) {
    bool data = false, moved = claiming_;
    for (auto& [name, partition] : partitions_) {
      skip_empty(partition);
      data = data || !partition.queue.empty();
      moved = moved || partition.dirty || partition.staged != partition.committed.position;
    }
    if (stopping_ && !moved) {
      phase_ = Phase::kOver;
      return;
    }
    // Where only positions moved, over markers, there is no hurry.
    const bool now =
        claiming_ || stopping_ ||
        (data ? may_send() : moved && now_ >= commit_not_before_ && now_ >= last_commit_ + settings_.checkpoint);
    if (!now) return;
    transaction_ = {};
    transaction_.state = Transaction::State::kOpen;
    transaction_.began = now_;
  }
  if (transaction_.state == Transaction::State::kOpen) {
    for (auto& [name, partition] : partitions_) skip_empty(partition);
    add_partitions();
    produce();
    if (should_close()) {
      transaction_.state = Transaction::State::kClosing;
      transaction_.closing = now_;
    }
  }
  if (transaction_.state == Transaction::State::kClosing) {
    add_partitions();
    if (transaction_.state_added && !pending(Purpose::kAdd) && !pending(Purpose::kProduce)) write_state();
  }
}

bool Lane::should_close() const {
  if (claiming_ || stopping_) return true;
  // It begins when the coordinator takes it, which may have to wait for the one before.
  if (!transaction_.state_added) return false;
  if (now_ >= transaction_.began + settings_.checkpoint || full()) return true;
  if (now_ < commit_not_before_ || pending(Purpose::kProduce)) return false;
  return std::ranges::all_of(partitions_, [](const auto& one) {
    const Partition& partition = one.second;
    if (!partition.queue.empty()) return false;
    return partition.halt || !partition.source_end || partition.fetch_at.offset >= *partition.source_end;
  });
}

bool Lane::full() const {
  return transaction_.bytes >= settings_.transaction_bytes ||
         (settings_.transaction_records && transaction_.records >= *settings_.transaction_records);
}

// A batch is sent whole once anything may be; what it is over is waited for afterwards.
bool Lane::may_send() {
  if (!settings_.bytes_per_second) return true;
  const auto rate = static_cast<double>(*settings_.bytes_per_second);
  const auto since = static_cast<double>((now_ - std::exchange(allowed_at_, now_)).count());
  allowance_ = std::min(allowance_ + rate * since / 1000, std::max(1.0, rate * kBurstSeconds));
  return allowance_ > 0;
}

void Lane::add_partitions() {
  if (pending(Purpose::kAdd) || now_ < transaction_.add_not_before) return;
  std::map<std::string, std::vector<int32_t>> topics;
  if (transaction_.state == Transaction::State::kOpen && !claiming_ && may_send())
    for (const auto& [name, partition] : partitions_)
      if (!partition.queue.empty() && partition.target_leader >= 0 && !transaction_.added.contains(name)) {
        transaction_.adding.insert(name);
        topics[partition.target_topic].push_back(name.partition);
      }
  if (!transaction_.state_added) topics[settings_.state_topic].push_back(0);
  if (topics.empty()) return;
  kafka::AddPartitionsToTxnRequest request{
      .transactional_id = settings_.transactional_id, .producer_id = producer_id_, .epoch = producer_epoch_};
  for (auto& [topic, indexes] : topics) request.topics.push_back({.name = topic, .partitions = std::move(indexes)});
  ask(Purpose::kAdd, Side::kTarget, coordinator_, std::move(request));
}

void Lane::heard_added(const kafka::AddPartitionsToTxnResponse& answer) {
  // One that may not be written holds no other up. The others are told as not attempted.
  bool refused = false;
  for (const auto& topic : answer.topics)
    for (const auto& got : topic.partitions)
      if (got.error == ErrorCode::kTopicAuthorizationFailed)
        for (const auto& [name, partition] : partitions_)
          if (partition.target_topic == topic.name && name.partition == got.index) {
            halt(name, Halt::Reason::kRefused, partition.committed.position.offset, may_not_write(topic.name));
            refused = true;
          }
  if (refused) return begin_anew("target: AddPartitionsToTxn: a topic may not be written");
  for (const auto& topic : answer.topics)
    for (const auto& got : topic.partitions) {
      if (got.error == ErrorCode::kNone) continue;
      if (got.error == ErrorCode::kConcurrentTransactions) {  // the one before is being ended still
        transaction_.adding.clear();
        transaction_.add_not_before = now_ + Time{5};
        return;
      }
      return begin_anew(
          fmt::format("target: AddPartitionsToTxn: {}/{}: {}", topic.name, got.index, to_string(got.error)));
    }
  transaction_.added.merge(transaction_.adding);
  transaction_.adding.clear();
  if (!std::exchange(transaction_.state_added, true)) transaction_.began = now_;
}

void Lane::produce() {
  // Whoever was served last comes last.
  std::vector<std::pair<int32_t, std::vector<PartitionName>>> by_broker;
  const auto offer = [&](const PartitionName& name) {
    const int32_t leader = partitions_.at(name).target_leader;
    auto found = std::ranges::find(by_broker, leader, &std::pair<int32_t, std::vector<PartitionName>>::first);
    if (found == by_broker.end()) found = by_broker.insert(found, {leader, {}});
    found->second.push_back(name);
  };
  const auto after = transaction_.added.upper_bound(served_);
  std::for_each(after, transaction_.added.end(), offer);
  std::for_each(transaction_.added.begin(), after, offer);
  std::set<PartitionName> on_their_way;
  if (settings_.partitions_at_once)
    for (const auto& [ticket, asked] : pending_)
      for (const Sent& one : asked.items) on_their_way.insert(one.partition);
  const auto has_turn = [&](const PartitionName& name) {
    return !settings_.partitions_at_once || on_their_way.contains(name) ||
           static_cast<int64_t>(on_their_way.size()) < *settings_.partitions_at_once;
  };
  for (const auto& [broker, names] : by_broker) {
    if (broker < 0) continue;
    while (std::ranges::count_if(pending_, [&](const auto& one) {
             return one.second.purpose == Purpose::kProduce && one.second.broker == broker;
           }) < settings_.produces_at_once) {
      kafka::ProduceRequest request{.transactional_id = settings_.transactional_id};
      Pending asked{.purpose = Purpose::kProduce, .side = Side::kTarget, .broker = broker, .deadline = {}};
      int64_t bytes = 0;
      // A request holds one batch a partition (W1).
      for (const PartitionName& name : names) {
        Partition& partition = partitions_.at(name);
        if (partition.queue.empty() || bytes >= kProduceBytes || full() || !has_turn(name) || !may_send()) continue;
        Item item = std::move(partition.queue.front());
        partition.queue.pop_front();
        kafka::mark(
            item.bytes,
            {.id = producer_id_, .epoch = producer_epoch_, .sequence = partition.sequence, .transactional = true});
        partition.sequence = kafka::sequence_after(partition.sequence, item.count);
        partition.staged = item.next;
        const auto size = static_cast<int64_t>(item.bytes.size());
        partition.queued_bytes -= size;
        Counts& sent = partition.sent;
        sent.bytes += size;
        sent.records += item.count;
        ++sent.batches;
        sent.encoded += item.encoded;
        sent.encoded_records += item.encoded ? item.count : 0;
        sent.filtered += item.filtered;
        bytes += size;
        transaction_.bytes += size;
        transaction_.records += item.count;
        allowance_ -= static_cast<double>(size);
        served_ = name;
        on_their_way.insert(name);
        auto topic = std::ranges::find(request.topics, partition.target_topic, &kafka::ProduceRequest::Topic::name);
        if (topic == request.topics.end()) topic = request.topics.insert(topic, {.name = partition.target_topic});
        topic->partitions.push_back({.index = name.partition, .records = {item.bytes.data(), item.bytes.size()}});
        asked.items.push_back({name, std::move(item)});
        skip_empty(partition);
      }
      if (asked.items.empty()) break;
      ask(Purpose::kProduce, Side::kTarget, broker, std::move(request), std::move(asked));
    }
  }
}

void Lane::heard_produced(Pending& asked, const kafka::ProduceResponse& answer) {
  std::string doubt;
  size_t told = 0;
  for (const auto& topic : answer.topics)
    for (const auto& got : topic.partitions) {
      const auto sent = std::ranges::find_if(asked.items, [&](const Sent& one) {
        return one.partition.partition == got.index && partitions_.at(one.partition).target_topic == topic.name;
      });
      if (sent == asked.items.end()) continue;
      ++told;
      const auto& [name, item] = *sent;
      Partition& partition = partitions_.at(name);
      if (got.error != ErrorCode::kNone) {
        refused(name, item, got.error, got.message.value_or(""));
        doubt = fmt::format("target: {}/{}: {}", topic.name, got.index, to_string(got.error));
        continue;
      }
      buffered_ -= static_cast<int64_t>(item.bytes.size());
      partition.corrupt = partition.not_taken = 0;
      status_.partitions.at(name).waits.clear();
      if (item.count > 1)
        partition.taken_bytes = std::max(partition.taken_bytes, static_cast<int64_t>(item.bytes.size()));
      if (got.base_offset < partition.target_next) {
        halt(name, Halt::Reason::kTargetLost, partition.committed.position.offset,
             fmt::format("the target wrote at {}, though it had acknowledged up to {}: it has lost records",
                         got.base_offset, partition.target_next));
        doubt = fmt::format("target: {}/{} has lost records", topic.name, got.index);
      } else if (partition.target_exact) {
        status_.partitions.at(name).foreign += got.base_offset - partition.target_next;
      }
      if (item.runs.empty()) {
        partition.fresh.push_back({item.base, got.base_offset, item.count});
      } else {
        for (const Run& run : item.runs)
          partition.fresh.push_back({run.source, got.base_offset + run.target, run.count});
      }
      partition.target_next = got.base_offset + item.count;
      partition.target_exact = true;
    }
  if (told != asked.items.size() && doubt.empty()) doubt = "target: an answer that leaves partitions out";
  if (!doubt.empty()) begin_anew(doubt);
}

// What the target takes is not told. Between what it took and what it refused the half is tried, down to single
// records.
void Lane::too_large(const PartitionName& name, const Item& item, const std::string& why) {
  const auto size = static_cast<int64_t>(item.bytes.size());
  if (item.count == 1)
    return halt(name, Halt::Reason::kTooLarge, item.base,
                fmt::format("{} bytes are more than the target takes: {}", size, why));
  Partition& partition = partitions_.at(name);
  if (partition.taken_bytes >= size) partition.taken_bytes = 0;  // it takes less than it did
  partition.most_bytes = std::max(partition.taken_bytes, size / 2);
}

// What will be refused again halts its partition, before that batch; all else is tried anew.
void Lane::refused(const PartitionName& name, const Item& item, ErrorCode error, const std::string& message) {
  const std::string why = message.empty() ? to_string(error) : fmt::format("{}: {}", to_string(error), message);
  switch (error) {
    case ErrorCode::kMessageTooLarge:
    case ErrorCode::kRecordListTooLarge: return too_large(name, item, why);
    case ErrorCode::kTopicAuthorizationFailed:
      return halt(name, Halt::Reason::kRefused, item.base, may_not_write(partitions_.at(name).target_topic));
    case ErrorCode::kInvalidRecord:
    case ErrorCode::kInvalidTimestamp:
    case ErrorCode::kUnsupportedCompressionType:
    case ErrorCode::kUnsupportedForMessageFormat:
      return halt(name, Halt::Reason::kRefused, item.base,
                  fmt::format("the target refuses the batch at {}: {}", item.base, why));
    case ErrorCode::kCorruptMessage:
      if (++partitions_.at(name).corrupt >= kSeenBeforeBelieved)
        halt(name, Halt::Reason::kCorrupt, item.base, fmt::format("the batch at {}: {}", item.base, why));
      return;
    case ErrorCode::kNotEnoughReplicas:
    case ErrorCode::kNotEnoughReplicasAfterAppend: {
      Partition& partition = partitions_.at(name);
      partition.rests_until = now_ + settings_.retry_most * (1 << std::min(partition.not_taken++, kRestDoublings));
      status_.partitions.at(name).waits = why;
      return;
    }
    default: return;
  }
}

}  // namespace twinspan::kafka_engine
