// Record batches, format 2 (https://kafka.apache.org/documentation/#recordbatch): their heads, and how one that was
// read is written elsewhere without a look at its records.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace twinspan::kafka {

inline constexpr size_t kBatchHeadBytes = 61;

struct BatchHead {
  int64_t base_offset = 0;
  int32_t length = 0;  // of all that follows this field
  int32_t leader_epoch = -1;
  int8_t magic = 2;
  uint32_t crc = 0;  // of all that follows this field
  int16_t attributes = 0;
  int32_t last_delta = -1;
  int64_t first_time = -1, last_time = -1;  // milliseconds since 1970; -1: none
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  int32_t base_sequence = -1;
  int32_t count = 0;

  size_t bytes() const { return static_cast<size_t>(length) + 12; }
  int64_t last_offset() const { return base_offset + last_delta; }
  int codec() const { return attributes & 7; }  // 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd
  bool log_append_time() const { return attributes & 8; }
  bool transactional() const { return attributes & 16; }
  bool control() const { return attributes & 32; }
  bool delete_horizon() const { return attributes & 64; }  // first_time is a deadline of the cleaner's then
};

BatchHead read_head(std::string_view batch);               // of kBatchHeadBytes at least
void write_head(const BatchHead& head, std::string& out);  // appends
bool crc_is_right(std::string_view batch);

// One after another in what a Fetch brought. It may end in a batch that was cut off, which is no fault.
class Batches {
 public:
  enum class Found {
    kBatch,
    kEnd,        // also before a batch that was cut off
    kOldFormat,  // magic 0 or 1
    kCorrupt,    // a length, a magic or a number that no batch can have
  };

  explicit Batches(std::span<char> records) : left_(records) {}
  Found next();  // nothing comes after what is no kBatch
  const BatchHead& head() const { return head_; }
  std::span<char> bytes() const { return bytes_; }

 private:
  std::span<char> left_, bytes_;
  BatchHead head_;
};

struct ProducerMark {
  int64_t id = -1;
  int16_t epoch = -1;
  int32_t sequence = -1;
  bool transactional = false;
};
// Makes it a batch of ours, to be produced: base offset 0 and this producer. The checksum is moved along, never counted
// anew: what was wrong before is refused by whoever checks it next.
void mark(std::span<char> batch, const ProducerMark& producer);

// Sequences run from 0 to 2^31-1 and then from 0 on.
int32_t sequence_after(int32_t sequence, int32_t count);

}  // namespace twinspan::kafka
