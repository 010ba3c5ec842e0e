// Threads that grow with the work and go when idle. Private to this room.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <limits>
#include <thread>
#include <vector>

#include "core/guarded.hpp"

namespace twinspan::net {

class Crew {
 public:
  explicit Crew(size_t threads) : limit_(threads) {}
  ~Crew() { stop(); }
  void enqueue(
      std::function<void()> job);  // runs as soon as one of at most `threads` threads is free; dropped once stopped
  void stop();                     // runs what is queued, then waits for all threads; not from one of them
  // A thread that mostly waits for somebody outside does not count towards the limit from now on, as long as no more
  // than `most` do so. False: it goes on counting.
  bool lend(size_t most = std::numeric_limits<size_t>::max());
  void take_back();  // of what lend() gave

 private:
  void hire() REQUIRES(mutex_);
  void work();

  const size_t limit_;
  Mutex mutex_;
  std::condition_variable job_, gone_;
  std::deque<std::function<void()>> jobs_ GUARDED_BY(mutex_);
  std::vector<std::thread> working_ GUARDED_BY(mutex_), leaving_
      GUARDED_BY(mutex_);  // every thread is joined: what libraries do at its end is part of it
  size_t idle_ GUARDED_BY(mutex_) = 0, lent_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
};

}  // namespace twinspan::net
