#include "kafka/records.hpp"

#include <algorithm>

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

void put_nullable(Writer& out, const std::optional<std::string_view>& bytes) {
  out.varint(bytes ? static_cast<int64_t>(bytes->size()) : -1);
  if (bytes) out.append(*bytes);
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
  std::string bytes;
  Writer out(bytes);
  out.put(int8_t{0});
  out.varint(record.time - first_time_);
  out.varint(count_);
  put_nullable(out, record.key);
  put_nullable(out, record.value);
  out.varint(static_cast<int64_t>(record.headers.size()));
  for (const RecordHeader& header : record.headers) {
    put_nullable(out, header.name);
    put_nullable(out, header.value);
  }
  Writer(body_).varint(static_cast<int64_t>(bytes.size()));
  body_ += bytes;
  ++count_;
}

std::string BatchBuilder::finish(const ProducerMark& producer) {
  std::string batch;
  if (count_ > 0) {
    const BatchHead head{.length = static_cast<int32_t>(kBatchHeadBytes - 12 + body_.size()),
                         .attributes = static_cast<int16_t>(producer.transactional ? 16 : 0),
                         .last_delta = count_ - 1,
                         .first_time = first_time_,
                         .last_time = last_time_,
                         .producer_id = producer.id,
                         .producer_epoch = producer.epoch,
                         .base_sequence = producer.sequence,
                         .count = count_};
    write_head(head, batch);
    batch += body_;
    store(batch.data() + 17, crc32c(std::string_view(batch).substr(21)));
  }
  body_.clear();
  count_ = 0;
  return batch;
}

}  // namespace twinspan::kafka
