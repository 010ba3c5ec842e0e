#include "kafka/batch.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "kafka/crc32c.hpp"
#include "kafka/wire.hpp"

namespace twinspan::kafka {
namespace {

constexpr size_t kMagicAt = 16, kCrcAt = 17, kCoveredAt = 21;
constexpr size_t kAttributesAt = 21, kProducerIdAt = 43, kProducerEpochAt = 51, kSequenceAt = 53, kCountAt = 57;
constexpr int32_t kHeadAfterLength = static_cast<int32_t>(kBatchHeadBytes) - 12;

}  // namespace

BatchHead read_head(std::string_view batch) {
  Reader in(batch);
  BatchHead head;
  in.take(head.base_offset);
  in.take(head.length);
  in.take(head.leader_epoch);
  in.take(head.magic);
  in.take(head.crc);
  in.take(head.attributes);
  in.take(head.last_delta);
  in.take(head.first_time);
  in.take(head.last_time);
  in.take(head.producer_id);
  in.take(head.producer_epoch);
  in.take(head.base_sequence);
  in.take(head.count);
  return head;
}

void write_head(const BatchHead& head, std::string& bytes) {
  Writer out(bytes);
  out.put(head.base_offset);
  out.put(head.length);
  out.put(head.leader_epoch);
  out.put(head.magic);
  out.put(head.crc);
  out.put(head.attributes);
  out.put(head.last_delta);
  out.put(head.first_time);
  out.put(head.last_time);
  out.put(head.producer_id);
  out.put(head.producer_epoch);
  out.put(head.base_sequence);
  out.put(head.count);
}

bool crc_is_right(std::string_view batch) {
  return batch.size() >= kBatchHeadBytes && load<uint32_t>(batch.data() + kCrcAt) == crc32c(batch.substr(kCoveredAt));
}

Batches::Found Batches::next() {
  const auto stop = [this](Found found) {
    left_ = {};
    return found;
  };
  if (left_.size() <= kMagicAt) return stop(Found::kEnd);
  const auto length = load<int32_t>(left_.data() + 8);
  const char magic = left_[kMagicAt];
  if (magic == 0 || magic == 1) return stop(Found::kOldFormat);
  if (magic != 2 || length < kHeadAfterLength) return stop(Found::kCorrupt);
  if (static_cast<size_t>(length) + 12 > left_.size()) return stop(Found::kEnd);
  bytes_ = left_.first(static_cast<size_t>(length) + 12);
  left_ = left_.subspan(bytes_.size());
  head_ = read_head({bytes_.data(), kBatchHeadBytes});
  // An empty batch, which the cleaner leaves, keeps the last delta that it had.
  if (head_.base_offset < 0 || head_.last_delta < 0 || head_.count < 0 || head_.count > int64_t{head_.last_delta} + 1 ||
      head_.base_offset > INT64_MAX - head_.last_delta - 1)
    return stop(Found::kCorrupt);
  return Found::kBatch;
}

void mark(std::span<char> batch, const ProducerMark& producer) {
  std::array<char, kCountAt - kCoveredAt> change;
  char* const covered = batch.data() + kCoveredAt;
  std::memcpy(change.data(), covered, change.size());
  const auto old = static_cast<uint16_t>(load<int16_t>(batch.data() + kAttributesAt));
  store(batch.data() + kAttributesAt, static_cast<int16_t>((old & ~16u) | (producer.transactional ? 16u : 0u)));
  store(batch.data() + kProducerIdAt, producer.id);
  store(batch.data() + kProducerEpochAt, producer.epoch);
  store(batch.data() + kSequenceAt, producer.sequence);
  for (size_t i = 0; i < change.size(); ++i) change[i] = static_cast<char>(change[i] ^ covered[i]);
  const auto crc = load<uint32_t>(batch.data() + kCrcAt);
  store(batch.data() + kCrcAt, crc32c_after(crc, {change.data(), change.size()}, batch.size() - kCountAt));
  store(batch.data(), int64_t{0});
}

int32_t sequence_after(int32_t sequence, int32_t count) {
  return static_cast<int32_t>((static_cast<uint32_t>(sequence) + static_cast<uint32_t>(count)) & 0x7fffffffu);
}

}  // namespace twinspan::kafka
