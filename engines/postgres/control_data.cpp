#include "engines/postgres/control_data.hpp"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "core/text.hpp"

namespace twinspan::postgres {
namespace {

constexpr uint64_t kPageBytes = 8192;  // XLOG_BLCKSZ
constexpr uint64_t kShortPageHeaderBytes = 24;
constexpr uint64_t kLongPageHeaderBytes = 40;  // the first page of a segment
// XLogRecord (24), the header of its data (2), CheckPoint of PostgreSQL 15 (88).
constexpr uint64_t kCheckpointRecordBytes = 24 + 2 + 88;

std::map<std::string, std::string, std::less<>> values_of(std::string_view text) {
  std::map<std::string, std::string, std::less<>> values;
  for (const std::string_view line : split_lines(text)) {
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    const size_t value = line.find_first_not_of(' ', colon + 1);
    values[std::string(line.substr(0, colon))] = value == std::string_view::npos ? "" : std::string(line.substr(value));
  }
  return values;
}

std::optional<uint64_t> to_number(const std::string& text) {
  uint64_t value = 0;
  const auto done = std::from_chars(text.data(), text.data() + text.size(), value);
  if (done.ec != std::errc() || done.ptr != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Result<ControlData> parse_control_data(std::string_view text) {
  const auto values = values_of(text);
  std::string missing;
  const auto word = [&](const char* key) -> std::string {
    const auto found = values.find(key);
    if (found == values.end() && missing.empty()) missing = key;
    return found == values.end() ? "" : found->second;
  };
  const auto number = [&](const char* key) -> uint64_t {
    const auto value = to_number(word(key));
    if (!value && missing.empty()) missing = key;
    return value.value_or(0);
  };
  const auto position = [&](const char* key) -> Position {
    const auto value = parse_position(word(key));
    if (!value && missing.empty()) missing = key;
    return value.value_or(Position{});
  };
  ControlData control;
  control.system_id = word("Database system identifier");
  control.state = word("Database cluster state");
  control.timeline = static_cast<uint32_t>(number("Latest checkpoint's TimeLineID"));
  control.checkpoint = position("Latest checkpoint location");
  control.redo = position("Latest checkpoint's REDO location");
  control.minimum_recovery = position("Minimum recovery ending location");
  control.minimum_recovery_timeline = static_cast<uint32_t>(number("Min recovery ending loc's timeline"));
  control.segment_bytes = number("Bytes per WAL segment");
  for (const char* name :
       {"max_connections", "max_worker_processes", "max_wal_senders", "max_prepared_xacts", "max_locks_per_xact"}) {
    const std::string key = fmt::format("{} setting", name);
    const std::string parameter = std::string_view(name) == "max_prepared_xacts"   ? "max_prepared_transactions"
                                  : std::string_view(name) == "max_locks_per_xact" ? "max_locks_per_transaction"
                                                                                   : name;
    control.recovery_floor[parameter] = static_cast<int64_t>(number(key.c_str()));
  }
  if (!missing.empty()) return fail(Code::kInvalid, fmt::format("pg_controldata: no usable line \"{}\"", missing));
  return control;
}

Position end_of_record(Position start, uint64_t length, uint64_t segment_bytes) {
  uint64_t at = start.value;
  uint64_t left = length;
  while (left > 0) {
    if (at % kPageBytes == 0) at += at % segment_bytes == 0 ? kLongPageHeaderBytes : kShortPageHeaderBytes;
    const uint64_t step = std::min(left, kPageBytes - at % kPageBytes);
    at += step;
    left -= step;
  }
  return {(at + 7) / 8 * 8};
}

Position end_of_clean_log(const ControlData& control) {
  return end_of_record(control.checkpoint, kCheckpointRecordBytes, control.segment_bytes);
}

}  // namespace twinspan::postgres
