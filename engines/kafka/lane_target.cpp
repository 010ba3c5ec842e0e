// What a lane writes: records and positions in one transaction.
#include <fmt/format.h>

#include <algorithm>

#include "engines/kafka/lane.hpp"
#include "kafka/records.hpp"

namespace twinspan::kafka_engine {

using kafka::ErrorCode;

namespace {

constexpr int64_t kProduceBytes = 8 << 20;  // of a request, unless one batch is larger
constexpr int kCommitShare = 10;            // commits take this part of the time at most
constexpr int kSeenBeforeBelieved = 3;

}  // namespace

void Lane::skip_empty(Partition& partition) {
  while (!partition.queue.empty() && partition.queue.front().bytes.empty()) {
    partition.staged = partition.queue.front().next;
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
    const bool now = claiming_ || stopping_ ||
                     (data ? true : moved && now_ >= commit_not_before_ && now_ >= last_commit_ + settings_.checkpoint);
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
  if (now_ >= transaction_.began + settings_.checkpoint || transaction_.bytes >= settings_.transaction_bytes)
    return true;
  if (now_ < commit_not_before_ || pending(Purpose::kProduce)) return false;
  return std::ranges::all_of(partitions_, [](const auto& one) {
    const Partition& partition = one.second;
    if (!partition.queue.empty()) return false;
    return partition.halt || !partition.source_end || partition.fetch_at.offset >= *partition.source_end;
  });
}

void Lane::add_partitions() {
  if (pending(Purpose::kAdd) || now_ < transaction_.add_not_before) return;
  std::map<std::string, std::vector<int32_t>> topics;
  if (transaction_.state == Transaction::State::kOpen && !claiming_)
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
  std::map<int32_t, std::vector<PartitionName>> by_broker;
  for (const PartitionName& name : transaction_.added) by_broker[partitions_.at(name).target_leader].push_back(name);
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
        if (partition.queue.empty() || bytes >= kProduceBytes || transaction_.bytes >= settings_.transaction_bytes)
          continue;
        Item item = std::move(partition.queue.front());
        partition.queue.pop_front();
        kafka::mark(
            item.bytes,
            {.id = producer_id_, .epoch = producer_epoch_, .sequence = partition.sequence, .transactional = true});
        partition.sequence = kafka::sequence_after(partition.sequence, item.count);
        partition.staged = item.next;
        const auto size = static_cast<int64_t>(item.bytes.size());
        partition.queued_bytes -= size;
        partition.sent_bytes += size;
        partition.sent_records += item.count;
        ++partition.sent_batches;
        bytes += size;
        transaction_.bytes += size;
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
      partition.corrupt = 0;
      if (got.base_offset < partition.target_next) {
        halt(name, Halt::Reason::kTargetLost, partition.committed.position.offset,
             fmt::format("the target wrote at {}, though it had acknowledged up to {}: it has lost records",
                         got.base_offset, partition.target_next));
        doubt = fmt::format("target: {}/{} has lost records", topic.name, got.index);
      } else if (partition.target_exact) {
        status_.partitions.at(name).foreign += got.base_offset - partition.target_next;
      }
      partition.target_next = got.base_offset + item.count;
      partition.target_exact = true;
    }
  if (told != asked.items.size() && doubt.empty()) doubt = "target: an answer that leaves partitions out";
  if (!doubt.empty()) begin_anew(doubt);
}

// What will be refused again halts its partition, before that batch; all else is tried anew.
void Lane::refused(const PartitionName& name, const Item& item, ErrorCode error, const std::string& message) {
  const std::string why = message.empty() ? to_string(error) : fmt::format("{}: {}", to_string(error), message);
  switch (error) {
    case ErrorCode::kMessageTooLarge:
    case ErrorCode::kRecordListTooLarge:
      return halt(name, Halt::Reason::kTooLarge, item.base,
                  fmt::format("{} bytes are more than the target takes: {}", item.bytes.size(), why));
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
    default: return;
  }
}

void Lane::write_state() {
  kafka::BatchBuilder batch;
  if (claiming_) batch.add({.key = kHolderKey, .value = settings_.holder});
  for (auto& [name, partition] : partitions_) {
    const bool touched = transaction_.added.contains(name);
    if (!partition.dirty && !touched && partition.staged == partition.committed.position) continue;
    // The commit takes one offset of every partition that it touched (W11).
    const PartitionState state{partition.source_id, partition.target_id, partition.staged,
                               partition.target_next + (touched ? 1 : 0)};
    transaction_.writes.emplace(name, state);
    const std::string key = state_key(name), value = encode_state(state);
    batch.add({.key = key, .value = value});
  }
  const int32_t count = batch.count();
  if (count == 0) return end_transaction();  // a batch without records is refused
  state_batch_ =
      batch.finish({.id = producer_id_, .epoch = producer_epoch_, .sequence = state_sequence_, .transactional = true});
  state_sequence_ = kafka::sequence_after(state_sequence_, count);
  kafka::ProduceRequest request{.transactional_id = settings_.transactional_id};
  request.topics.push_back({.name = settings_.state_topic, .partitions = {{.index = 0, .records = state_batch_}}});
  transaction_.state = Transaction::State::kState;
  ask(Purpose::kStateProduce, Side::kTarget, state_leader_, std::move(request));
}

void Lane::heard_state_produced(const kafka::ProduceResponse& answer) {
  if (answer.topics.size() != 1 || answer.topics[0].partitions.size() != 1)
    return begin_anew("target: an answer about other partitions");
  if (const ErrorCode error = answer.topics[0].partitions[0].error; error != ErrorCode::kNone)
    return begin_anew("target: state: " + to_string(error));
  end_transaction();
}

void Lane::end_transaction() {
  transaction_.state = Transaction::State::kEnding;
  ask(Purpose::kEnd, Side::kTarget, coordinator_,
      kafka::EndTxnRequest{.transactional_id = settings_.transactional_id,
                           .producer_id = producer_id_,
                           .epoch = producer_epoch_,
                           .committed = true});
}

void Lane::heard_end(const kafka::EndTxnResponse& answer) {
  if (answer.error != ErrorCode::kNone) return begin_anew("target: EndTxn: " + to_string(answer.error));
  committed();
}

void Lane::committed() {
  for (const auto& [name, state] : transaction_.writes) {
    Partition& partition = partitions_.at(name);
    partition.committed = state;
    partition.target_next = state.target_next;
    partition.dirty = false;
    PartitionStatus& said = status_.partitions.at(name);
    said.committed = state.position;
    said.records += std::exchange(partition.sent_records, 0);
    said.batches += std::exchange(partition.sent_batches, 0);
    said.bytes += std::exchange(partition.sent_bytes, 0);
  }
  ++status_.commits;
  last_commit_ = now_;
  commit_not_before_ = now_ + (kCommitShare - 1) * (now_ - transaction_.closing);
  backoff_ = Time{0};
  if (std::exchange(claiming_, false)) {
    established_ = true;
    commit_not_before_ = now_;
    last_commit_ = now_ - settings_.checkpoint;
  }
  transaction_ = {};
}

}  // namespace twinspan::kafka_engine
