#include "worker/postgres/backup/let_go.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "backup/tail.hpp"
#include "core/json.hpp"
#include "engines/postgres/files.hpp"

namespace twinspan::worker {
namespace {

std::string file_in(const std::string& data_dir) { return data_dir + "/dropped.json"; }

uint64_t wanted_free(const postgres::Volume& volume, int64_t percent) {
  return volume.total_bytes / 100 * static_cast<uint64_t>(percent);
}

}  // namespace

bool may_let_go(const LetGoView& view) {
  if (!view.volume || view.volume->total_bytes == 0 || view.keep_free_percent <= 0) return false;
  if (!view.unstored_since || view.now - *view.unstored_since < kUnstoredLeast) return false;
  const uint64_t wanted = wanted_free(*view.volume, view.keep_free_percent);
  return view.volume->free_bytes < wanted && view.let_go_bytes < wanted - view.volume->free_bytes;
}

namespace {

uint64_t percent_free(const postgres::Volume& volume) {
  if (volume.total_bytes == 0) return 0;
  return static_cast<uint64_t>(100.0 * static_cast<double>(volume.free_bytes) /
                               static_cast<double>(volume.total_bytes));
}

}  // namespace

std::string let_go_cause(const std::string& endpoint, const postgres::Volume& volume, int64_t keep_free_percent) {
  return fmt::format(
      "let go, since it could not be stored and the volume of {} had {}% free, less than keepFreePercent ({})",
      endpoint, percent_free(volume), keep_free_percent);
}

void note_dropped(std::vector<DroppedLog>& ranges, const std::string& segment, const std::string& cause, WallTime now,
                  bool conflict) {
  const auto number = backup::number_of(segment);
  if (!ranges.empty()) {
    DroppedLog& last = ranges.back();
    const auto to = backup::number_of(last.to);
    if (last.to == segment) return;
    if (number && to && backup::timeline_of(last.to) == backup::timeline_of(segment) && *to + 1 == *number &&
        last.conflict == conflict) {
      last.to = segment;
      return;
    }
  }
  ranges.push_back({segment, segment, cause, to_rfc3339(now), conflict});
  if (ranges.size() > kDroppedMost) ranges.erase(ranges.begin());
}

Result<std::vector<DroppedLog>> still_missing(const std::vector<DroppedLog>& ranges,
                                              const std::function<Result<bool>(const std::string& segment)>& stored) {
  std::vector<DroppedLog> missing;
  for (const DroppedLog& range : ranges) {
    const auto from = backup::number_of(range.from), to = backup::number_of(range.to);
    if (!from || !to) continue;
    // What is stored under the name is something else.
    if (range.conflict) {
      missing.push_back(range);
      continue;
    }
    bool open = false;  // the last one of `missing` grows
    for (uint64_t number = *from; number <= *to; ++number) {
      const std::string segment = backup::segment_name(backup::timeline_of(range.from), number);
      const auto there = stored(segment);
      if (!there) return std::unexpected(there.error());
      if (!*there && open)
        missing.back().to = segment;
      else if (!*there)
        missing.push_back({segment, segment, range.cause, range.at});
      open = !*there;
    }
  }
  return missing;
}

std::vector<DroppedLog> with_answers(const std::vector<DroppedLog>& now, const std::vector<DroppedLog>& before,
                                     const std::vector<DroppedLog>& missing) {
  // Ranges are appended, or the last one grows.
  const size_t asked = before.empty() ? 0 : before.size() - 1;
  if (now.size() < before.size() ||
      !std::equal(before.begin(), before.begin() + static_cast<ptrdiff_t>(asked), now.begin()))
    return now;
  std::vector<DroppedLog> after = missing;
  if (before.empty()) return now;
  const DroppedLog &last = before.back(), &grown = now[asked];
  if (grown.from != last.from || grown.to < last.to) return now;
  if (grown.to != last.to) {
    const auto number = backup::number_of(last.to);
    DroppedLog more = grown;
    more.from = backup::segment_name(backup::timeline_of(last.to), number.value_or(0) + 1);
    after.push_back(std::move(more));
  }
  after.insert(after.end(), now.begin() + static_cast<ptrdiff_t>(before.size()), now.end());
  return after;
}

Result<std::vector<DroppedLog>> read_dropped(const std::string& data_dir, const std::string& stanza) {
  const auto text = postgres::read_file(file_in(data_dir));
  if (!text) {
    if (text.error().code == Code::kNotFound) return std::vector<DroppedLog>{};
    return std::unexpected(text.error());
  }
  const Json json = Json::parse(*text, nullptr, false);
  if (!json.is_object() || !member_of(json, "ranges").is_array())
    return fail(Code::kInvalid, fmt::format("{}: a JSON object with ranges is expected", file_in(data_dir)));
  if (text_of(json, "stanza") != stanza) return std::vector<DroppedLog>{};
  return dropped_of(member_of(json, "ranges"));
}

Status write_dropped(const std::string& data_dir, const std::string& stanza, const std::vector<DroppedLog>& ranges) {
  const Json json = {{"stanza", stanza}, {"ranges", to_json(ranges)}};
  if (auto wrote = postgres::replace_file(file_in(data_dir), json.dump() + "\n", 0600); !wrote)
    return std::unexpected(wrote.error());
  return postgres::sync_directory(data_dir);
}

}  // namespace twinspan::worker
