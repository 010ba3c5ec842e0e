// PostgreSQL's statistics for whoever scrapes: read when asked for, by a connection that goes again.
#pragma once
#include <chrono>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "core/guarded.hpp"
#include "engines/postgres/layout.hpp"
#include "engines/postgres/statistics.hpp"

namespace twinspan::worker {

class StatisticsReader {
 public:
  StatisticsReader(const postgres::Layout& layout, int port, const Clock& clock)
      : layout_(layout), port_(port), clock_(clock) {}
  // At most ten seconds old; nullopt where PostgreSQL does not answer. Any thread: takes two seconds at the worst, and
  // where one already waits for PostgreSQL another gets what is known, at most a minute old.
  std::optional<postgres::Statistics> read();

 private:
  std::optional<postgres::Statistics> known(std::chrono::seconds age) const;

  const postgres::Layout layout_;
  const int port_;
  const Clock& clock_;
  Mutex reading_;  // held over a reading, which is one at a time
  mutable Mutex mutex_;
  std::optional<postgres::Statistics> latest_ GUARDED_BY(mutex_);
  BootTime read_at_ GUARDED_BY(mutex_){};
};

// When the certificate that clients and replicas are shown ends; nullopt where it can't be read.
std::optional<double> certificate_ends_at(const postgres::Layout& layout);

}  // namespace twinspan::worker
