// Of an import that follows its source by a subscription (method Logical): who may be followed, by what name, and what
// is seen of it. Pure.
#pragma once
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/result.hpp"
#include "engines/postgres/import_rules.hpp"
#include "engines/postgres/import_source.hpp"

namespace twinspan::postgres {

// Of publication, slot and subscription. Another one for each database here, each history of it, and each source: links
// that copy from one source don't share.
std::string follow_name(const ImportOrigin& origin, const ImportSource& source, std::string_view database);
// Half of an import may be followed further where it is `name`'s and nobody was promoted since: a replica that takes
// over may lack what the source was told is here, and what it was told never comes again.
bool goes_on(const ImportFound& found, const std::string& name);

// What was found at the source before anything is made there or here.
struct SourceSeen {
  int64_t version = 0;  // server_version_num
  std::string wal_level;
  bool in_recovery = false;
  int64_t free_slots = 0, free_senders = 0;
  bool may_replicate = false, may_create = false;  // the user
  int64_t large_objects = 0;
  // Names, quoted, with their schemas.
  std::vector<std::string> without_identity, unlogged, of_others, unreadable_sequences, always_triggers,
      hidden_rows;  // by row-level security, from this user
};
// A slot for what follows, and one for each of the tables that PostgreSQL copies at once.
inline constexpr int64_t kFollowSlots = 3;
// kInvalid names what is in the way and what to do there.
Status may_follow(const SourceSeen& seen, const ImportSource& source);

// Relations at the source and here, each as one text; what only one side has.
std::string differences(const std::set<std::string>& there, const std::set<std::string>& here);

// Tables that no publication has since they were made later: whatever is here of them, their rows are not.
std::string not_followed(const std::vector<std::string>& there, const std::vector<std::string>& followed);

// Tables of which row-level security hides rows from the user, whose copy would leave them out without a word.
std::string hidden_rows(const std::vector<std::string>& tables);
// kInvalid names tables that, once published, could be updated at the source no more.
Status have_identity(const std::vector<std::string>& without);

// As explained() has it; kConflict and kGone were found out here, and need no explanation.
Error follow_error(const Error& error);

struct FollowSeen {
  bool enabled = false, shut = true;
  int64_t tables = 0, here = 0, ready = 0;    // ready: of those here, as of one moment with all others
  bool working = false;                       // its worker runs
  int64_t apply_errors = 0, copy_errors = 0;  // since the statistics began
  bool streams = false;                       // the source sends
  std::string confirmed;                      // up to where of its log the source was told that it is here
  std::optional<int64_t> lag_bytes;
  bool slot_lost = false;  // the source has it no more, or dropped log that was yet to come
};

// Tells one failure, which passes, from a subscription that fails again and again at the same place.
class FollowTrouble {
 public:
  static constexpr int64_t kFailures = 2;
  enum class Verdict { kFine, kApplyFails, kCopyFails };
  Verdict look(const FollowSeen& seen);

 private:
  struct Count {
    int64_t errors = 0;  // when the last progress was seen
    std::string reached;
  };
  static bool fails(Count& count, bool first, int64_t errors, std::string reached);
  bool first_ = true;
  Count apply_, copy_;
};

}  // namespace twinspan::postgres
