// What becomes of records by their rules, told once more and as slowly as can be, for comparison.
#pragma once
#include <algorithm>
#include <initializer_list>
#include <map>
#include <optional>
#include <random>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "engines/kafka/rules.hpp"
#include "kafka/codec.hpp"
#include "kafka/crc32c.hpp"
#include "kafka/records.hpp"
#include "kafka/wire.hpp"

namespace twinspan::kafka_engine {

struct Row {
  int64_t offset = 0, time = -1;
  std::optional<std::string> key{}, value{};
  std::vector<std::pair<std::string, std::optional<std::string>>> headers{};
  bool operator==(const Row&) const = default;
};

// The records of a batch as a consumer sees them.
inline std::vector<Row> rows_of(const kafka::BatchHead& head, std::string_view batch) {
  std::vector<Row> rows;
  kafka::Unpacker unpacker;
  std::string_view body;
  if (unpacker.unpack(head.codec(), batch.substr(kafka::kBatchHeadBytes), 64 << 20, body) !=
      kafka::Unpacker::Found::kDone)
    return rows;
  kafka::Records records(head, body);
  while (const kafka::Record* record = records.next()) {
    Row& row = rows.emplace_back(Row{.offset = head.base_offset + record->offset_delta,
                                     .time = head.log_append_time() ? head.last_time : record->time});
    if (record->key) row.key = *record->key;
    if (record->value) row.value = *record->value;
    for (const auto& header : record->headers) {
      auto& [name, value] = row.headers.emplace_back(header.name, std::nullopt);
      if (header.value) value = *header.value;
    }
  }
  return rows;
}

inline std::string one_of(std::mt19937& random, std::initializer_list<const char*> words) {
  return words.begin()[random() % words.size()];
}

inline std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (size_t at = 0; (at = text.find(what, at)) != text.npos; at += by.size()) text.replace(at, what.size(), by);
  return text;
}

// nullopt: it is left out. `now` as it is written.
inline std::optional<Row> by_rules(const RecordRules& rules, Row row, const std::string& topic, int partition,
                                   const std::string& now) {
  const auto has = [&](const std::string& pattern) {
    static std::map<std::string, std::regex> compiled;
    return row.value && std::regex_search(*row.value, compiled.try_emplace(pattern, pattern).first->second);
  };
  if (!rules.include_patterns.empty() && std::ranges::none_of(rules.include_patterns, has)) return std::nullopt;
  if (std::ranges::any_of(rules.exclude_patterns, has)) return std::nullopt;
  if (rules.min_time && (row.time == -1 || row.time < *rules.min_time)) return std::nullopt;
  std::map<std::string, std::optional<std::string>> last;
  for (const auto& [name, value] : row.headers) last[name] = value;
  for (const auto& [name, value] : rules.headers)
    if (!last.contains(name) || last[name] != value) return std::nullopt;
  decltype(row.headers) mapped, left;
  for (auto [name, value] : row.headers) {
    if (value && rules.map_headers.contains(name) && rules.map_headers.at(name).contains(*value))
      value = rules.map_headers.at(name).at(*value);
    mapped.emplace_back(name, value);
  }
  for (const auto& [name, value] : mapped) {
    bool keep = !rules.add_headers.contains(name);
    for (const std::string& removed : rules.remove_headers) keep = keep && removed != name;
    if (keep) left.emplace_back(name, value);
  }
  for (auto [name, value] : rules.add_headers) {
    value = replaced(value, "${now}", now);
    value = replaced(value, "${source}", rules.source);
    value = replaced(value, "${topic}", topic);
    value = replaced(value, "${partition}", std::to_string(partition));
    left.emplace_back(name, replaced(value, "${offset}", std::to_string(row.offset)));
  }
  row.headers = left;
  return row;
}

// A batch as a broker may hold it: holes, any codec, a broker's times, a deadline, at any offset.
struct StoredShape {
  int codec = 0;
  int64_t base = 0;
  std::vector<int> deltas{};  // of the records
  int last_delta = 0;
  int16_t bits = 0;  // 8: LogAppendTime, 64: a delete horizon, under which times count from a deadline
};
inline std::string stored_batch(const std::vector<Row>& rows, const StoredShape& shape) {
  std::string body;
  int64_t last_time = -1;
  const int64_t first_time = shape.bits & 64 ? 5000000 : rows.empty() ? -1 : rows[0].time;
  for (size_t n = 0; n < rows.size(); ++n) {
    std::string one;
    kafka::Writer out(one);
    const auto bytes = [&](const std::optional<std::string>& text) {
      out.varint(text ? static_cast<int64_t>(text->size()) : -1);
      if (text) out.append(*text);
    };
    out.put(int8_t{0});
    out.varint(rows[n].time - first_time);
    out.varint(shape.deltas[n]);
    bytes(rows[n].key);
    bytes(rows[n].value);
    out.varint(static_cast<int64_t>(rows[n].headers.size()));
    for (const auto& [name, value] : rows[n].headers) bytes(name), bytes(value);
    kafka::Writer(body).varint(static_cast<int64_t>(one.size()));
    body += one;
    last_time = std::max(last_time, rows[n].time);
  }
  if (shape.bits & 8) last_time += 1000;  // when the broker took it
  std::string batch;
  kafka::write_head({.base_offset = shape.base,
                     .leader_epoch = 3,
                     .attributes = static_cast<int16_t>(shape.codec | shape.bits),
                     .last_delta = shape.last_delta,
                     .first_time = first_time,
                     .last_time = last_time,
                     .count = static_cast<int32_t>(rows.size())},
                    batch);
  kafka::Packer().pack(shape.codec, body, batch);
  kafka::store(batch.data() + 8, static_cast<int32_t>(batch.size() - 12));
  kafka::store(batch.data() + 17, kafka::crc32c(std::string_view(batch).substr(21)));
  return batch;
}

}  // namespace twinspan::kafka_engine
