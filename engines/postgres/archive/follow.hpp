// Log of the archive for a member that goes on from there: a replica whose upstream has removed what it needs next, and
// pg_rewind where it goes back further than the log here. Whole segments of one history, and nothing else: the
// histories themselves it has from its upstream, so that a promotion that failed is never followed.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backup/archive.hpp"

namespace twinspan::postgres {

struct Followed {
  uint32_t timeline = 0;
  std::vector<backup::Departure> history;  // how the database came there, oldest first
};
// "3", or "1@0000000003000148,2@0000000005000000,3": one word of a command line.
std::string to_string(const Followed& followed);
std::optional<Followed> parse_followed(std::string_view text);

// Whether the whole segment of that name is part of the history. What an old primary stored beyond the point at which
// the database left its timeline would make a replica of it.
bool is_followed(std::string_view name, const Followed& followed);

// The name of the segment that the history's log goes on in after this position.
std::string segment_of_history(const Followed& followed, uint64_t position);

// restore_command's answer: 0, it is there; 1, it is not, or that can't be told. Never more, which would end a
// replica's PostgreSQL: it asks its upstream again, and then the archive.
int follow(const Followed& followed, const std::string& name, const std::string& to,
           const std::function<std::optional<int>(const std::string& name, const std::string& to)>& archive_get);

// What is left of a process that hangs: a promotion waits until restore_command ends.
inline constexpr int kFollowSeconds = 30;

}  // namespace twinspan::postgres
