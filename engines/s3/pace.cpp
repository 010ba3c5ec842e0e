#include "engines/s3/pace.hpp"

namespace twinspan::s3 {

int next_width(int width, size_t queued, const Concurrency& concurrency) {
  if (queued > concurrency.grow_above) ++width;
  if (queued < concurrency.shrink_below) --width;
  return std::max(1, std::clamp(width, concurrency.min, std::max(concurrency.min, concurrency.max)));
}

int priority_of(std::string_view key, const std::vector<PriorityRule>& rules) {
  const PriorityRule* best = nullptr;
  for (const PriorityRule& rule : rules)
    if (key.starts_with(rule.prefix) && (!best || rule.prefix.size() > best->prefix.size())) best = &rule;
  return best ? best->priority : 0;
}

std::optional<std::chrono::milliseconds> retry_after(const Error& error, int tries, const RetryPolicy& policy) {
  int most = policy.max;
  switch (error.code) {
    case Code::kUnavailable:
    case Code::kTimeout:
    case Code::kThrottled: most = policy.network_max; break;
    case Code::kDenied:         // waiting grants no right
    case Code::kAlreadyExists:  // and makes no room
    case Code::kCancelled: return std::nullopt;
    default: break;
  }
  if (tries >= most) return std::nullopt;
  return policy.backoff_base * (1 << std::min(std::max(tries - 1, 0), 16));
}

std::chrono::nanoseconds Bandwidth::take(int64_t bytes) {
  if (rate_ <= 0) return {};
  using Seconds = std::chrono::duration<double>;
  MutexLock lock(mutex_);
  const BootTime now = clock_.boot_now();
  const double full = static_cast<double>(rate_) / 4;
  if (!filled_at_) tokens_ = full;
  if (filled_at_) tokens_ = std::min(full, tokens_ + Seconds(now - *filled_at_).count() * static_cast<double>(rate_));
  filled_at_ = now;
  tokens_ -= static_cast<double>(bytes);
  if (tokens_ >= 0) return {};
  return std::chrono::duration_cast<std::chrono::nanoseconds>(Seconds(-tokens_ / static_cast<double>(rate_)));
}

}  // namespace twinspan::s3
