#include "engines/kafka/encoder.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <re2/re2.h>

#include <algorithm>
#include <chrono>
#include <iterator>
#include <map>

namespace twinspan::kafka_engine {
namespace {

constexpr size_t kBodyBytes = 16 << 20;  // of a batch before it is compressed, unless it has one record

int number_of(Codec codec, const kafka::BatchHead& source) {
  switch (codec) {
    case Codec::kKeep: return source.codec();
    case Codec::kNone: return kafka::kNoCodec;
    case Codec::kGzip: return kafka::kGzip;
    case Codec::kSnappy: return kafka::kSnappy;
    case Codec::kLz4: return kafka::kLz4;
    case Codec::kZstd: return kafka::kZstd;
  }
  return source.codec();
}

Result<std::vector<std::unique_ptr<re2::RE2>>> compile_each(const char* field, const std::vector<std::string>& texts) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  std::vector<std::unique_ptr<re2::RE2>> patterns;
  for (const std::string& text : texts) {
    patterns.push_back(std::make_unique<re2::RE2>(text, options));
    if (!patterns.back()->ok())
      return fail(Code::kInvalid,
                  fmt::format("{}: \"{}\": expected a pattern of RE2: {}", field, text, patterns.back()->error()));
  }
  return patterns;
}

bool contains_any(const std::vector<std::unique_ptr<re2::RE2>>& patterns, std::string_view value) {
  return std::ranges::any_of(patterns, [&](const auto& pattern) {
    return re2::RE2::PartialMatch(re2::StringPiece(value.data(), value.size()), *pattern);
  });
}

std::string rfc3339(int64_t milliseconds) {
  using namespace std::chrono;
  const sys_time<std::chrono::milliseconds> at{std::chrono::milliseconds(milliseconds)};
  const auto second = floor<seconds>(at);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(system_clock::to_time_t(second)),
                     (at - second).count());
}

}  // namespace

Encoder::Encoder(const RecordRules& rules, size_t unpacked_most)
    : rules_(rules),
      unpacked_most_(unpacked_most),
      filters_(!rules.include_patterns.empty() || !rules.exclude_patterns.empty() || !rules.headers.empty() ||
               rules.min_time),
      transforms_(!rules.map_headers.empty() || !rules.remove_headers.empty() || !rules.add_headers.empty()) {}
Encoder::~Encoder() = default;

Result<std::unique_ptr<Encoder>> Encoder::make(const RecordRules& rules, size_t unpacked_most) {
  std::unique_ptr<Encoder> encoder(new Encoder(rules, unpacked_most));
  if (const Status done = encoder->compile(); !done) return std::unexpected(done.error());
  return encoder;
}

Status Encoder::compile() {
  auto include = compile_each("includePatterns", rules_.include_patterns);
  if (!include) return std::unexpected(include.error());
  auto exclude = compile_each("excludePatterns", rules_.exclude_patterns);
  if (!exclude) return std::unexpected(exclude.error());
  include_ = std::move(*include);
  exclude_ = std::move(*exclude);
  for (const auto& [name, value] : rules_.add_headers) {
    auto pieces = parse(value);
    if (!pieces)
      return fail(Code::kInvalid, fmt::format("addHeaders: {}: \"{}\": {}", name, value, pieces.error().message));
    const bool of_each = std::ranges::any_of(*pieces, [](const Piece& one) { return one.place == Place::kOffset; });
    added_.push_back({.name = name, .pieces = std::move(*pieces), .of_each_record = of_each});
  }
  if (rules_.batch_records && *rules_.batch_records < 1)
    return fail(Code::kInvalid, fmt::format("batchSize: {}: expected 1 or more", *rules_.batch_records));
  return {};
}

Result<std::vector<Encoder::Piece>> Encoder::parse(const std::string& text) {
  static const std::map<std::string_view, Place> kPlaces{{"now", Place::kNow},
                                                         {"source", Place::kSource},
                                                         {"topic", Place::kTopic},
                                                         {"partition", Place::kPartition},
                                                         {"offset", Place::kOffset}};
  std::vector<Piece> pieces;
  std::string_view left = text;
  while (!left.empty()) {
    const size_t at = left.find("${");
    if (at != 0) pieces.push_back({.text = std::string(left.substr(0, at))});
    if (at == left.npos) break;
    left.remove_prefix(at + 2);
    const size_t end = left.find('}');
    const auto found = end == left.npos ? kPlaces.end() : kPlaces.find(left.substr(0, end));
    if (found == kPlaces.end())
      return fail(Code::kInvalid, "expected ${now}, ${source}, ${topic}, ${partition} or ${offset}");
    pieces.push_back({.place = found->second});
    left.remove_prefix(end + 1);
  }
  return pieces;
}

void Encoder::fill(Added& added, const EncodeAsked& asked, int64_t offset) const {
  added.value.clear();
  for (const Piece& piece : added.pieces) switch (piece.place) {
      case Place::kText: added.value += piece.text; break;
      case Place::kNow: added.value += rfc3339(asked.now); break;
      case Place::kSource: added.value += rules_.source; break;
      case Place::kTopic: added.value += asked.topic; break;
      case Place::kPartition: fmt::format_to(std::back_inserter(added.value), "{}", asked.partition); break;
      case Place::kOffset: fmt::format_to(std::back_inserter(added.value), "{}", offset); break;
    }
}

bool Encoder::wants(const kafka::BatchHead& head) const {
  return filters_ || transforms_ || number_of(rules_.codec, head) != head.codec();
}

// What is cheap is asked first; no value is read unless a pattern asks.
bool Encoder::kept(const kafka::Record& record) const {
  if (rules_.min_time && (record.time < 0 || record.time < *rules_.min_time)) return false;
  for (const auto& [name, value] : rules_.headers) {
    const auto last = std::ranges::find(record.headers.rbegin(), record.headers.rend(), std::string_view(name),
                                        &kafka::RecordHeader::name);
    if (last == record.headers.rend() || last->value != std::string_view(value)) return false;
  }
  if (!include_.empty() && !(record.value && contains_any(include_, *record.value))) return false;
  return exclude_.empty() || !record.value || !contains_any(exclude_, *record.value);
}

bool Encoder::transform(const kafka::Record& record, const EncodeAsked& asked, int64_t offset) {
  bool changed = !added_.empty();
  headers_.clear();
  for (const kafka::RecordHeader& header : record.headers) {
    if (std::ranges::find(rules_.remove_headers, header.name) != rules_.remove_headers.end() ||
        std::ranges::find(added_, header.name, &Added::name) != added_.end()) {
      changed = true;
      continue;
    }
    headers_.push_back(header);
    if (rules_.map_headers.empty() || !header.value) continue;
    const auto of_name = rules_.map_headers.find(std::string(header.name));
    if (of_name == rules_.map_headers.end()) continue;
    const auto mapped = of_name->second.find(std::string(*header.value));
    if (mapped == of_name->second.end() || mapped->second == *header.value) continue;
    headers_.back().value = mapped->second;
    changed = true;
  }
  for (Added& added : added_) {
    if (added.of_each_record) fill(added, asked, offset);
    headers_.push_back({added.name, added.value});
  }
  return changed;
}

Encoded Encoder::encode(const EncodeAsked& asked) {
  using Found = kafka::Unpacker::Found;
  if (!kafka::crc_is_right(asked.batch))
    return {.outcome = Encoded::Outcome::kCorrupt,
            .why = fmt::format("the checksum of the batch at {} is wrong", asked.head.base_offset)};
  std::string_view body;
  switch (unpacker_.unpack(asked.head.codec(), asked.batch.substr(kafka::kBatchHeadBytes), unpacked_most_, body)) {
    case Found::kDone: break;
    case Found::kTooLarge:
      return {.outcome = Encoded::Outcome::kTooLarge,
              .why = fmt::format("unpacked the batch at {} is larger than the {} bytes that are allowed",
                                 asked.head.base_offset, unpacked_most_)};
    case Found::kCorrupt:
      return {.outcome = Encoded::Outcome::kCorrupt,
              .why = fmt::format("the batch at {} cannot be unpacked", asked.head.base_offset)};
    case Found::kUnknownCodec:
      return {.outcome = Encoded::Outcome::kRefused,
              .why = fmt::format("the batch at {} is compressed by a codec that this version does not know, {}",
                                 asked.head.base_offset, asked.head.codec())};
  }
  for (Added& added : added_)
    if (!added.of_each_record) fill(added, asked, 0);
  // How small a batch becomes is known once it is made: one that is over is made again of smaller pieces.
  for (size_t most_body = kBodyBytes;;) {
    bool over = false;
    size_t largest_body = 0;
    Encoded encoded = encode_within(asked, body, most_body, over, largest_body);
    if (!over) return encoded;
    most_body = std::min(most_body, largest_body) / 2;
  }
}

// `over`: a batch of several records is larger than it may be.
Encoded Encoder::encode_within(const EncodeAsked& asked, std::string_view body, size_t most_body, bool& over,
                               size_t& largest_body) {
  const kafka::BatchHead& head = asked.head;
  const int codec = number_of(rules_.codec, head);
  const int32_t most_records = rules_.batch_records.value_or(INT32_MAX);
  Encoded encoded;
  bool changed = false;
  int64_t base = 0, last = -1;
  std::vector<Run> runs;
  const auto finish = [&] {
    if (builder_.count() == 0) return;
    Encoded::Batch made{.count = builder_.count(), .base = base, .next = last + 1, .runs = std::exchange(runs, {})};
    const size_t unpacked = builder_.body_bytes();
    made.bytes = builder_.finish({}, packer_, codec);
    if (asked.most_bytes && made.count > 1 && static_cast<int64_t>(made.bytes.size()) > *asked.most_bytes) {
      over = true;
      largest_body = std::max(largest_body, unpacked);
    }
    encoded.batches.push_back(std::move(made));
  };
  kafka::Records records(head, body);
  int32_t before = -1;
  bool ordered = true;
  kafka::Record mine;
  while (const kafka::Record* record = records.next()) {
    ordered = ordered && record->offset_delta > before && record->offset_delta <= head.last_delta;
    before = record->offset_delta;
    const int64_t offset = head.base_offset + record->offset_delta;
    if (offset < asked.from || offset >= asked.until) {
      changed = true;
      continue;
    }
    const kafka::Record* write = record;
    // Under the delete-horizon bit, too, times count from first_time; it is the deadline, and deltas were made by it.
    const bool retimed = head.log_append_time() && record->time != head.last_time;
    if (retimed) {
      mine = *record;
      mine.time = head.last_time;
      write = &mine;
    }
    if (filters_ && !kept(*write)) {
      ++encoded.filtered;
      continue;
    }
    if (transforms_ && transform(*write, asked, offset)) {
      changed = true;
      if (write != &mine) {
        mine.time = write->time;
        mine.key = write->key;
        mine.value = write->value;
      }
      std::swap(mine.headers, headers_);
      write = &mine;
    }
    if (builder_.count() > 0 && (builder_.count() >= most_records || builder_.body_bytes() >= most_body)) finish();
    if (builder_.count() == 0) base = offset;
    if (builder_.count() == 0 || offset != last + 1) runs.push_back({.source = offset, .target = builder_.count()});
    ++runs.back().count;
    last = offset;
    builder_.add(*write);
  }
  if (records.failed() || !ordered) {
    builder_.finish({});
    return {.outcome = Encoded::Outcome::kCorrupt,
            .why = fmt::format("the batch at {} has a right checksum and no right records", head.base_offset)};
  }
  if (asked.may_pass && !changed && encoded.filtered == 0 && codec == head.codec() && encoded.batches.empty()) {
    builder_.finish({});
    return {.outcome = Encoded::Outcome::kUnchanged};
  }
  finish();
  return encoded;
}

}  // namespace twinspan::kafka_engine
