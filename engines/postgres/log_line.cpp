#include "engines/postgres/log_line.hpp"

#include <array>
#include <cctype>

namespace twinspan::postgres {
namespace {

// With a prefix of a person's own: what it is made of is not known, but the severity stands behind it.
LogLine unshaped(std::string_view line) {
  LogLine parsed;
  parsed.message = std::string(line);
  for (const std::string_view severity : {"LOG", "ERROR", "FATAL", "PANIC", "WARNING", "NOTICE", "INFO", "DETAIL",
                                          "HINT", "CONTEXT", "STATEMENT", "QUERY", "LOCATION", "DEBUG"}) {
    const size_t at = line.find(std::string(severity) + ":  ");
    if (at == std::string_view::npos || (at > 0 && std::isalpha(static_cast<unsigned char>(line[at - 1])) != 0))
      continue;
    if (!parsed.severity.empty() && line.size() - parsed.message.size() <= at + severity.size() + 3) continue;
    parsed.severity = std::string(severity);
    parsed.message = std::string(line.substr(at + severity.size() + 3));
  }
  return parsed;
}

}  // namespace

LogLine parse_log_line(std::string_view line) {
  LogLine parsed;
  std::array<std::string*, 6> fields{&parsed.pid,      &parsed.backend,     &parsed.user,
                                     &parsed.database, &parsed.application, &parsed.sqlstate};
  std::string_view rest = line;
  for (std::string* field : fields) {
    const size_t bar = rest.find('|');
    if (bar == std::string_view::npos) return unshaped(line);
    *field = std::string(rest.substr(0, bar));
    rest.remove_prefix(bar + 1);
  }
  const size_t colon = rest.find(":  ");
  if (colon == std::string_view::npos || parsed.pid.find_first_not_of("0123456789") != std::string::npos)
    return unshaped(line);
  parsed.severity = std::string(rest.substr(0, colon));
  parsed.message = std::string(rest.substr(colon + 3));
  return parsed;
}

log::Level level_of(const LogLine& line) {
  if (line.severity == "PANIC") return log::Level::kError;
  // FATAL ends a session, often by the client's own fault or by an ordered stop: no failure of the instance.
  if (line.backend == "startup" && line.message.starts_with("waiting for WAL")) return log::Level::kDebug;
  if (line.sqlstate == "57P03") return log::Level::kDebug;  // asked while it starts up
  if (line.severity == "FATAL" || line.severity == "ERROR" || line.severity == "WARNING") return log::Level::kWarn;
  if (line.severity.starts_with("DEBUG")) return log::Level::kDebug;
  return log::Level::kInfo;
}

bool LogRepeats::pass(const LogLine& line) {
  constexpr size_t kRemembered = 64;
  const bool continues = line.severity.empty() && line.message.starts_with('\t');
  const bool explains = line.severity == "DETAIL" || line.severity == "HINT" || line.severity == "CONTEXT";
  if (continues || explains) return last_passed_;
  // What clients cause is passed as it is: each may be another one.
  if (line.backend == "client backend") return last_passed_ = true;
  const auto now = now_();
  if (passed_.size() >= kRemembered) passed_.clear();
  const auto [entry, fresh] = passed_.try_emplace(line.backend + '\n' + line.message, now);
  last_passed_ = fresh || now - entry->second >= std::chrono::seconds(10);
  if (last_passed_) entry->second = now;
  return last_passed_;
}

}  // namespace twinspan::postgres
