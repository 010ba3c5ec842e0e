// PostgreSQL's log lines taken apart, so that they go out as structured ones.
#pragma once
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

}  // namespace twinspan::postgres
