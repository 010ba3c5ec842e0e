// Where in the log a transaction ended or a restore point was made: what `pg_waldump` prints, read, and what follows
// for a restore to it. Pure.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "backup/archive.hpp"
#include "backup/goal.hpp"

namespace twinspan::backup {

// Segments of the log that leads to `newest` on its way back to `oldest_number`, the newest first: each by the name
// that its bytes are stored under on the followed timeline.
class Walk {
 public:
  Walk(Timeline timeline, std::vector<Departure> history, std::string_view newest, uint64_t oldest_number);
  bool ended() const { return !next_ || *next_ < oldest_; }
  std::optional<std::string> next();  // nullopt: it has ended
  // Its name as if it were of the followed timeline.
  std::string name_here(std::string_view segment) const;

 private:
  const Timeline timeline_;
  const std::vector<Departure> history_;
  const uint64_t oldest_;
  std::optional<uint64_t> next_;
};

struct LogLook {
  std::map<Position, std::string> restore_points;  // pgBackRest's own left out
  std::map<Position, uint32_t> ends;               // of transactions, of the one that is looked for
  struct Newest {
    Position position;
    uint32_t number = 0;
    std::string time;
  };
  std::optional<Newest> newest;  // end of any transaction
  std::string from, to;          // the segments that were looked through; empty: none was
};

// One line of `pg_waldump --rmgr=Transaction --rmgr=XLOG` under TZ=UTC; any other says nothing.
void read_line(std::string_view line, const Goal& goal, LogLook& look);

struct Found {
  std::optional<Position> where;
  std::string words;       // for people, where it is not: what there is instead
  bool ambiguous = false;  // it is there more than once: waiting does not help
};
// Of the goal, a transaction or a restore point.
Found found_in(const LogLook& look, const Goal& goal);

}  // namespace twinspan::backup
