// Waiting that a stop token ends at once.
#pragma once
#include <chrono>
#include <condition_variable>
#include <stop_token>
#include <utility>

#include "core/guarded.hpp"

namespace twinspan {

// Returns false where `stop` was set before the time was up. Wakes at once on stop.
inline bool wait_for(std::chrono::nanoseconds time, const std::stop_token& stop) {
  Mutex mutex;
  std::condition_variable_any waker;
  MutexLock lock(mutex);
  waker.wait_for(lock, stop, time, [] { return false; });
  return !stop.stop_requested();
}

// A flag that one thread waits on and others raise; raising it while nobody waits is not lost.
class Signal {
 public:
  void raise() {
    {
      MutexLock lock(mutex_);
      raised_ = true;
    }
    waker_.notify_all();
  }
  // Waits until raised, stopped or `time` is over; takes the flag down. True where it was raised.
  bool wait(std::chrono::nanoseconds time, const std::stop_token& stop) {
    MutexLock lock(mutex_);
    waker_.wait_for(lock, stop, time, [this]() REQUIRES(mutex_) { return raised_; });
    return std::exchange(raised_, false);
  }

 private:
  Mutex mutex_;
  std::condition_variable_any waker_;
  bool raised_ GUARDED_BY(mutex_) = false;
};

}  // namespace twinspan
