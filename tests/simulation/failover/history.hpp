// What really is in a log, and what its numbers say of it. A timeline is an identity: its number, its parent and where
// it left it. Two promotions that never heard of each other give their timelines the same number; the records are
// others.
#pragma once
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "engines/postgres/timeline.hpp"

namespace twinspan::simulation {

using Line = int;  // a timeline's identity

// Records 1..end(), each on the timeline it was written on.
struct Log {
  std::vector<std::pair<Line, uint64_t>> runs;  // timeline, end; ends grow

  uint64_t end() const { return runs.empty() ? 0 : runs.back().second; }
  Line line() const { return runs.empty() ? -1 : runs.back().first; }
  void append(Line line);
  bool has(Line line, uint64_t position) const;  // the record that ends at `position` of that timeline
  uint64_t end_of(Line line) const;              // 0: nothing of it
  bool prefix_of(const Log& other) const;
  bool knows(Line line) const;         // it is on that timeline, or was
  Log until(uint64_t position) const;  // its beginning, up to there
};

class Timelines {
 public:
  Line begin_system();  // initdb: another system, timeline 1
  // A promotion: one more than the highest number in the log's past, and than `known`.
  Line fork(const Log& log, uint32_t known);
  uint32_t highest() const;  // number of all that ever were
  std::string system_of(const Log& log) const;
  uint32_t number(Line line) const { return all_[static_cast<size_t>(line)].number; }
  // As PostgreSQL's files and its walsender tell it.
  postgres::Ancestry ancestry(const Log& log) const;

 private:
  struct Timeline {
    uint32_t number = 0;
    int system = 0;
  };
  std::vector<Timeline> all_;
  int systems_ = 0;
};

}  // namespace twinspan::simulation
