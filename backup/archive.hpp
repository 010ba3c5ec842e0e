// The log in a repository: its files by name, and how listings show them. Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"

namespace twinspan {
struct TimelineSwitch;
}

namespace twinspan::backup {

inline constexpr uint64_t kSegmentBytes = 16 << 20;
inline constexpr std::string_view kArchiveId = "15-1";  // of PostgreSQL 15, in a stanza that has one system only

// A timeline, and the position at which the database went on to the next one.
struct Departure {
  uint32_t timeline = 0;
  uint64_t position = 0;
};

// "000000010000000A000000FF": what is stored with a digest in its name, also as .partial.
bool is_segment(std::string_view name);
bool is_whole_segment(std::string_view name);  // no .partial
bool is_history(std::string_view name);
// The folder in the archive that a segment lies in, below the stanza's.
std::string folder_of(std::string_view segment);

// The number of a segment's name in its timeline, counted in segments of 16 MiB; nullopt: it is no segment's name.
std::optional<uint64_t> number_of(std::string_view segment);
uint32_t timeline_of(std::string_view segment);  // of a segment's name
std::string segment_name(uint32_t timeline, uint64_t number);
// Of the segment that a position lies in.
constexpr uint64_t segment_number(uint64_t position) { return position / kSegmentBytes; }

std::vector<Departure> departures_of(const std::vector<TimelineSwitch>& history);

// Whether the database has left the segment's timeline in that segment or before it: its bytes are in the segment of
// that number of the timeline that came next, and what is in it beyond them was never the link's. `timeline` is what
// the database is on now, `history` how it came there.
bool is_left_behind(std::string_view segment, uint32_t timeline, const std::vector<Departure>& history);

// The SHA-1 that `repo-ls` of a segment's folder shows of it; nullopt: it is not there.
std::optional<std::string> stored_digest(std::string_view listing, std::string_view segment);

// When a segment was stored, by `repo-ls --output=json` of its folder; nullopt: it is not there, or that is not said.
std::optional<WallTime> stored_at(std::string_view listing, std::string_view segment);

// Of a segment's or history file's name: all of it belongs before that segment, the first that is stored. Nothing does
// where none is (empty).
bool is_before(std::string_view name, std::string_view oldest_segment);

}  // namespace twinspan::backup
