// What the demo is at, on the terminal, all the time: one line per step with its seconds.
#pragma once
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include "core/result.hpp"

namespace twinspan::sandbox {

// On a terminal the line of the step under way is rewritten ten times a second; elsewhere a line appears when it begins
// to take long.
class Progress {
 public:
  explicit Progress(bool quiet = false);
  ~Progress();
  void begin(std::string what);
  void detail(std::string text);  // of the step under way: what is still missing
  void done(const std::string& outcome = "");
  void failed(const std::string& why);
  void print(const std::string& text);  // whole lines, between steps

  // Polls `condition` (an empty text: it holds; otherwise what is missing) until it holds, `patience` is over or `stop`
  // is set.
  Status wait(std::string what, std::chrono::milliseconds patience, const std::function<std::string()>& condition,
              const std::stop_token& stop);

 private:
  void draw_locked(bool last);
  void run(const std::stop_token& stop);

  bool quiet_, terminal_;
  std::mutex mutex_;
  std::string what_, detail_;
  std::chrono::steady_clock::time_point begun_, drawn_;
  std::jthread thread_;
};

}  // namespace twinspan::sandbox
