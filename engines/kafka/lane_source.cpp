// What a lane reads.
#include <fmt/format.h>

#include <algorithm>

#include "engines/kafka/lane.hpp"

namespace twinspan::kafka_engine {

using kafka::ErrorCode;

namespace {

constexpr int kSeenBeforeBelieved = 3;

}  // namespace

// One request for each broker, for the partitions that have room: a slow target means no fetch.
void Lane::fetch() {
  if (stopping_ || claiming_ || buffered_ >= settings_.buffer_bytes) return;
  std::map<int32_t, std::vector<PartitionName>> by_broker;
  std::set<int32_t> full;
  for (const auto& [name, partition] : partitions_) {
    if (partition.source_leader < 0 || now_ < partition.not_before || pending_source_begin_.contains(name)) continue;
    if (partition.halt && partition.halt->offset <= partition.fetch_at.offset) continue;
    if (partition.queued_bytes >= 2 * settings_.partition_fetch_bytes) {
      full.insert(partition.source_leader);
    } else {
      by_broker[partition.source_leader].push_back(name);
    }
  }
  for (auto& [broker, names] : by_broker) {
    if (pending(Purpose::kFetch, broker)) continue;
    // What does not fit into an answer is cut off at its end: another partition comes first each time.
    std::ranges::rotate(names, names.begin() + static_cast<std::ptrdiff_t>(turn_++ % names.size()));
    const Time wait = full.contains(broker) ? std::min(settings_.fetch_wait, Time{20}) : settings_.fetch_wait;
    kafka::FetchRequest request{
        .max_wait_ms = static_cast<int32_t>(wait.count()), .max_bytes = settings_.fetch_bytes, .isolation = 1};
    Pending asked{
        .purpose = Purpose::kFetch, .side = Side::kSource, .broker = broker, .deadline = {}, .partitions = names};
    for (const PartitionName& name : names) {
      const Partition& partition = partitions_.at(name);
      if (request.topics.empty() || request.topics.back().name != name.topic) {
        auto& topic = request.topics.emplace_back();
        topic.name = name.topic;
        topic.id = partition.source_id;
      }
      request.topics.back().partitions.push_back({.index = name.partition,
                                                  .leader_epoch = partition.source_epoch,
                                                  .offset = partition.fetch_at.offset,
                                                  .last_fetched_epoch = partition.fetch_at.epoch,
                                                  .max_bytes = settings_.partition_fetch_bytes});
    }
    ask(Purpose::kFetch, Side::kSource, broker, std::move(request), std::move(asked));
  }
}

void Lane::heard_fetch(Pending& asked, kafka::Answer& answer) {
  auto& fetched = std::get<kafka::FetchResponse>(answer.message);
  if (fetched.error != ErrorCode::kNone) {
    status_.last_doubt = "source: Fetch: " + to_string(fetched.error);
    for (const PartitionName& name : asked.partitions) partitions_.at(name).not_before = now_ + settings_.retry;
    source_known_ = false;
    return;
  }
  for (auto& topic : fetched.topics) {
    const auto by_id = source_topics_.find(topic.id);
    const std::string& name = topic.name.empty() && by_id != source_topics_.end() ? by_id->second : topic.name;
    for (auto& got : topic.partitions) {
      const auto found = partitions_.find({name, got.index});
      if (found == partitions_.end()) continue;
      auto& [which, partition] = *found;
      if (got.error != ErrorCode::kNone) {
        heard_fetch_error(which, partition, got.error);
      } else if (got.diverging) {
        halt(which, Halt::Reason::kTruncated, partition.fetch_at.offset,
             fmt::format("the source has lost what it had: its epoch {} ends at {}, we had read up to {} of epoch {}",
                         got.diverging->epoch, got.diverging->end_offset, partition.fetch_at.offset,
                         partition.fetch_at.epoch));
      } else {
        heard_records(which, partition, got, answer.bytes);
      }
    }
  }
}

void Lane::heard_records(const PartitionName& name, Partition& partition, kafka::FetchResponse::Topic::Partition& got,
                         const std::shared_ptr<std::string>& owner) {
  partition.source_end = got.last_stable;
  status_.partitions.at(name).source_end = got.last_stable;
  Router router(got.aborted.value_or(std::vector<Router::Aborted>{}));
  // The bytes are the answer's, which nobody else has.
  kafka::Batches batches(std::span(owner->data() + (got.records.data() - owner->data()), got.records.size()));
  kafka::Batches::Found found = kafka::Batches::Found::kEnd;
  while (!got.records.empty() && (found = batches.next()) == kafka::Batches::Found::kBatch) {
    const kafka::BatchHead& head = batches.head();
    const std::string_view batch(batches.bytes().data(), batches.bytes().size());
    if (partition.halt && std::max(head.base_offset, partition.fetch_at.offset) >= partition.halt->offset) {
      partition.halt->offset = std::min(partition.halt->offset, partition.fetch_at.offset);  // markers may lie between
      return;
    }
    if (head.last_offset() >= got.last_stable)
      return suspect(
          name, partition,
          fmt::format("a batch ends at {}, beyond what may be read, {}", head.last_offset(), got.last_stable));
    const Route route = router.route(head, batch, partition.fetch_at.offset);
    if (route == Route::kOld) continue;
    if (route == Route::kCorrupt)
      return suspect(name, partition, fmt::format("the checksum of the batch at {} is wrong", head.base_offset));
    Item item{.next = {head.last_offset() + 1, head.leader_epoch}, .base = head.base_offset, .count = head.count};
    std::vector<Item> items;
    if (route == Route::kDrop) {
      ++status_.partitions.at(name).dropped;
    } else {
      // What may pass and is encoded nevertheless: for the rules, or since the target refused it whole.
      const bool inside = partition.halt && partition.halt->offset <= head.last_offset();
      const bool large =
          partition.most_bytes && head.count > 1 && static_cast<int64_t>(batch.size()) > *partition.most_bytes;
      const bool may_pass = route == Route::kPass && !inside && !large;
      if (may_pass && !encoder_->wants(head)) {
        item.bytes = batches.bytes();
        item.owner = owner;
      } else {
        if (buffered_ >= settings_.buffer_bytes) return;  // it is fetched again
        if (!encode(name, partition, head, batch, may_pass, items)) return;
        if (items.empty()) {  // as it is
          item.bytes = batches.bytes();
          item.owner = owner;
        }
      }
    }
    if (items.empty()) items.push_back(std::move(item));
    for (Item& one : items) {
      partition.queued_bytes += static_cast<int64_t>(one.bytes.size());
      buffered_ += static_cast<int64_t>(one.bytes.size());
      partition.fetch_at = one.next;
      // What carries nothing takes no room behind the like of it, however much is left out.
      if (one.bytes.empty() && !partition.queue.empty() && partition.queue.back().bytes.empty()) {
        partition.queue.back().next = one.next;
        partition.queue.back().filtered += one.filtered;
        continue;
      }
      partition.queue.push_back(std::move(one));
    }
  }
  if (found == kafka::Batches::Found::kOldFormat)
    return halt(name, Halt::Reason::kOldFormat, partition.fetch_at.offset,
                "records of message format 0 or 1 are not carried");
  if (found == kafka::Batches::Found::kCorrupt) return suspect(name, partition, "what came is no record batch");
  partition.suspicions = 0;
}

// Into the items that stand for the batch, up to where its partition is halted; none: it passes as it is.
bool Lane::encode(const PartitionName& name, Partition& partition, const kafka::BatchHead& head, std::string_view batch,
                  bool may_pass, std::vector<Item>& items) {
  Position end{head.last_offset() + 1, head.leader_epoch};
  if (partition.halt) end.offset = std::min(end.offset, partition.halt->offset);
  Encoded encoded = encoder_->encode({.head = head,
                                      .batch = batch,
                                      .topic = name.topic,
                                      .partition = name.partition,
                                      .from = partition.fetch_at.offset,
                                      .until = end.offset,
                                      .now = settings_.wall(),
                                      .may_pass = may_pass,
                                      .most_bytes = partition.most_bytes});
  switch (encoded.outcome) {
    case Encoded::Outcome::kUnchanged: return true;
    case Encoded::Outcome::kCorrupt: suspect(name, partition, encoded.why); return false;
    case Encoded::Outcome::kTooLarge:
      halt(name, Halt::Reason::kTooLarge, partition.fetch_at.offset, encoded.why);
      return false;
    case Encoded::Outcome::kRefused:
      halt(name, Halt::Reason::kRefused, partition.fetch_at.offset, encoded.why);
      return false;
    case Encoded::Outcome::kMade: break;
  }
  for (Encoded::Batch& made : encoded.batches) {
    Item& item = items.emplace_back(Item{.next = {made.next, head.leader_epoch},
                                         .base = made.base,
                                         .count = made.count,
                                         .encoded = true,
                                         .runs = std::move(made.runs),
                                         .owner = std::make_shared<std::string>(std::move(made.bytes))});
    item.bytes = *item.owner;
  }
  if (items.empty()) items.emplace_back().base = head.base_offset;
  items.back().next = end;
  items.back().filtered = encoded.filtered;
  return true;
}

// What may be a fault of the way is seen again before it is believed.
void Lane::suspect(const PartitionName& name, Partition& partition, const std::string& what) {
  if (++partition.suspicions >= kSeenBeforeBelieved)
    halt(name, Halt::Reason::kCorrupt, partition.fetch_at.offset, what);
  partition.not_before = now_ + settings_.retry;
}

void Lane::heard_fetch_error(const PartitionName& name, Partition& partition, ErrorCode error) {
  partition.not_before = now_ + settings_.retry;
  status_.last_doubt = fmt::format("source: {}/{}: {}", name.topic, name.partition, to_string(error));
  if (error == ErrorCode::kTopicAuthorizationFailed)
    return halt(name, Halt::Reason::kRefused, partition.fetch_at.offset,
                fmt::format("topic {} may not be read: {}; give the link's user Read", name.topic, to_string(error)));
  if (error != ErrorCode::kOffsetOutOfRange) {
    source_known_ = false;
    if (!says_look_again(error)) partition.not_before = now_ + settings_.retry_most;
    return;
  }
  if (pending_source_begin_.insert(name).second) ask_offsets(Purpose::kSourceBegin, Side::kSource, -2, {name});
}

// The position is out of range: overtaken by the log's start, or beyond an end that had been further.
void Lane::heard_source_begin(Pending& asked, const kafka::ListOffsetsResponse& answer) {
  for (const PartitionName& name : asked.partitions) pending_source_begin_.erase(name);
  for (const auto& topic : answer.topics)
    for (const auto& got : topic.partitions) {
      const auto found = partitions_.find({topic.name, got.index});
      if (found == partitions_.end() || got.error != ErrorCode::kNone) continue;
      auto& [name, partition] = *found;
      const int64_t at = partition.fetch_at.offset;
      if (got.offset > at) {
        halt(name, Halt::Reason::kGap, at,
             fmt::format("the source begins at {} now: {} offsets are gone", got.offset, got.offset - at));
      } else if (++partition.suspicions >= kSeenBeforeBelieved) {
        halt(name, Halt::Reason::kTruncated, at, fmt::format("the source has lost what it had: it ends before {}", at));
      } else {
        source_known_ = false;
      }
    }
}

}  // namespace twinspan::kafka_engine
