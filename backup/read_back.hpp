// What `pgbackrest verify --output=text --verbose` says, read. Written for 2.45, whose exit code is 0 whatever it
// finds, and which names no segment of the log that is missing. Pure.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"

namespace twinspan::backup {

struct ReadBack {
  bool whole = false;                // nothing was found wrong
  std::vector<std::string> valid;    // labels
  std::vector<std::string> invalid;  // the same, in its order
  int64_t segments = 0, segments_valid = 0;
  bool operator==(const ReadBack&) const = default;
};

// kInvalid: it says no status of the stanza.
Result<ReadBack> parse_read_back(std::string_view text);

// The object that a line of its log (--log-level-stderr=info) finds something wrong with, and what; empty: it is none
// of those.
std::string damage_in(std::string_view line);

}  // namespace twinspan::backup
