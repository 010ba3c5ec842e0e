#include "controllers/policy/chronicle.hpp"

#include <fmt/format.h>

#include "core/clock.hpp"

namespace twinspan::controllers {
namespace {

constexpr size_t kHistoryKept = 10;

std::string milliseconds_for_people(int64_t milliseconds) {
  return milliseconds < 10'000 ? fmt::format("{} ms", milliseconds) : fmt::format("{} s", milliseconds / 1000);
}

}  // namespace

void keep(std::optional<std::string>& time, bool reached, const std::string& now) {
  if (reached && !time) time = now;
}

api::FailoverStep step_named(std::string_view name, int64_t epoch, const std::optional<api::FailoverStep>& before,
                             const std::string& now) {
  api::FailoverStep step;
  if (before && before->epoch == epoch) step = *before;
  if (step.step != name) step.started_at = now;
  step.step = name;
  step.epoch = epoch;
  return step;
}

api::FailoverRecord record_of(const api::FailoverStep& done, const std::string& to, Ending ending,
                              const std::string& message, const std::string& now) {
  api::FailoverRecord record;
  record.epoch = done.epoch;
  record.from = done.from;
  record.to = to;
  record.reason = done.cause;
  record.detected_at = done.detected_at;
  record.confirmed_at = done.confirmed_at;
  record.fenced_at = done.fenced_at;
  record.elected_at = done.elected_at;
  record.promoted_at = done.promoted_at;
  record.rerouted_at = now;
  record.outcome = std::string(to_string(ending));
  record.message = message;
  if (done.detected_at)
    if (const auto began = parse_rfc3339(*done.detected_at), ended = parse_rfc3339(now); began && ended)
      record.recovery_milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(*ended - *began).count();
  return record;
}

void remember(api::PolicyStatus& status, api::FailoverRecord record, std::optional<std::string> lost) {
  status.last_failover = record.rerouted_at;
  status.took = record.recovery_milliseconds ? std::optional(milliseconds_for_people(*record.recovery_milliseconds))
                                             : std::nullopt;
  status.lost = std::move(lost);
  status.history.insert(status.history.begin(), std::move(record));
  if (status.history.size() > kHistoryKept) status.history.resize(kHistoryKept);
}

void observe(api::PolicyStatus& status, const std::string& name, const std::string& sees, const std::string& now) {
  for (api::Observer& known : status.observers) {
    if (known.name != name) continue;
    if (known.sees == sees) return;
    known.sees = sees;
    known.since = now;
    return;
  }
  status.observers.push_back({name, sees, now});
}

}  // namespace twinspan::controllers
