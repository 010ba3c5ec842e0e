// How a transaction ends: positions and runs of offsets into the state, then the commit.
#include <algorithm>

#include "engines/kafka/lane.hpp"
#include "kafka/records.hpp"

namespace twinspan::kafka_engine {

using kafka::ErrorCode;

namespace {

constexpr int kCommitShare = 10;  // commits take this part of the time at most

}  // namespace

// The last page as it will be, and those behind it that it has no room for.
void Lane::add_pages(const PartitionName& name, Partition& partition, std::vector<StateRecord>& records) const {
  if (partition.fresh.empty()) return;
  OffsetHistory tail = book_->tail(name);
  // Answers of several requests come in any order.
  std::ranges::sort(partition.fresh, {}, &Run::source);
  for (const Run& run : partition.fresh)
    if (!tail.add(run)) return;  // the book finds the same
  for (auto& [number, page] : tail.pages()) records.push_back({page_key(name, number), std::move(page)});
}

void Lane::write_state() {
  std::vector<StateRecord> records;
  if (claiming_) records.push_back({std::string(kHolderKey), settings_.holder});
  for (auto& [name, partition] : partitions_) {
    const bool touched = transaction_.added.contains(name);
    if (!partition.dirty && !touched && partition.staged == partition.committed.position) continue;
    // The commit takes one offset of every partition that it touched (W11).
    const PartitionState state{partition.source_id, partition.target_id, partition.staged,
                               partition.target_next + (touched ? 1 : 0)};
    transaction_.writes.emplace(name, state);
    records.push_back({state_key(name), encode_state(state)});
    add_pages(name, partition, records);
  }
  transaction_.forgets = book_->too_old(settings_.history_bytes);
  for (const PageName& old : transaction_.forgets) records.push_back({page_key(old.partition, old.page), std::nullopt});
  kafka::BatchBuilder batch;
  const auto finish = [&] {
    const int32_t count = batch.count();
    if (count == 0) return;  // a batch without records is refused
    transaction_.state_batches.push_back(batch.finish(
        {.id = producer_id_, .epoch = producer_epoch_, .sequence = state_sequence_, .transactional = true}));
    state_sequence_ = kafka::sequence_after(state_sequence_, count);
  };
  for (const auto& [key, value] : records) {
    if (batch.body_bytes() + key.size() + value.value_or("").size() > state_batch_bytes_) finish();
    kafka::Record record{.key = key};
    if (value) record.value = *value;
    batch.add(record);
  }
  finish();
  transaction_.state = Transaction::State::kState;
  send_state();
}

// One after the other; then the transaction ends.
void Lane::send_state() {
  if (transaction_.state_batches.empty()) return end_transaction();
  state_batch_ = std::move(transaction_.state_batches.front());
  transaction_.state_batches.pop_front();
  kafka::ProduceRequest request{.transactional_id = settings_.transactional_id};
  request.topics.push_back({.name = settings_.state_topic, .partitions = {{.index = 0, .records = state_batch_}}});
  ask(Purpose::kStateProduce, Side::kTarget, state_leader_, std::move(request));
}

void Lane::heard_state_produced(const kafka::ProduceResponse& answer) {
  if (answer.topics.size() != 1 || answer.topics[0].partitions.size() != 1)
    return begin_anew("target: an answer about other partitions");
  const ErrorCode error = answer.topics[0].partitions[0].error;
  if (error == ErrorCode::kMessageTooLarge || error == ErrorCode::kRecordListTooLarge) state_batch_bytes_ /= 2;
  if (error != ErrorCode::kNone) return begin_anew("target: state: " + to_string(error));
  send_state();
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
    book_->commit(name, std::exchange(partition.fresh, {}), state.target_next);
    PartitionStatus& said = status_.partitions.at(name);
    said.committed = state.position;
    const Counts sent = std::exchange(partition.sent, {});
    said.records += sent.records;
    said.batches += sent.batches;
    said.bytes += sent.bytes;
    said.encoded += sent.encoded;
    said.encoded_records += sent.encoded_records;
    said.passed += sent.batches - sent.encoded;
    said.filtered += sent.filtered;
  }
  for (const PageName& page : transaction_.forgets) book_->forget_page(page);
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
