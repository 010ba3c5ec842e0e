// SIGTERM and SIGINT as a stop token.
#pragma once
#include <chrono>
#include <stop_token>
#include <thread>

namespace twinspan {

// Made first, on the main thread, before any other: the signals are blocked in every thread and taken by one of its
// own. The first asks to stop; a second, or `patience` later, ends the process at once with 1.
class Signals {
 public:
  explicit Signals(std::chrono::seconds patience);
  ~Signals();
  std::stop_token stop_token() const { return stop_.get_token(); }

 private:
  void run(const std::stop_token& over);

  std::chrono::seconds patience_;
  std::stop_source stop_;
  std::jthread thread_;
};

}  // namespace twinspan
