#include "kafka/records.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "kafka/crc32c.hpp"
#include "kafka/wire.hpp"

namespace twinspan::kafka {
namespace {

// A varint length, -1 for null, and that many bytes.
std::optional<std::string_view> nullable(Reader& in) {
  const int64_t size = in.varint();
  if (size == -1) return std::nullopt;
  if (size < -1) in.fail();
  return in.raw_bytes(size < 0 ? 0 : static_cast<size_t>(size));
}

// A record is written in one go into room that was counted before.
constexpr size_t size_of(int64_t value) {
  const auto folded = static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63);
  return (static_cast<size_t>(std::bit_width(folded | 1)) + 6) / 7;
}
constexpr size_t size_of(const std::optional<std::string_view>& bytes) {
  return bytes ? size_of(static_cast<int64_t>(bytes->size())) + bytes->size() : 1;
}

char* put(char* at, int64_t value) {
  auto left = static_cast<uint64_t>(value) << 1 ^ static_cast<uint64_t>(value >> 63);
  for (; left > 127; left >>= 7) *at++ = static_cast<char>(left | 128);
  *at++ = static_cast<char>(left);
  return at;
}
char* put(char* at, const std::optional<std::string_view>& bytes) {
  at = put(at, bytes ? static_cast<int64_t>(bytes->size()) : -1);
  if (!bytes || bytes->empty()) return at;
  std::memcpy(at, bytes->data(), bytes->size());
  return at + bytes->size();
}

}  // namespace

const Record* Records::stop(bool failed) {
  failed_ = failed;
  left_ = {};
  count_ = 0;
  return nullptr;
}

const Record* Records::next() {
  if (count_ == 0) return stop(failed_ || !left_.empty());
  Reader in(left_);
  const int64_t size = in.varint();
  if (size < 0) return stop(true);
  Reader body(in.raw_bytes(static_cast<size_t>(size)));
  if (in.failed()) return stop(true);
  int8_t attributes = 0;
  body.take(attributes);
  record_.time = static_cast<int64_t>(static_cast<uint64_t>(first_time_) + static_cast<uint64_t>(body.varint()));
  const int64_t delta = body.varint();
  record_.key = nullable(body);
  record_.value = nullable(body);
  const int64_t headers = body.varint();
  // A header has two bytes at least.
  if (body.failed() || headers < 0 || static_cast<uint64_t>(headers) > body.left() / 2 || delta < 0 ||
      delta > INT32_MAX)
    return stop(true);
  record_.offset_delta = static_cast<int32_t>(delta);
  record_.headers.resize(static_cast<size_t>(headers));
  for (RecordHeader& header : record_.headers) {
    const auto name = nullable(body);
    if (!name) return stop(true);
    header = {*name, nullable(body)};
  }
  if (body.failed() || body.left() != 0) return stop(true);
  left_ = in.rest();
  --count_;
  return &record_;
}

void BatchBuilder::add(const Record& record) {
  if (count_ == 0) first_time_ = last_time_ = record.time;
  last_time_ = std::max(last_time_, record.time);
  const auto later = static_cast<int64_t>(static_cast<uint64_t>(record.time) - static_cast<uint64_t>(first_time_));
  const auto headers = static_cast<int64_t>(record.headers.size());
  size_t size =
      1 + size_of(later) + size_of(int64_t{count_}) + size_of(record.key) + size_of(record.value) + size_of(headers);
  for (const RecordHeader& header : record.headers) size += size_of(header.name) + size_of(header.value);
  const auto length = static_cast<int64_t>(size);
  const size_t before = body_.size();
  body_.resize(before + size_of(length) + size);
  char* at = put(body_.data() + before, length);
  *at++ = 0;  // attributes
  at = put(at, later);
  at = put(at, int64_t{count_});
  at = put(at, record.key);
  at = put(at, record.value);
  at = put(at, headers);
  for (const RecordHeader& header : record.headers) {
    at = put(at, header.name);
    at = put(at, header.value);
  }
  ++count_;
}

std::string BatchBuilder::finish(const ProducerMark& producer, Packer* packer, int codec) {
  std::string batch;
  if (count_ > 0) {
    batch.reserve(kBatchHeadBytes + (packer ? 0 : body_.size()));
    const BatchHead head{.attributes = static_cast<int16_t>((producer.transactional ? 16 : 0) | codec),
                         .last_delta = count_ - 1,
                         .first_time = first_time_,
                         .last_time = last_time_,
                         .producer_id = producer.id,
                         .producer_epoch = producer.epoch,
                         .base_sequence = producer.sequence,
                         .count = count_};
    write_head(head, batch);
    if (packer) {
      packer->pack(codec, body_, batch);
    } else {
      batch += body_;
    }
    store(batch.data() + 8, static_cast<int32_t>(batch.size() - 12));
    store(batch.data() + 17, crc32c(std::string_view(batch).substr(21)));
    if (batch.capacity() > 2 * batch.size()) batch.shrink_to_fit();  // it was made with room for what does not compress
  }
  body_.clear();
  count_ = 0;
  return batch;
}

}  // namespace twinspan::kafka
