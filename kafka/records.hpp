// The records inside a batch that is not compressed, and batches made of records.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kafka/batch.hpp"
#include "kafka/codec.hpp"

namespace twinspan::kafka {

struct RecordHeader {
  std::string_view name;
  std::optional<std::string_view> value;
  bool operator==(const RecordHeader&) const = default;
};

struct Record {
  int64_t time = -1;  // milliseconds since 1970
  int32_t offset_delta = 0;
  std::optional<std::string_view> key{}, value{};
  std::vector<RecordHeader> headers{};  // in their order, doubles included
  bool operator==(const Record&) const = default;
};

// Views into the bytes that it was given. Read with `first_time` of the batch.
class Records {
 public:
  Records(const BatchHead& head, std::string_view body)
      : left_(body), count_(head.count), first_time_(head.first_time) {}
  // The next one, valid until the call after; nullptr: there are no more, or, where failed(), they are no records.
  const Record* next();
  bool failed() const { return failed_; }

 private:
  const Record* stop(bool failed);

  std::string_view left_;
  int32_t count_;
  int64_t first_time_;
  bool failed_ = false;
  Record record_;
};

// A batch of our own: CreateTime, offset deltas from 0 without a hole.
class BatchBuilder {
 public:
  void add(const Record& record);  // its offset_delta is not looked at
  int32_t count() const { return count_; }
  size_t body_bytes() const { return body_.size(); }  // before they are compressed
  // With its checksum; nothing was added: empty. Begins anew.
  std::string finish(const ProducerMark& producer) { return finish(producer, nullptr, kNoCodec); }
  std::string finish(const ProducerMark& producer, Packer& packer, int codec) {
    return finish(producer, &packer, codec);
  }

 private:
  std::string finish(const ProducerMark& producer, Packer* packer, int codec);

  std::string body_;
  int32_t count_ = 0;
  int64_t first_time_ = -1, last_time_ = -1;
};

}  // namespace twinspan::kafka
