// Waiting that a stop token ends at once.
#pragma once
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <utility>

namespace twinspan {

// Returns false where `stop` was set before the time was up. Wakes at once on stop.
inline bool wait_for(std::chrono::nanoseconds time, const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any waker;
  std::unique_lock lock(mutex);
  waker.wait_for(lock, stop, time, [] { return false; });
  return !stop.stop_requested();
}

// A flag that one thread waits on and others raise; raising it while nobody waits is not lost.
class Signal {
 public:
  void raise() {
    {
      std::lock_guard lock(mutex_);
      raised_ = true;
    }
    waker_.notify_all();
  }
  // Waits until raised, stopped or `time` is over; takes the flag down. True where it was raised.
  bool wait(std::chrono::nanoseconds time, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    waker_.wait_for(lock, stop, time, [this] { return raised_; });
    return std::exchange(raised_, false);
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any waker_;
  bool raised_ = false;
};

}  // namespace twinspan
