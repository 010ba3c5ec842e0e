// The mark of an idle database: that at some time everything it had written was stored. Without one nobody could tell a
// time after the last commit from one that was not stored. An object beside the repository, whose name says all there
// is. Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backup/types.hpp"

namespace twinspan::backup {

struct Mark {
  uint64_t epoch = 0;     // in which the timeline was begun
  Timeline timeline = 0;  // that it wrote
  uint64_t position = 0;  // up to which its log was flushed, all of it stored
  // In whole seconds, by the primary's clock: nothing was written from `since` on, up to `at`.
  int64_t since = 0, at = 0;
  auto operator<=>(const Mark&) const = default;
};

// "mark/STANZA/", below the repository's prefix.
std::string mark_folder(std::string_view stanza);
// "0000000000000005-00000003-0000000005000148-000000006927A1B2-000000006927A2DE": its fields in that order,
// hexadecimal.
std::string to_string(const Mark& mark);
std::optional<Mark> parse_mark(std::string_view text);  // nullopt: none is named so

// By the log, and not by the clock alone, which may have been wrong for a moment.
bool is_newer(const Mark& one, const Mark& other);
// Of that timeline: what the latest epoch said last.
std::optional<Mark> newest_mark(const std::vector<Mark>& marks, Timeline timeline);

}  // namespace twinspan::backup
