// How fast two sums grow, over the last ten seconds.
#pragma once
#include <deque>
#include <optional>

#include "core/clock.hpp"
#include "worker/kafka/worker_report.hpp"

namespace twinspan::worker_kafka {

// Used by one thread.
class RateMeter {
 public:
  void add(int64_t records, int64_t bytes, BootTime now) {
    using namespace std::chrono_literals;
    if (!samples_.empty() && now - samples_.back().at < 1s) return;
    samples_.push_back({records, bytes, now});
    while (samples_.size() > 2 && now - samples_[1].at >= 10s) samples_.pop_front();
  }
  std::optional<Rates> rates() const {  // nullopt: not measured yet
    if (samples_.size() < 2) return std::nullopt;
    const Sample &first = samples_.front(), &last = samples_.back();
    const double seconds = std::chrono::duration<double>(last.at - first.at).count();
    return Rates{static_cast<double>(last.records - first.records) / seconds,
                 static_cast<double>(last.bytes - first.bytes) / seconds};
  }

 private:
  struct Sample {
    int64_t records, bytes;
    BootTime at;
  };
  std::deque<Sample> samples_;
};

}  // namespace twinspan::worker_kafka
