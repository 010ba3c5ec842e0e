// How a lane begins: who leads, its transactional id taken, its state read, partitions without one placed.
#include <fmt/format.h>

#include <algorithm>

#include "engines/kafka/lane.hpp"
#include "kafka/records.hpp"

namespace twinspan::kafka_engine {

using kafka::ErrorCode;

void Lane::look_up() {
  if (now_ < look_up_at_) return;
  const auto metadata = [&](Side side, std::set<std::string> topics) {
    if (std::ranges::any_of(pending_, [&](const auto& one) {
          return one.second.purpose == Purpose::kMetadata && one.second.side == side;
        }))
      return;
    kafka::MetadataRequest request{.topics = std::vector<kafka::MetadataRequest::Topic>{}};
    for (const std::string& topic : topics) request.topics->push_back({.name = topic});
    ask(Purpose::kMetadata, side, -1, std::move(request));
  };
  std::set<std::string> sources, targets{settings_.state_topic};
  for (const auto& [name, target] : settings_.partitions) {
    sources.insert(name.topic);
    targets.insert(target);
  }
  if (!source_known_) metadata(Side::kSource, std::move(sources));
  if (!target_known_) metadata(Side::kTarget, std::move(targets));
  if (coordinator_ < 0 && !pending(Purpose::kCoordinator))
    ask(Purpose::kCoordinator, Side::kTarget, -1,
        kafka::FindCoordinatorRequest{.key = settings_.transactional_id, .kind = 1});
}

void Lane::heard_metadata(Side side, const kafka::MetadataResponse& answer) {
  const bool source = side == Side::kSource;
  bool whole = true;
  (source ? source_cluster_ : target_cluster_) = answer.cluster_id.value_or("");
  if (!source_cluster_.empty() && source_cluster_ == target_cluster_)
    return end_with(
        {Code::kInvalid, fmt::format("source and target are the same cluster, {}", source_cluster_), false});
  std::map<std::string, const kafka::MetadataResponse::Topic*> topics;
  for (const auto& topic : answer.topics)
    if (topic.error == ErrorCode::kNone) topics[topic.name.value_or("")] = &topic;
  const auto find = [&](const std::string& topic, int32_t index)
      -> std::pair<const kafka::MetadataResponse::Topic*, const kafka::MetadataResponse::Topic::Partition*> {
    const auto found = topics.find(topic);
    if (found == topics.end()) return {};
    const auto at =
        std::ranges::find(found->second->partitions, index, &kafka::MetadataResponse::Topic::Partition::index);
    return {found->second, at == found->second->partitions.end() || at->leader < 0 ? nullptr : &*at};
  };
  for (auto& [name, partition] : partitions_) {
    const auto [topic, at] = find(source ? name.topic : partition.target_topic, name.partition);
    if (topic) {
      kafka::Uuid& id = source ? partition.source_id : partition.target_id;
      if (id != kafka::Uuid{} && topic->id != id) {
        if (source) {
          halt(name, Halt::Reason::kRecreated, partition.committed.position.offset,
               "the topic was made anew: its records are others");
        } else {
          halt(name, Halt::Reason::kTargetLost, partition.committed.position.offset,
               "the target's topic was made anew: what was carried is gone");
          if (partition.placed) begin_anew("the target's topic was made anew");
          return;
        }
      } else {
        id = topic->id;
        if (source) source_topics_[id] = name.topic;
      }
    }
    (source ? partition.source_leader : partition.target_leader) = at ? at->leader : -1;
    if (source && at) partition.source_epoch = at->leader_epoch;
    if (!at && !partition.halt) {
      whole = false;
      status_.last_doubt = fmt::format("{}: no leader of {}/{}", source ? "source" : "target",
                                       source ? name.topic : partition.target_topic, name.partition);
    }
  }
  if (!source) {
    const auto [topic, at] = find(settings_.state_topic, 0);
    state_leader_ = at ? at->leader : -1;
    if (topic) state_topic_id_ = topic->id;
    if (!at) whole = false, status_.last_doubt = "target: no leader of " + settings_.state_topic;
  }
  // While one partition has no leader the others go on.
  (source ? source_known_ : target_known_) = whole || phase_ == Phase::kFollowing;
  if (!whole) look_up_at_ = now_ + settings_.retry * 2;
  if (!whole && phase_ == Phase::kFollowing) (source ? source_known_ : target_known_) = false;
}

void Lane::heard_coordinator(const kafka::FindCoordinatorResponse& answer) {
  if (answer.error == ErrorCode::kNone) {
    coordinator_ = answer.node;
    return;
  }
  status_.last_doubt =
      fmt::format("target: coordinator of {}: {}", settings_.transactional_id, to_string(answer.error));
  look_up_at_ = now_ + settings_.retry;
}

void Lane::heard_init(const kafka::InitProducerIdResponse& answer) {
  if (answer.error == ErrorCode::kNone) {
    producer_id_ = answer.producer_id;
    producer_epoch_ = answer.epoch;
    phase_ = Phase::kReadingState;
    state_at_ = state_end_ = -1;
    return;
  }
  status_.last_doubt = "target: InitProducerId: " + to_string(answer.error);
  retry_at_ = now_ + settings_.retry;
  if (answer.error == ErrorCode::kConcurrentTransactions) return;  // what a predecessor left is being ended
  coordinator_ = -1;
  if (!says_find_coordinator(answer.error)) retry_at_ = now_ + settings_.retry_most;
}

void Lane::ask_offsets(Purpose purpose, Side side, int64_t timestamp, const std::vector<PartitionName>& which) {
  std::map<int32_t, std::map<std::string, std::vector<int32_t>>> by_broker;
  for (const PartitionName& name : which) {
    const Partition& partition = partitions_.at(name);
    const bool source = side == Side::kSource;
    by_broker[source ? partition.source_leader : partition.target_leader][source ? name.topic : partition.target_topic]
        .push_back(name.partition);
  }
  for (const auto& [broker, topics] : by_broker) {
    kafka::ListOffsetsRequest request;
    for (const auto& [topic, indexes] : topics) {
      auto& row = request.topics.emplace_back();
      row.name = topic;
      for (const int32_t index : indexes) row.partitions.push_back({.index = index, .timestamp = timestamp});
    }
    ask(purpose, side, broker, std::move(request),
        Pending{.purpose = purpose, .side = side, .broker = broker, .deadline = {}, .partitions = which});
  }
}

// From the beginning to the end that is seen once nobody before us can write any more.
void Lane::fetch_state() {
  if (now_ < retry_at_ || state_leader_ < 0 || pending(Purpose::kStateBegin) || pending(Purpose::kStateEnd) ||
      pending(Purpose::kStateFetch))
    return;
  const auto offsets = [&](Purpose purpose, int64_t timestamp) {
    kafka::ListOffsetsRequest request;
    request.topics.push_back({.name = settings_.state_topic, .partitions = {{.index = 0, .timestamp = timestamp}}});
    ask(purpose, Side::kTarget, state_leader_, std::move(request));
  };
  if (state_at_ < 0) return offsets(Purpose::kStateBegin, -2);
  if (state_end_ < 0) return offsets(Purpose::kStateEnd, -1);
  if (state_at_ >= state_end_) {
    phase_ = Phase::kPlacing;
    return place();
  }
  kafka::FetchRequest request{.max_wait_ms = static_cast<int32_t>(settings_.fetch_wait.count()),
                              .max_bytes = settings_.fetch_bytes,
                              .isolation = 1};
  auto& topic = request.topics.emplace_back();
  topic.name = settings_.state_topic;
  topic.id = state_topic_id_;
  topic.partitions.push_back({.index = 0, .offset = state_at_, .max_bytes = settings_.fetch_bytes});
  ask(Purpose::kStateFetch, Side::kTarget, state_leader_, std::move(request));
}

void Lane::heard_state_offsets(Purpose purpose, const kafka::ListOffsetsResponse& answer) {
  if (answer.topics.size() != 1 || answer.topics[0].partitions.size() != 1)
    return begin_anew("target: an answer about other partitions");
  const auto& got = answer.topics[0].partitions[0];
  if (got.error != ErrorCode::kNone) return begin_anew("target: state: " + to_string(got.error));
  (purpose == Purpose::kStateBegin ? state_at_ : state_end_) = got.offset;
}

void Lane::heard_state(kafka::Answer& answer) {
  auto& fetched = std::get<kafka::FetchResponse>(answer.message);
  if (fetched.error != ErrorCode::kNone) return begin_anew("target: state: " + to_string(fetched.error));
  if (fetched.topics.empty() || fetched.topics[0].partitions.empty()) return;
  auto& got = fetched.topics[0].partitions[0];
  if (got.error != ErrorCode::kNone) return begin_anew("target: state: " + to_string(got.error));
  Router router(got.aborted.value_or(std::vector<Router::Aborted>{}));
  kafka::Batches batches(std::span(const_cast<char*>(got.records.data()), got.records.size()));
  kafka::Batches::Found found;
  const int64_t before = state_at_;
  while ((found = batches.next()) == kafka::Batches::Found::kBatch) {
    const kafka::BatchHead& head = batches.head();
    const std::string_view batch(batches.bytes().data(), batches.bytes().size());
    const int64_t from = state_at_;
    state_at_ = std::max(state_at_, head.last_offset() + 1);
    if (!kafka::crc_is_right(batch)) return begin_anew("target: a batch of the state is corrupt");
    const Route route = router.route(head, batch, from);
    if (route == Route::kDrop || route == Route::kOld) continue;
    if (head.codec() != 0)
      return end_with(
          {Code::kInvalid,
           fmt::format("{}: a compressed batch, which no lane writes: its compression.type must be producer",
                       settings_.state_topic),
           false});
    kafka::Records records(head, batch.substr(kafka::kBatchHeadBytes));
    while (const kafka::Record* record = records.next())
      if (record->key && record->offset_delta + head.base_offset >= from) {
        if (record->value) {
          state_[std::string(*record->key)] = *record->value;
        } else {
          state_.erase(std::string(*record->key));
        }
      }
    if (records.failed()) return begin_anew("target: a batch of the state cannot be read");
  }
  if (found != kafka::Batches::Found::kEnd) return begin_anew("target: the state cannot be read");
  if (state_at_ == before) {
    status_.last_doubt =
        fmt::format("target: {} has a transaction of somebody else's that is not ended", settings_.state_topic);
    retry_at_ = now_ + settings_.retry;
  }
}

// Partitions that have a state go on from it; the others begin where the settings say, which is committed before
// anything is carried.
void Lane::place() {
  if (now_ < retry_at_ || pending(Purpose::kTargetEnds) || pending(Purpose::kSourceStarts)) return;
  if (!target_known_ || !source_known_) return;
  const auto holder = state_.find(std::string(kHolderKey));
  if (holder != state_.end()) status_.holder = holder->second;
  if (established_ && holder != state_.end() && holder->second != settings_.holder)
    return end_with(
        {Code::kConflict, fmt::format("{} is carried by another process now", settings_.transactional_id), false});
  std::vector<PartitionName> every, without;
  for (const auto& [name, partition] : partitions_) {
    if (partition.target_leader >= 0) every.push_back(name);
    if (partition.source_leader >= 0 && !state_.contains(state_key(name))) without.push_back(name);
  }
  if (!targets_heard_ && !every.empty()) return ask_offsets(Purpose::kTargetEnds, Side::kTarget, -1, every);
  // The first transaction says who holds the lane and where each of its partitions begins: where there is a holder, a
  // partition without a state has come since.
  const bool at_end = settings_.start == Start::kLatest && holder == state_.end();
  if (!sources_heard_ && !without.empty())
    return ask_offsets(Purpose::kSourceStarts, Side::kSource, at_end ? -1 : -2, without);
  for (auto& [name, partition] : partitions_)
    if (!placed_by(name, partition)) return;
  state_.clear();
  claiming_ = true;
  phase_ = Phase::kFollowing;
  status_.following = true;
  commit_not_before_ = now_;
  transact();
}

bool Lane::placed_by(const PartitionName& name, Partition& partition) {
  const auto found = state_.find(state_key(name));
  if (found != state_.end()) {
    const auto state = decode_state(found->second);
    if (!state) {
      end_with({Code::kInvalid, fmt::format("{}: {}: {}", settings_.state_topic, found->first, state.error().message),
                false});
      return false;
    }
    partition.committed = *state;
    const int64_t at = state->position.offset;
    if (state->source_topic != partition.source_id)
      halt(name, Halt::Reason::kRecreated, at, "the topic was made anew: its records are others");
    if (state->target_topic != partition.target_id) {
      halt(name, Halt::Reason::kTargetLost, at, "the target's topic was made anew: what was carried is gone");
    } else if (partition.target_end && *partition.target_end < state->target_next) {
      halt(name, Halt::Reason::kTargetLost, at,
           fmt::format("the target ends at {}, where we had written up to {}", *partition.target_end,
                       state->target_next));
    }
  } else if (!partition.source_start || !partition.target_end) {
    if (partition.halt) return true;  // and stays out
    begin_anew(fmt::format("{}/{}: not all was told of it", name.topic, name.partition));
    return false;
  } else {
    if (*partition.target_end > 0 && !settings_.into_existing)
      halt(name, Halt::Reason::kExisting, *partition.source_start,
           "the target's partition has records, and no state says that they are ours");
    partition.committed = {
        partition.source_id, partition.target_id, {*partition.source_start, -1}, *partition.target_end};
    partition.dirty = !partition.halt;
  }
  partition.placed = true;
  if (!remember(name, partition)) return false;
  partition.staged = partition.fetch_at = partition.committed.position;
  partition.target_next = partition.committed.target_next;
  status_.partitions.at(name).committed = partition.committed.position;
  return true;
}

// Where the records are that were carried. False: what is stored cannot be read.
bool Lane::remember(const PartitionName& name, const Partition& partition) {
  std::map<int64_t, const std::string*> pages;
  const std::string begin = page_key(name, 0);
  const std::string prefix = begin.substr(0, begin.size() - 1);
  for (auto at = state_.lower_bound(prefix); at != state_.end() && at->first.starts_with(prefix); ++at)
    if (const auto page = parse_page_key(at->first)) pages.emplace(page->page, &at->second);
  OffsetHistory history;
  for (const auto& [number, value] : pages)
    if (const auto added = history.add_page(number, *value); !added) {
      end_with({Code::kInvalid,
                fmt::format("{}: {}: {}", settings_.state_topic, page_key(name, number), added.error().message),
                false});
      return false;
    }
  book_->begin(name, std::move(history), partition.committed.target_next);
  if (partition.halt && makes_offsets_others(partition.halt->reason)) book_->withhold(name);
  return true;
}

void Lane::heard_target_ends(const kafka::ListOffsetsResponse& answer) {
  for (const auto& topic : answer.topics)
    for (const auto& got : topic.partitions) {
      if (got.error != ErrorCode::kNone)
        return begin_anew(fmt::format("target: {}/{}: {}", topic.name, got.index, to_string(got.error)));
      for (auto& [name, partition] : partitions_)
        if (partition.target_topic == topic.name && name.partition == got.index) partition.target_end = got.offset;
    }
  if (!pending(Purpose::kTargetEnds)) targets_heard_ = true;
}

void Lane::heard_source_starts(const kafka::ListOffsetsResponse& answer) {
  for (const auto& topic : answer.topics)
    for (const auto& got : topic.partitions) {
      if (got.error != ErrorCode::kNone)
        return begin_anew(fmt::format("source: {}/{}: {}", topic.name, got.index, to_string(got.error)));
      const auto found = partitions_.find({topic.name, got.index});
      if (found != partitions_.end()) found->second.source_start = got.offset;
    }
  if (!pending(Purpose::kSourceStarts)) sources_heard_ = true;
}

}  // namespace twinspan::kafka_engine
