// The log in a repository: its files by name, and how listings show them. Pure.
#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace twinspan::backup {

// "000000010000000A000000FF": what is stored with a digest in its name, also as .partial.
bool is_segment(std::string_view name);
bool is_history(std::string_view name);
// The folder in the archive that a segment lies in, below the stanza's.
std::string folder_of(std::string_view segment);

// The SHA-1 that `repo-ls` of a segment's folder shows of it; nullopt: it is not there.
std::optional<std::string> stored_digest(std::string_view listing, std::string_view segment);

// Of a segment's or history file's name: all of it belongs before that segment, the first that is stored. Nothing does
// where none is (empty).
bool is_before(std::string_view name, std::string_view oldest_segment);

}  // namespace twinspan::backup
