#include "engines/kafka/lane.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace twinspan::kafka_engine {

std::string_view to_string(Halt::Reason reason) {
  switch (reason) {
    case Halt::Reason::kGap: return "Gap";
    case Halt::Reason::kTruncated: return "Truncated";
    case Halt::Reason::kRecreated: return "Recreated";
    case Halt::Reason::kTooLarge: return "TooLarge";
    case Halt::Reason::kOldFormat: return "OldFormat";
    case Halt::Reason::kCorrupt: return "Corrupt";
    case Halt::Reason::kRefused: return "Refused";
    case Halt::Reason::kExisting: return "Existing";
    case Halt::Reason::kTargetLost: return "TargetLost";
  }
  return "";
}

bool makes_offsets_others(Halt::Reason reason) {
  return reason == Halt::Reason::kRecreated || reason == Halt::Reason::kTruncated ||
         reason == Halt::Reason::kExisting || reason == Halt::Reason::kTargetLost;
}

Lane::Lane(LaneSettings settings)
    : settings_(std::move(settings)),
      own_book_(settings_.book ? nullptr : std::make_unique<OffsetBook>()),
      book_(settings_.book ? settings_.book : own_book_.get()),
      state_batch_bytes_(settings_.state_batch_bytes) {
  for (const auto& [name, target] : settings_.partitions) {
    partitions_[name].target_topic = target;
    status_.partitions[name];
    book_->withhold(name);  // a lane before this one may have carried into another topic of that name
  }
  auto made = Encoder::make(settings_.rules, static_cast<size_t>(settings_.unpacked_bytes));
  if (made) {
    encoder_ = std::move(*made);
  } else {
    end_with(made.error());
  }
}

void Lane::ask(Purpose purpose, Side side, int32_t broker, kafka::AnyRequest request, Pending pending) {
  pending.purpose = purpose;
  pending.side = side;
  pending.broker = broker;
  pending.deadline =
      now_ + (side == Side::kSource ? settings_.source_request_timeout.value_or(settings_.request_timeout)
                                    : settings_.request_timeout);
  const int line = purpose == Purpose::kFetch || purpose == Purpose::kProduce ? 0 : 1;
  out_.push_back({next_ticket_, side, broker, line, std::move(request)});
  pending_.emplace(next_ticket_++, std::move(pending));
}

bool Lane::pending(Purpose purpose) const {
  return std::ranges::any_of(pending_, [&](const auto& one) { return one.second.purpose == purpose; });
}

bool Lane::pending(Purpose purpose, int32_t broker) const {
  return std::ranges::any_of(
      pending_, [&](const auto& one) { return one.second.purpose == purpose && one.second.broker == broker; });
}

// Nothing that was asked before is listened to any more, and what was read and is not committed is read again.
void Lane::begin_anew(const std::string& doubt) {
  ++status_.begun_anew;
  status_.last_doubt = doubt;
  status_.following = false;
  phase_ = Phase::kLookingUp;
  out_.clear();
  pending_.clear();
  pending_source_begin_.clear();
  hang_up_target_ = hang_up_source_ = true;
  source_known_ = target_known_ = targets_heard_ = sources_heard_ = claiming_ = false;
  coordinator_ = state_leader_ = -1;
  transaction_ = {};
  state_.clear();
  state_sequence_ = 0;
  for (auto& [name, partition] : partitions_) {
    partition.queue.clear();
    partition.queued_bytes = 0;
    partition.sequence = 0;
    partition.dirty = partition.placed = partition.target_exact = false;
    partition.sent = {};
    partition.fresh.clear();
    partition.not_before = std::max(now_, partition.rests_until);
    partition.source_start.reset();
    partition.target_end.reset();
  }
  buffered_ = 0;
  backoff_ = std::clamp(backoff_ * 2, settings_.retry, settings_.retry_most);
  look_up_at_ = retry_at_ = now_ + backoff_;
}

void Lane::end_with(Error error) {
  failure_ = std::move(error);
  phase_ = Phase::kOver;
  status_.following = false;
  out_.clear();
  pending_.clear();
}

void Lane::halt(const PartitionName& name, Halt::Reason reason, int64_t offset, std::string message) {
  Partition& partition = partitions_.at(name);
  if (makes_offsets_others(reason)) book_->withhold(name);
  if (partition.halt && partition.halt->offset <= offset) return;
  partition.halt = Halt{reason, offset, std::move(message)};
  status_.partitions.at(name).halt = partition.halt;
}

void PartitionStatus::add(const PartitionStatus& other) {
  for (const auto count : {&PartitionStatus::records, &PartitionStatus::batches, &PartitionStatus::bytes,
                           &PartitionStatus::dropped, &PartitionStatus::passed, &PartitionStatus::encoded,
                           &PartitionStatus::encoded_records, &PartitionStatus::filtered, &PartitionStatus::foreign})
    this->*count += other.*count;
}

PartitionStatus LaneStatus::total() const {
  PartitionStatus sum;
  for (const auto& [name, partition] : partitions) sum.add(partition);
  return sum;
}

void Lane::tick(Time now) {
  now_ = std::max(now_, now);
  if (phase_ == Phase::kOver) return;
  for (const Side side : {Side::kTarget, Side::kSource})
    if (std::ranges::any_of(pending_,
                            [&](const auto& one) { return one.second.side == side && one.second.deadline <= now_; }))
      overdue(side);
  move();
}

// A connection that hangs holds up whatever is asked on it later. Nothing that was asked of that side is awaited any
// more.
void Lane::overdue(Side side) {
  if (side == Side::kTarget) return begin_anew("target: no answer in time");
  hang_up_source_ = true;
  std::vector<Pending> given_up;
  for (auto at = pending_.begin(); at != pending_.end();) {
    const auto one = at++;
    if (one->second.side != side) continue;
    given_up.push_back(std::move(one->second));
    pending_.erase(one);
  }
  std::erase_if(out_, [&](const Ask& one) { return one.side == side; });
  for (Pending& asked : given_up) failed(asked, "no answer in time");
}

void Lane::answered(Time now, uint64_t ticket, kafka::Answer answer) {
  now_ = std::max(now_, now);
  const auto found = pending_.find(ticket);
  if (found == pending_.end()) return;
  Pending asked = std::move(found->second);
  pending_.erase(found);
  heard(asked, answer);
  if (phase_ != Phase::kOver) move();
}

void Lane::lost(Time now, uint64_t ticket, const std::string& why) {
  now_ = std::max(now_, now);
  const auto found = pending_.find(ticket);
  if (found == pending_.end()) return;
  Pending asked = std::move(found->second);
  pending_.erase(found);
  failed(asked, why);
  if (phase_ != Phase::kOver) move();
}

void Lane::heard(Pending& asked, kafka::Answer& answer) {
  using namespace kafka;
  switch (asked.purpose) {
    case Purpose::kMetadata: return heard_metadata(asked.side, std::get<MetadataResponse>(answer.message));
    case Purpose::kCoordinator: return heard_coordinator(std::get<FindCoordinatorResponse>(answer.message));
    case Purpose::kInit: return heard_init(std::get<InitProducerIdResponse>(answer.message));
    case Purpose::kStateBegin:
    case Purpose::kStateEnd: return heard_state_offsets(asked.purpose, std::get<ListOffsetsResponse>(answer.message));
    case Purpose::kStateFetch: return heard_state(answer);
    case Purpose::kTargetEnds: return heard_target_ends(std::get<ListOffsetsResponse>(answer.message));
    case Purpose::kSourceStarts: return heard_source_starts(std::get<ListOffsetsResponse>(answer.message));
    case Purpose::kFetch: return heard_fetch(asked, answer);
    case Purpose::kSourceBegin: return heard_source_begin(asked, std::get<ListOffsetsResponse>(answer.message));
    case Purpose::kAdd: return heard_added(std::get<AddPartitionsToTxnResponse>(answer.message));
    case Purpose::kProduce: return heard_produced(asked, std::get<ProduceResponse>(answer.message));
    case Purpose::kStateProduce: return heard_state_produced(std::get<ProduceResponse>(answer.message));
    case Purpose::kEnd: return heard_end(std::get<EndTxnResponse>(answer.message));
  }
}

// Where a question about the source got no answer it is asked again. At the target it may have been done, which is a
// doubt.
void Lane::failed(Pending& asked, const std::string& why) {
  const std::string doubt = fmt::format("{}: {}", asked.side == Side::kSource ? "source" : "target", why);
  status_.last_doubt = doubt;
  if (asked.side == Side::kTarget && phase_ == Phase::kFollowing && asked.purpose != Purpose::kMetadata)
    return begin_anew(doubt);
  backoff_ = std::clamp(backoff_ * 2, settings_.retry, settings_.retry_most);
  retry_at_ = now_ + backoff_;
  for (const PartitionName& name : asked.partitions) {
    partitions_.at(name).not_before = retry_at_;
    pending_source_begin_.erase(name);
  }
  if (asked.purpose == Purpose::kMetadata) look_up_at_ = now_ + backoff_;
  if (asked.side == Side::kTarget && asked.purpose != Purpose::kMetadata) coordinator_ = -1;
  // Whoever leads now is asked next.
  (asked.side == Side::kSource ? source_known_ : target_known_) = false;
  look_up_at_ = std::max(look_up_at_, now_ + settings_.retry);
}

void Lane::move() {
  if (stopping_ && phase_ != Phase::kFollowing) phase_ = Phase::kOver;  // nothing of ours is under way
  if (phase_ == Phase::kOver) return;
  look_up();
  switch (phase_) {
    case Phase::kLookingUp:
      if (source_known_ && target_known_ && coordinator_ >= 0 && now_ >= retry_at_) phase_ = Phase::kFencing;
      if (phase_ == Phase::kLookingUp) return;
      [[fallthrough]];
    case Phase::kFencing:
      if (coordinator_ >= 0 && !pending(Purpose::kInit) && now_ >= retry_at_)
        ask(Purpose::kInit, Side::kTarget, coordinator_,
            kafka::InitProducerIdRequest{.transactional_id = settings_.transactional_id,
                                         .timeout_ms = static_cast<int32_t>(settings_.transaction_timeout.count())});
      return;
    case Phase::kReadingState: return fetch_state();
    case Phase::kPlacing: return place();
    case Phase::kFollowing:
      fetch();
      if (phase_ == Phase::kFollowing) transact();
      return;
    case Phase::kOver: return;
  }
}

std::vector<Ask> Lane::take() { return std::exchange(out_, {}); }

Time Lane::wakes_at() const {
  Time first = now_ + Time{1000};
  const auto at = [&](Time time) {
    if (time > now_) first = std::min(first, time);
  };
  for (const auto& [ticket, asked] : pending_) at(asked.deadline);
  at(look_up_at_);
  at(retry_at_);
  at(commit_not_before_);
  at(transaction_.add_not_before);
  if (settings_.bytes_per_second && allowance_ <= 0)
    at(allowed_at_ + Time{1 + static_cast<int64_t>(std::min(-allowance_ * 1000 / *settings_.bytes_per_second, 1e6))});
  if (transaction_.state == Transaction::State::kOpen) at(transaction_.began + settings_.checkpoint);
  for (const auto& [name, partition] : partitions_) at(partition.not_before);
  return first;
}

bool Lane::at_end() const {
  return phase_ == Phase::kFollowing && transaction_.state == Transaction::State::kNone &&
         std::ranges::all_of(partitions_, [](const auto& one) {
           const Partition& partition = one.second;
           if (partition.dirty || !partition.queue.empty() || partition.staged != partition.committed.position)
             return false;
           if (partition.halt) return partition.halt->offset <= partition.committed.position.offset;
           return partition.source_end && partition.committed.position.offset >= *partition.source_end;
         });
}

}  // namespace twinspan::kafka_engine
