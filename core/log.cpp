#include "core/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <nlohmann/json.hpp>

#include "core/clock.hpp"

namespace twinspan::log {
namespace {

struct Sink {
  std::shared_ptr<spdlog::logger> logger;
  nlohmann::ordered_json always = nlohmann::ordered_json::object();
  Sink() : logger(std::make_shared<spdlog::logger>("twinspan", std::make_shared<spdlog::sinks::stderr_sink_mt>())) {
    logger->set_pattern("%v");
    logger->flush_on(spdlog::level::trace);
  }
};

Sink& sink() {
  static Sink instance;
  return instance;
}

spdlog::level::level_enum to_spdlog(Level level) {
  switch (level) {
    case Level::kDebug: return spdlog::level::debug;
    case Level::kInfo: return spdlog::level::info;
    case Level::kWarn: return spdlog::level::warn;
    case Level::kError: return spdlog::level::err;
  }
  return spdlog::level::info;
}

void add(nlohmann::ordered_json& line, const Fields& fields) {
  for (const Field& field : fields)
    std::visit([&](const auto& value) { line[std::string(field.key)] = value; }, field.value);
}

}  // namespace

Level parse_level(std::string_view name) {
  return name == "debug"   ? Level::kDebug
         : name == "warn"  ? Level::kWarn
         : name == "error" ? Level::kError
                           : Level::kInfo;
}

void configure(Level least, Fields always) {
  sink().logger->set_level(to_spdlog(least));
  add(sink().always, always);
}

void write(Level level, std::string_view message, Fields fields) {
  if (!sink().logger->should_log(to_spdlog(level))) return;
  static constexpr std::string_view kNames[] = {"debug", "info", "warn", "error"};
  nlohmann::ordered_json line;
  line["time"] = to_rfc3339_micro(SystemClock().wall_now());
  line["level"] = kNames[static_cast<int>(level)];
  line["msg"] = message;
  line.update(sink().always);
  add(line, fields);
  sink().logger->log(to_spdlog(level), line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

}  // namespace twinspan::log
