#include "controllers/link/verdict.hpp"

#include <fmt/format.h>

#include "api/validate.hpp"

namespace twinspan::controllers {

using api::ConditionStatus;

Verdict yes(std::string reason, std::string message) {
  return {ConditionStatus::kTrue, std::move(reason), std::move(message)};
}
Verdict no(std::string reason, std::string message) {
  return {ConditionStatus::kFalse, std::move(reason), std::move(message)};
}
Verdict unknown(std::string reason, std::string message) {
  return {ConditionStatus::kUnknown, std::move(reason), std::move(message)};
}

std::string described(const api::EndpointStatus& row) {
  std::string out = fmt::format("{}: {}", row.name, row.state);
  if (row.progress_percent) out += fmt::format(" {} %", *row.progress_percent);
  if (row.message) out += ", " + *row.message;
  return out;
}

std::string taken_message(const LinkPlan& plan) {
  return fmt::format("{}: {} belongs to something else: rename this link or its endpoint, or remove that object",
                     plan.taken_field, *plan.taken);
}

Verdict reconciling_verdict(const CachedLink& link, const LinkPlan& plan, const Verdict& ready,
                            const Verdict& stalled) {
  if (stalled.status == ConditionStatus::kTrue) return no("Stalled", stalled.message);
  if (link.spec.paused) return no("Paused", "spec.paused is true");
  if (!plan.waiting_reason.empty()) return yes(plan.waiting_reason, plan.waiting_message);
  if (ready.status != ConditionStatus::kTrue) return yes(ready.reason, ready.message);
  return no("Settled", "everything is as the spec says");
}

Verdict lag_verdict(const api::LinkSpec& spec, const std::vector<api::EndpointStatus>& replicas) {
  const int64_t seconds = api::lag_threshold_seconds(spec);
  const auto& bytes = spec.lag_threshold.bytes;
  std::string unmeasured;
  for (const api::EndpointStatus& row : replicas) {
    if (row.lag_seconds && *row.lag_seconds > static_cast<double>(seconds))
      return no("LagOverThreshold", fmt::format("{} is {:.1f} s behind, spec.lagThreshold.seconds is {}", row.name,
                                                *row.lag_seconds, seconds));
    if (bytes && row.lag_bytes && *row.lag_bytes > *bytes)
      return no("LagOverThreshold",
                fmt::format("{} is {} bytes behind, spec.lagThreshold.bytes is {}", row.name, *row.lag_bytes, *bytes));
    if (unmeasured.empty() && (!row.lag_seconds || (bytes && !row.lag_bytes))) unmeasured = row.name;
  }
  if (!unmeasured.empty()) return unknown("LagNotMeasured", fmt::format("the lag of {} is not measured", unmeasured));
  return yes("LagWithinThreshold", fmt::format("no replica is more than {} s behind", seconds));
}

void ConditionSet::set(const char* type, Verdict verdict) {
  api::Condition condition;
  condition.type = type;
  condition.status = verdict.status;
  condition.reason = std::move(verdict.reason);
  condition.message = std::move(verdict.message);
  api::set_condition(all_, std::move(condition), link_.metadata.generation, now_);
}

void ConditionSet::remove(const char* type) { api::remove_condition(all_, type); }

void ConditionSet::set_paused() {
  if (link_.spec.paused)
    set("Paused", yes("PausedBySpec", "spec.paused is true: nothing is created, changed, restarted or failed over"));
  else
    remove("Paused");
}

}  // namespace twinspan::controllers
