// The tail of the log: what was flushed of its unfinished segment, stored beside the repository's own objects and
// replaced as it grows. pgBackRest doesn't know of it. Names, and which tail may stand for a segment. Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backup/archive.hpp"
#include "backup/types.hpp"

namespace twinspan::backup {

struct TailName {
  std::string segment;  // "000000010000000A000000FF"
  uint64_t end = 0;     // position in the log up to which it goes; within the segment, its end included
  uint64_t epoch = 0;   // in which its timeline was begun; 0: it is of an agent that did not say so
  auto operator<=>(const TailName&) const = default;
};

// "tail/STANZA/", below the repository's prefix.
std::string tail_folder(std::string_view stanza);
// "000000010000000A000000FF.00000A00FF0139A0.0000000000000005": a longer tail never overwrites a shorter one, whoever
// is late.
std::string to_string(const TailName& name);
std::optional<TailName> parse_tail_name(std::string_view text);  // nullopt: no tail is named so

std::string segment_at(Timeline timeline, uint64_t position);  // the name of the segment that the position lies in
uint64_t start_of(std::string_view segment);                   // of a segment's name: its first position

// Up to where a segment is part of the history of `followed`, which came to be by `history`: its end, or where the
// database left its timeline. nullopt: it is not part of it at all. What an old primary wrote beyond must never be
// replayed, also where it is stored.
std::optional<uint64_t> belongs_until(std::string_view segment, Timeline followed,
                                      const std::vector<Departure>& history);

// Of two that begin alike the later epoch's has the link's own log, however far the other goes: a primary that fell may
// have written under the same timeline what nobody else has.
bool goes_further(const TailName& one, const TailName& other);

// Of a segment: the tail that goes furthest.
std::optional<TailName> longest_tail(const std::vector<TailName>& tails, std::string_view segment);

// The whole segment that has all of a tail that belongs to `timeline`'s history: once the archive has it, the tail is
// of no use. nullopt: there is none, and nobody may remove the tail.
std::optional<std::string> superseder_of(const TailName& tail, Timeline timeline,
                                         const std::vector<Departure>& history);

}  // namespace twinspan::backup
