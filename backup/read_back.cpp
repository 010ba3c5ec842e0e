#include "backup/read_back.hpp"

#include <charconv>

#include "core/text.hpp"

namespace twinspan::backup {
namespace {

// What follows `key` up to the next comma; empty: it is not there.
std::string_view value_of(std::string_view line, std::string_view key) {
  const size_t at = line.find(key);
  if (at == std::string_view::npos) return {};
  line.remove_prefix(at + key.size());
  return line.substr(0, line.find(','));
}

int64_t count_of(std::string_view line, std::string_view key) {
  const std::string_view text = value_of(line, key);
  int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

Result<ReadBack> parse_read_back(std::string_view text) {
  ReadBack read;
  std::string_view status;
  for (const std::string_view line : split_lines(text)) {
    if (line.starts_with("status: ")) {
      status = line.substr(std::string_view("status: ").size());
    } else if (line.find("archiveId: ") != std::string_view::npos) {
      read.segments += count_of(line, "total WAL checked: ");
      read.segments_valid += count_of(line, "total valid WAL: ");
    } else if (const auto label = value_of(line, "  backup: "); !label.empty()) {
      const std::string_view state = value_of(line, ", status: ");
      // One that began meanwhile is none yet.
      if (state == "in-progress") continue;
      (state == "valid" ? read.valid : read.invalid).emplace_back(label);
    }
  }
  if (status.empty()) return fail(Code::kInvalid, "pgbackrest verify said no status");
  read.whole = status == "ok" && read.invalid.empty() && read.segments == read.segments_valid;
  return read;
}

std::string damage_in(std::string_view line) {
  for (const std::string_view found : {"invalid checksum ", "invalid size ", "invalid result ", "invalid file ",
                                       "file missing ", "invalid WAL ", "missing or unusable"})
    if (const size_t at = line.find(found); at != std::string_view::npos) {
      if (found.starts_with("missing")) return std::string(line);
      std::string_view words = line.substr(at);
      return std::string(words.substr(0, words.find(": [")));
    }
  return "";
}

}  // namespace twinspan::backup
