// How fast: how many objects at once, how many bytes a second, which goes first.
#pragma once
#include <chrono>
#include <optional>
#include <string_view>

#include "core/clock.hpp"
#include "core/guarded.hpp"
#include "engines/s3/settings.hpp"

namespace twinspan::s3 {

// One step: up by one over grow_above queued items, down by one under shrink_below, never outside min … max.
int next_width(int width, size_t queued, const Concurrency& concurrency);

int priority_of(std::string_view key, const std::vector<PriorityRule>& rules);

// When an object that failed is tried again. nullopt: not any more, it goes to the dead letters.
std::optional<std::chrono::milliseconds> retry_after(const Error& error, int tries, const RetryPolicy& policy);

// A token bucket (a quarter of a second's worth) that may be overdrawn: whoever takes more than there is waits until it
// would be paid back. Any thread.
class Bandwidth {
 public:
  Bandwidth(const Clock& clock, int64_t bytes_per_second) : clock_(clock), rate_(bytes_per_second) {}
  // How long the caller has to wait before it goes on; 0 without a cap.
  std::chrono::nanoseconds take(int64_t bytes);

 private:
  const Clock& clock_;
  const int64_t rate_;
  Mutex mutex_;
  double tokens_ GUARDED_BY(mutex_) = 0;
  std::optional<BootTime> filled_at_ GUARDED_BY(mutex_);
};

}  // namespace twinspan::s3
