// PostgreSQL's log lines taken apart, so that they go out as structured ones.
#pragma once
#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "core/log.hpp"

namespace twinspan::postgres {

// As log_line_prefix '%p|%b|%u|%d|%a|%e|' and the severity make it. Lines of any other shape are a message alone.
struct LogLine {
  std::string pid, backend, user, database, application, sqlstate;
  std::string
      severity;  // "LOG", "ERROR", "FATAL", "PANIC", "DETAIL", "STATEMENT" …; empty where the line has another shape
  std::string message;
};
LogLine parse_log_line(std::string_view line);
log::Level level_of(const LogLine& line);

// Keeps what a replica without its primary says several times a second from filling the log: the same message of the
// same kind of process passes once in ten seconds. The lines that continue a message share its fate. One thread.
class LogRepeats {
 public:
  explicit LogRepeats(std::function<std::chrono::steady_clock::time_point()> now = std::chrono::steady_clock::now)
      : now_(std::move(now)) {}
  bool pass(const LogLine& line);

 private:
  std::function<std::chrono::steady_clock::time_point()> now_;
  std::map<std::string, std::chrono::steady_clock::time_point> passed_;
  bool last_passed_ = true;
};

}  // namespace twinspan::postgres
