// Removing from the target what the source no longer has, asked for key by key.
#pragma once
#include <stop_token>
#include <string>
#include <vector>

#include "engines/s3/route.hpp"

namespace twinspan::s3 {

struct Removed {
  uint64_t count = 0;
  uint64_t unmarked = 0;  // kept: a source that keeps versions has no delete marker for them
  uint64_t older = 0;     // kept: they were there before the link
  std::vector<std::pair<std::string, Error>> failed{};  // kept: the server refuses these; keys without the prefix
  bool source_empty = false;  // then nothing was removed: "not found" is also what a bucket answers that is gone itself
};

// A listing or a notification may be behind the times, and objects may have come back: only what the source answers
// "not found" to, now, is removed. Where the source keeps versions it has to say more: that the key's latest version is
// a delete marker. A key that it never had was somebody else's to write, and stays. One that it lists and answers 404
// to is not gone: the copy may be all that is left. A key that is refused keeps none of the others. On an error some
// may have been removed.
Result<Removed> remove_confirmed(const Route& route, const std::vector<std::string>& keys, const std::stop_token& stop);

}  // namespace twinspan::s3
