// Waiting times that double, with jitter.
#pragma once
#include <algorithm>
#include <chrono>
#include <random>

namespace twinspan::kube {

// A number in [0, 1).
inline double random_fraction() {
  thread_local std::minstd_rand generator(std::random_device{}());
  return std::uniform_real_distribution<double>(0, 1)(generator);
}

// `time` times a random factor in [1, 1 + spread).
template <class Duration>
Duration jittered(Duration time, double spread) {
  return std::chrono::duration_cast<Duration>(time * (1 + spread * random_fraction()));
}

// initial, 2 initial, 4 initial … up to limit, each stretched by up to its double, so that clients don't march in step.
class Backoff {
 public:
  Backoff(std::chrono::milliseconds initial, std::chrono::milliseconds limit)
      : initial_(initial), limit_(limit), next_(initial) {}
  std::chrono::milliseconds next() {
    const auto now = next_;
    next_ = std::min(limit_, next_ * 2);
    return jittered(now, 1.0);
  }
  void reset() { next_ = initial_; }

 private:
  std::chrono::milliseconds initial_, limit_, next_;
};

}  // namespace twinspan::kube
