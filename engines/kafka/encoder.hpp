// Batches encoded anew: records that are left out, headers that change, another codec, and what no broker takes as it
// lies at the source (holes of compaction, a broker's times, a cleaner's deadline, the middle of a batch). Pure: what
// comes out is of what goes in alone; buffers and the libraries' states are kept between calls. For one thread.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "engines/kafka/rules.hpp"
#include "engines/kafka/state.hpp"
#include "kafka/batch.hpp"
#include "kafka/codec.hpp"
#include "kafka/records.hpp"

namespace re2 {
class RE2;
}

namespace twinspan::kafka_engine {

struct EncodeAsked {
  const kafka::BatchHead& head;
  std::string_view batch;  // whole; its checksum is looked at first
  std::string_view topic;  // at the source
  int32_t partition = 0;
  int64_t from = 0, until = INT64_MAX;  // offsets of the source: its records from this one on, before that one
  int64_t now = 0;                      // milliseconds since 1970
  bool may_pass = false;                // as it is, where the rules change nothing
  std::optional<int64_t> most_bytes{};  // of a batch with more than one record
};

struct Encoded {
  enum class Outcome {
    kMade,
    kUnchanged,  // it may pass as it is
    kCorrupt,    // its checksum is wrong, or it holds no records under a right one
    kTooLarge,   // unpacked it is larger than allowed
    kRefused,    // a codec that this version does not know
  };
  struct Batch {
    std::string bytes;  // without a producer: kafka::mark() gives it one
    int32_t count = 0;
    int64_t base = 0, next = 0;  // at the source: its first record's offset, and the one after its last record
    std::vector<Run> runs{};     // its records; `target` counts from its first one
  };
  Outcome outcome = Outcome::kMade;
  std::string why{};             // for people, where nothing was made
  std::vector<Batch> batches{};  // in order; empty: nothing is carried
  int64_t filtered = 0;          // records that the rules leave out
};

class Encoder {
 public:
  // kInvalid: a pattern that RE2 does not take, a placeholder that there is not; the message names the rule.
  static Result<std::unique_ptr<Encoder>> make(const RecordRules& rules, size_t unpacked_most);
  ~Encoder();

  // Whether the rules could change a batch that could pass.
  bool wants(const kafka::BatchHead& head) const;
  Encoded encode(const EncodeAsked& asked);

 private:
  enum class Place { kText, kNow, kSource, kTopic, kPartition, kOffset };
  struct Piece {
    Place place = Place::kText;
    std::string text{};
  };
  struct Added {
    std::string name;
    std::vector<Piece> pieces;
    bool of_each_record = false;
    std::string value{};  // as it was filled in last
  };

  Encoder(const RecordRules& rules, size_t unpacked_most);
  Status compile();
  static Result<std::vector<Piece>> parse(const std::string& text);
  void fill(Added& added, const EncodeAsked& asked, int64_t offset) const;
  bool kept(const kafka::Record& record) const;
  bool transform(const kafka::Record& record, const EncodeAsked& asked, int64_t offset);  // into headers_
  Encoded encode_within(const EncodeAsked& asked, std::string_view body, size_t most_body, bool& over,
                        size_t& largest_body);

  RecordRules rules_;
  size_t unpacked_most_;
  bool filters_ = false, transforms_ = false;
  std::vector<std::unique_ptr<re2::RE2>> include_, exclude_;
  std::vector<Added> added_;
  kafka::Unpacker unpacker_;
  kafka::Packer packer_;
  kafka::BatchBuilder builder_;
  std::vector<kafka::RecordHeader> headers_;
};

}  // namespace twinspan::kafka_engine
