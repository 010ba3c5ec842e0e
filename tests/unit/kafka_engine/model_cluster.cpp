#include "unit/kafka_engine/model_cluster.hpp"

#include <algorithm>

#include "kafka/codec.hpp"
#include "kafka/crc32c.hpp"
#include "kafka/records.hpp"

namespace twinspan::kafka_engine {

using namespace kafka;

kafka::Uuid ModelCluster::uuid_of(const std::string& topic) {
  Uuid id{1};
  for (size_t i = 0; i < topic.size(); ++i)
    id[1 + i % 15] = static_cast<unsigned char>(id[1 + i % 15] * 7 + static_cast<unsigned char>(topic[i]));
  return id;
}

std::string ModelCluster::name_of(const Uuid& id) const {
  for (const auto& [name, logs] : topics_)
    if (uuid_of(name) == id) return name;
  return "";
}

void ModelCluster::create(const std::string& topic, int partitions) {
  auto& logs = topics_[topic];
  logs.resize(static_cast<size_t>(partitions));
  for (Log& one : logs) one.leader = static_cast<int>(random_() % static_cast<unsigned>(brokers_));
}

ModelCluster::Log* ModelCluster::find(const std::string& topic, int partition) {
  const auto found = topics_.find(topic);
  if (found == topics_.end() || partition < 0 || static_cast<size_t>(partition) >= found->second.size()) return nullptr;
  return &found->second[static_cast<size_t>(partition)];
}

void ModelCluster::append(const std::string& topic, int partition, std::string batch) {
  Log& one = *find(topic, partition);
  store(batch.data(), one.end);
  store(batch.data() + 12, int32_t{3});  // the leader's epoch
  const BatchHead head = read_head(batch);
  if (head.transactional() && !head.control()) one.open.emplace(head.producer_id, one.end);
  one.end += head.last_delta + 1;
  one.batches.push_back({head, std::move(batch)});
}

void ModelCluster::skip(const std::string& topic, int partition, int64_t offsets) {
  find(topic, partition)->end += offsets;
}

void ModelCluster::marker(Log& one, int64_t producer, int16_t epoch, bool commit) {
  std::string key;
  Writer out(key);
  out.put(int16_t{0});
  out.put(static_cast<int16_t>(commit ? 1 : 0));
  BatchBuilder builder;
  builder.add({.time = 1, .key = key, .value = std::string_view("\0\0\0\0\0\0", 6)});
  std::string batch = builder.finish({.id = producer, .epoch = epoch, .sequence = -1, .transactional = true});
  store(batch.data() + 21, static_cast<int16_t>(16 | 32));
  store(batch.data() + 17, crc32c(std::string_view(batch).substr(21)));
  store(batch.data(), one.end);
  store(batch.data() + 12, int32_t{3});
  if (const auto open = one.open.find(producer); open != one.open.end()) {
    if (!commit) one.aborted.push_back({producer, open->second, one.end});
    one.open.erase(open);
  }
  ProducerState& state = one.producers[producer];
  if (epoch > state.epoch) state = {epoch, 0};
  one.batches.push_back({read_head(batch), batch});
  ++one.end;
}

void ModelCluster::end(int64_t producer, int16_t epoch, const std::string& topic, int partition, bool commit) {
  marker(*find(topic, partition), producer, epoch, commit);
}

void ModelCluster::move_leaders() {
  for (auto& [name, logs] : topics_)
    for (Log& one : logs) one.leader = static_cast<int>(random_() % static_cast<unsigned>(brokers_));
}

void ModelCluster::begin_end(Transaction& transaction, bool commit, int16_t epoch) {
  transaction.epoch = epoch;
  transaction.state = commit ? Transaction::State::kCommitting : Transaction::State::kAborting;
  transaction.markers_at =
      now_ + static_cast<int64_t>(random_() % (random_() % 4 == 0 ? 300 : 30));  // also longer than a checkpoint
}

void ModelCluster::tick(int64_t now) {
  now_ = now;
  using State = Transaction::State;
  for (auto& [id, transaction] : transactions_) {
    if (transaction.state == State::kOngoing && now_ > transaction.began + transaction_timeout)
      begin_end(transaction, false, static_cast<int16_t>(transaction.epoch + 1));
    if ((transaction.state == State::kCommitting || transaction.state == State::kAborting) &&
        now_ >= transaction.markers_at) {
      const bool commit = transaction.state == State::kCommitting;
      for (const auto& [topic, partition] : transaction.partitions)
        marker(*find(topic, partition), transaction.producer, transaction.epoch, commit);
      transaction.partitions.clear();
      transaction.state = commit ? State::kCommitted : State::kAborted;
    }
  }
}

int64_t ModelCluster::stable_of(const Log& one) {
  int64_t stable = one.end;
  for (const auto& [producer, first] : one.open) stable = std::min(stable, first);
  return stable;
}
int64_t ModelCluster::stable(const std::string& topic, int partition) const { return stable_of(log(topic, partition)); }

bool ModelCluster::anything_open() const {
  return std::ranges::any_of(topics_, [](const auto& topic) {
    return std::ranges::any_of(topic.second, [](const Log& one) { return !one.open.empty(); });
  });
}

std::vector<std::string> ModelCluster::committed_batches(const std::string& topic, int partition) const {
  const Log& one = log(topic, partition);
  std::vector<std::string> rows;
  for (const Stored& batch : one.batches) {
    if (batch.head.control() || batch.head.base_offset >= stable_of(one)) continue;
    const bool aborted = batch.head.transactional() && std::ranges::any_of(one.aborted, [&](const Aborted& range) {
                           return range.producer == batch.head.producer_id && range.first <= batch.head.base_offset &&
                                  batch.head.base_offset < range.marker;
                         });
    if (!aborted) rows.push_back(batch.bytes);
  }
  return rows;
}

std::vector<std::string> ModelCluster::committed(const std::string& topic, int partition) const {
  std::vector<std::string> rows;
  for (const std::string& batch : committed_batches(topic, partition))
    rows.push_back(batch.substr(27, 16) + batch.substr(57));
  return rows;
}

// Stricter than a broker, which corrects some of this without a word.
bool ModelCluster::is_sound(const BatchHead& head, std::string_view batch) {
  if (head.base_offset != 0 || (head.attributes & ~(7 | 16)) != 0 || head.count != head.last_delta + 1 ||
      head.count == 0)
    return false;
  Unpacker unpacker;
  std::string_view body;
  if (unpacker.unpack(head.codec(), batch.substr(kBatchHeadBytes), 64 << 20, body) != Unpacker::Found::kDone)
    return false;
  Records records(head, body);
  int32_t n = 0;
  int64_t last = INT64_MIN;
  while (const Record* record = records.next()) {
    if (record->offset_delta != n++) return false;
    last = std::max(last, record->time);
  }
  return !records.failed() && n == head.count && last == head.last_time;
}

ErrorCode ModelCluster::produce(int32_t broker, const std::string& topic, int partition, std::string_view records,
                                const std::optional<std::string>& txid, int64_t& base) {
  Log* const one = find(topic, partition);
  if (!one) return Error::kUnknownTopicOrPartition;
  if (one->leader != broker) return Error::kNotLeaderOrFollower;
  std::string bytes(records);
  Batches batches(bytes);
  if (batches.next() != Batches::Found::kBatch || batches.bytes().size() != bytes.size()) return Error::kInvalidRecord;
  const BatchHead head = batches.head();
  if (!crc_is_right(bytes)) return Error::kCorruptMessage;
  if (bytes.size() > max_message_bytes) return Error::kMessageTooLarge;
  if (!is_sound(head, bytes)) return Error::kInvalidRecord;
  if (few_in_sync.contains(topic)) return Error::kNotEnoughReplicas;
  if (!head.transactional() || !txid) return Error::kInvalidTxnState;
  ProducerState& state = one->producers[head.producer_id];
  if (!mistakes.doubles_allowed) {
    if (head.producer_epoch < state.epoch) return Error::kInvalidProducerEpoch;
    if (head.base_sequence != (head.producer_epoch > state.epoch ? 0 : state.next_sequence))
      return Error::kOutOfOrderSequence;
    const Transaction& transaction = transactions_.at(*txid);
    if (transaction.producer != head.producer_id || transaction.epoch != head.producer_epoch ||
        transaction.state != Transaction::State::kOngoing || !transaction.partitions.contains({topic, partition}))
      return Error::kInvalidTxnState;
  }
  state = {head.producer_epoch, sequence_after(head.base_sequence, head.count)};
  base = one->end;
  append(topic, partition, bytes);
  return Error::kNone;
}

void ModelCluster::fetch(const FetchRequest& request, int32_t broker, Answer& answer) {
  FetchResponse said;
  std::vector<std::pair<size_t, size_t>> places;
  for (const auto& topic : request.topics) {
    auto& row = said.topics.emplace_back();
    const std::string name = name_of(topic.id);
    row.id = topic.id;
    for (const auto& asked : topic.partitions) {
      auto& got = row.partitions.emplace_back();
      got.index = asked.index;
      const size_t from = answer.bytes->size();
      Log* const one = find(name, asked.index);
      if (!one) {
        got.error = Error::kUnknownTopicId;
      } else if (unreadable.contains(name)) {
        got.error = Error::kTopicAuthorizationFailed;
      } else if (one->leader != broker) {
        got.error = Error::kNotLeaderOrFollower;
      } else if (asked.offset > one->end || asked.offset < 0) {
        got.error = Error::kOffsetOutOfRange;
      } else {
        got.high_watermark = one->end;
        got.last_stable = stable_of(*one);
        got.log_start = 0;
        const int64_t end = request.isolation == 1 ? got.last_stable : one->end;
        int64_t last = asked.offset;
        for (const Stored& batch : one->batches) {
          if (batch.head.last_offset() < asked.offset || batch.head.base_offset >= end) continue;
          if (mistakes.markers_hidden && batch.head.control()) continue;
          const size_t have = answer.bytes->size() - from;
          if (have > 0 && have + batch.bytes.size() > static_cast<size_t>(asked.max_bytes)) {
            answer.bytes->append(batch.bytes, 0, batch.bytes.size() / 2);  // cut
            break;
          }
          answer.bytes->append(batch.bytes);
          last = batch.head.last_offset();
        }
        got.aborted.emplace();
        if (request.isolation == 1 && !mistakes.aborted_untold)
          for (const Aborted& range : one->aborted)
            if (range.first <= last && range.marker >= asked.offset)
              got.aborted->push_back({.producer_id = range.producer, .first_offset = range.first});
        std::ranges::shuffle(*got.aborted, random_);
      }
      places.emplace_back(from, answer.bytes->size() - from);
    }
  }
  size_t n = 0;
  for (auto& topic : said.topics)
    for (auto& got : topic.partitions) {
      got.records = std::string_view(*answer.bytes).substr(places[n].first, places[n].second);
      ++n;
    }
  answer.message = std::move(said);
}

Answer ModelCluster::handle(int32_t broker, const AnyRequest& request) {
  Answer answer{.message = {}, .bytes = std::make_shared<std::string>()};
  const int32_t coordinator = 0;
  using State = Transaction::State;
  if (const auto* metadata = std::get_if<MetadataRequest>(&request)) {
    MetadataResponse said{.cluster_id = id_};
    for (const auto& asked : *metadata->topics) {
      auto& row = said.topics.emplace_back();
      row.name = asked.name;
      const auto found = topics_.find(*asked.name);
      if (found == topics_.end()) {
        row.error = Error::kUnknownTopicOrPartition;
        continue;
      }
      row.id = uuid_of(*asked.name);
      for (size_t i = 0; i < found->second.size(); ++i)
        row.partitions.push_back(
            {.index = static_cast<int32_t>(i), .leader = found->second[i].leader, .leader_epoch = 3});
    }
    answer.message = said;
  } else if (std::holds_alternative<FindCoordinatorRequest>(request)) {
    answer.message = FindCoordinatorResponse{.node = coordinator};
  } else if (const auto* init = std::get_if<InitProducerIdRequest>(&request)) {
    InitProducerIdResponse said;
    auto [at, fresh] = transactions_.try_emplace(*init->transactional_id);
    Transaction& transaction = at->second;
    if (fresh) transaction.producer = next_producer_++;
    if (broker != coordinator) {
      said.error = Error::kNotCoordinator;
    } else if (mistakes.predecessor_goes_on) {
      transaction.epoch = std::max<int16_t>(transaction.epoch, 0);
      said.producer_id = transaction.producer;
      said.epoch = transaction.epoch;
    } else if (transaction.state == State::kOngoing) {
      begin_end(transaction, false, static_cast<int16_t>(transaction.epoch + 1));
      said.error = Error::kConcurrentTransactions;
    } else if (transaction.state == State::kCommitting || transaction.state == State::kAborting) {
      said.error = Error::kConcurrentTransactions;
    } else {
      ++transaction.epoch;
      transaction.state = State::kEmpty;
      said.producer_id = transaction.producer;
      said.epoch = transaction.epoch;
    }
    answer.message = said;
  } else if (const auto* add = std::get_if<AddPartitionsToTxnRequest>(&request)) {
    Transaction& transaction = transactions_.at(add->transactional_id);
    Error error = Error::kNone;
    const bool refused =
        std::ranges::any_of(add->topics, [&](const auto& topic) { return unwritable.contains(topic.name); });
    if (broker != coordinator) {
      error = Error::kNotCoordinator;
    } else if (refused) {
      error = Error::kOperationNotAttempted;
    } else if (add->producer_id != transaction.producer || add->epoch != transaction.epoch) {
      error = Error::kProducerFenced;
    } else if (transaction.state == State::kCommitting || transaction.state == State::kAborting) {
      error = Error::kConcurrentTransactions;
    } else {
      if (transaction.state != State::kOngoing) transaction.began = now_;
      transaction.state = State::kOngoing;
      for (const auto& topic : add->topics)
        for (const int32_t index : topic.partitions) transaction.partitions.emplace(topic.name, index);
    }
    AddPartitionsToTxnResponse said;
    for (const auto& topic : add->topics) {
      auto& row = said.topics.emplace_back();
      row.name = topic.name;
      const Error own = unwritable.contains(topic.name) ? Error::kTopicAuthorizationFailed : error;
      for (const int32_t index : topic.partitions) row.partitions.push_back({.index = index, .error = own});
    }
    answer.message = said;
  } else if (const auto* end = std::get_if<EndTxnRequest>(&request)) {
    Transaction& transaction = transactions_.at(end->transactional_id);
    EndTxnResponse said;
    if (broker != coordinator) {
      said.error = Error::kNotCoordinator;
    } else if (end->producer_id != transaction.producer || end->epoch != transaction.epoch) {
      said.error = Error::kProducerFenced;
    } else if (transaction.state == State::kCommitting || transaction.state == State::kCommitted) {
      said.error = end->committed ? Error::kNone : Error::kInvalidTxnState;
    } else if (transaction.state != State::kOngoing) {
      said.error = Error::kInvalidTxnState;
    } else {
      begin_end(transaction, end->committed && !(mistakes.commits_late_positions && random_() % 4 == 0),
                transaction.epoch);
    }
    answer.message = said;
  } else if (const auto* produced = std::get_if<ProduceRequest>(&request)) {
    ProduceResponse said;
    for (const auto& topic : produced->topics) {
      auto& row = said.topics.emplace_back();
      row.name = topic.name;
      for (const auto& one : topic.partitions) {
        auto& got = row.partitions.emplace_back();
        got.index = one.index;
        got.error = produce(broker, topic.name, one.index, one.records, produced->transactional_id, got.base_offset);
      }
    }
    answer.message = said;
  } else if (const auto* offsets = std::get_if<ListOffsetsRequest>(&request)) {
    ListOffsetsResponse said;
    for (const auto& topic : offsets->topics) {
      auto& row = said.topics.emplace_back();
      row.name = topic.name;
      for (const auto& asked : topic.partitions) {
        auto& got = row.partitions.emplace_back();
        got.index = asked.index;
        const Log* one = find(topic.name, asked.index);
        if (!one || one->leader != broker) {
          got.error = Error::kNotLeaderOrFollower;
        } else {
          got.offset = asked.timestamp == -2 ? 0 : one->end;
          if (mistakes.state_end_early && asked.timestamp == -1) got.offset = std::max<int64_t>(0, got.offset - 12);
        }
      }
    }
    answer.message = said;
  } else if (const auto* fetched = std::get_if<FetchRequest>(&request)) {
    fetch(*fetched, broker, answer);
  }
  return answer;
}

}  // namespace twinspan::kafka_engine
