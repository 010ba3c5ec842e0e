// Logs are a constant message plus keys, one JSON object a line on stderr. No secrets. Any thread may log.
#pragma once
#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace twinspan::log {

enum class Level { kDebug, kInfo, kWarn, kError };

struct Field {
  std::string_view key;  // link, namespace, engine, endpoint, epoch, generation, plan, reason, duration_ms, error …
  std::variant<std::string, long long, double, bool> value;

  Field(std::string_view k, std::string v) : key(k), value(std::move(v)) {}
  Field(std::string_view k, std::string_view v) : key(k), value(std::string(v)) {}
  Field(std::string_view k, const char* v) : key(k), value(std::string(v)) {}
  Field(std::string_view k, bool v) : key(k), value(v) {}
  Field(std::string_view k, double v) : key(k), value(v) {}
  template <std::integral Integer>
  Field(std::string_view k, Integer v) : key(k), value(static_cast<long long>(v)) {}
};
using Fields = std::initializer_list<Field>;

// Level and fields that every line carries (component, endpoint). Call once at start, before other threads log.
void configure(Level least, Fields always);
// "debug", "info", "warn", "error"; anything else is kInfo.
Level parse_level(std::string_view name);

void write(Level level, std::string_view message, Fields fields);
inline void debug(std::string_view message, Fields fields = {}) { write(Level::kDebug, message, fields); }
inline void info(std::string_view message, Fields fields = {}) { write(Level::kInfo, message, fields); }
inline void warn(std::string_view message, Fields fields = {}) { write(Level::kWarn, message, fields); }
inline void error(std::string_view message, Fields fields = {}) { write(Level::kError, message, fields); }

}  // namespace twinspan::log
