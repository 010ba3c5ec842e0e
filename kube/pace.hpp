// The client's own limit on requests: a token bucket of one second's worth.
#pragma once
#include <chrono>
#include <stop_token>

#include "core/guarded.hpp"
#include "core/wait.hpp"

namespace twinspan::kube {

class Pace {
 public:
  explicit Pace(double per_second) : per_second_(per_second) {}

  // Blocks until the next request may go; false where that is not within `limit` or `stop` was set.
  bool wait(std::chrono::nanoseconds limit, const std::stop_token& stop) {
    if (per_second_ <= 0) return !stop.stop_requested();
    const auto step = std::chrono::nanoseconds(static_cast<int64_t>(1e9 / per_second_));
    std::chrono::nanoseconds pause;
    {
      MutexLock lock(mutex_);
      const auto now = std::chrono::steady_clock::now();
      next_ = std::max(next_, now - std::chrono::seconds(1));
      pause = next_ - now;
      if (pause > limit) return false;
      next_ += step;
    }
    return pause.count() <= 0 ? !stop.stop_requested() : wait_for(pause, stop);
  }

 private:
  const double per_second_;
  Mutex mutex_;
  std::chrono::steady_clock::time_point next_ GUARDED_BY(mutex_){};
};

}  // namespace twinspan::kube
