// SIGTERM, SIGINT and those of the kind as a stop token.
#pragma once
#include <chrono>
#include <csignal>
#include <initializer_list>
#include <stop_token>

#include "core/role_thread.hpp"

namespace twinspan {

// Made first, on the main thread, before any other: the signals are blocked in every thread and taken by one of its
// own. The first asks to stop; a second, or `patience` later, ends the process at once with 1.
class Signals {
 public:
  explicit Signals(std::chrono::seconds patience, std::initializer_list<int> numbers = {SIGTERM, SIGINT});
  ~Signals();
  std::stop_token stop_token() const { return stop_.get_token(); }

 private:
  void run(const std::stop_token& over);
  int take(std::chrono::milliseconds time) const;  // the signal, or 0 after `time`

  std::chrono::seconds patience_;
  sigset_t taken_;
  std::stop_source stop_;
  RoleThread thread_{"signals"};
};

}  // namespace twinspan
