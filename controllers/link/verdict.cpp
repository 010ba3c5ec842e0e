#include "controllers/link/verdict.hpp"

#include <fmt/format.h>

#include "api/endpoints.hpp"
#include "api/validate.hpp"
#include "controllers/cluster/condition_reasons.hpp"
#include "controllers/cluster/names.hpp"

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

void keep_known(const CachedLink& link, const char* type, Verdict& verdict) {
  const api::Condition* known = api::find_condition(link.status.conditions, type);
  if (known && verdict.provisional) verdict = {known->status, known->reason, known->message};
}

std::string described(const api::EndpointStatus& row) {
  std::string out = fmt::format("{}: {}", row.name, row.state);
  if (row.progress_percent) out += fmt::format(" {} %", *row.progress_percent);
  if (row.message) out += ", " + *row.message;
  return out;
}

namespace {

// The field whose value asks for an object of that name; empty: the link's own name does.
std::string field_that_names(const CachedLink& link, const std::string& object) {
  const std::string& name = link.metadata.name;
  const auto asks = [&](const api::Endpoint& endpoint) {
    return object == pod_name(name, endpoint.name) || object == claim_name(name, endpoint.name) ||
           object == tls_secret_name(name, endpoint.name);
  };
  if (asks(link.spec.source)) return "spec.source.name";
  for (size_t index = 0; index < link.spec.targets.size(); ++index)
    if (asks(link.spec.targets[index])) return fmt::format("spec.targets[{}].name", index);
  return "";
}

}  // namespace

std::string foreign_message(const CachedLink& link, const LinkPlan& plan) {
  std::string out;
  for (const Foreign& one : plan.foreign) {
    const std::string field = field_that_names(link, one.name);
    out += (out.empty() ? "" : "; ") +
           foreign_message({one}, link.metadata.ns, link.metadata.name,
                           field.empty() ? "this link" : fmt::format("this link or its endpoint ({})", field));
  }
  return out;
}

std::string refused_objects(const CachedLink& link, const std::vector<RefusedObject>& refused) {
  std::string out;
  for (const RefusedObject& one : refused) {
    std::string field;
    if (one.kind == kube::kStatefulSets.kind)
      field = one.name == kafka_set_name(link.metadata.name) ? "spec.kafka: " : "spec.s3: ";
    for (const api::EndpointPlace& place : api::endpoint_places(link))
      if (one.kind == kube::kPods.kind && one.name == pod_name(link.metadata.name, place.endpoint->name))
        field = place.field + ".postgres.managed: ";
    out += fmt::format("{}{}{} {} was refused: {}", out.empty() ? "" : "; ", field, one.kind, one.name, one.words);
  }
  return out;
}

Verdict but_for_objects(Verdict ready, const CachedLink& link, const LinkPlan& plan,
                        const std::vector<RefusedObject>& refused) {
  const auto lacking = [&](const char* reason, const std::string& message) {
    if (ready.status == ConditionStatus::kTrue)
      ready = no(reason, message);
    else
      ready.message += "; " + message;
  };
  if (!plan.foreign.empty()) lacking(kForeignObject, foreign_message(link, plan));
  if (!refused.empty()) lacking(kObjectRefused, refused_objects(link, refused));
  return ready;
}

std::string refused_message(const CachedLink& link) {
  const std::string& why = link.invalid->message;
  if (!link.actionable) return why;
  return fmt::format("{} (what was accepted as generation {} stays in force until this is corrected)", why,
                     link.generation_in_force());
}

Verdict reconciling_verdict(const CachedLink& link, const LinkPlan& plan, const Verdict& ready,
                            const Verdict& stalled) {
  if (stalled.status == ConditionStatus::kTrue) return no("Stalled", stalled.message);
  if (link.spec.paused) return no("Paused", "spec.paused is true");
  if (plan.waits_for != WaitFor::kNothing) return yes(std::string(to_string(plan.waits_for)), plan.waiting_message);
  if (ready.status != ConditionStatus::kTrue) return yes(ready.reason, ready.message);
  return no("Settled", "everything is as the spec says");
}

Verdict lag_verdict(const api::LinkSpec& spec, const std::vector<api::EndpointStatus>& replicas) {
  const int64_t seconds = api::lag_threshold_seconds(spec);
  const auto& bytes = spec.lag_threshold.bytes;
  const auto& records = spec.lag_threshold.records;
  std::string unmeasured;
  for (const api::EndpointStatus& row : replicas) {
    if (row.lag_seconds && *row.lag_seconds > static_cast<double>(seconds))
      return no("LagOverThreshold", fmt::format("{} is {:.1f} s behind, spec.lagThreshold.seconds is {}", row.name,
                                                *row.lag_seconds, seconds));
    if (bytes && row.lag_bytes && *row.lag_bytes > *bytes)
      return no("LagOverThreshold",
                fmt::format("{} is {} bytes behind, spec.lagThreshold.bytes is {}", row.name, *row.lag_bytes, *bytes));
    if (records && row.lag_records && *row.lag_records > *records)
      return no("LagOverThreshold", fmt::format("{} is {} records behind, spec.lagThreshold.records is {}", row.name,
                                                *row.lag_records, *records));
    if (unmeasured.empty() && (!row.lag_seconds || (bytes && !row.lag_bytes) || (records && !row.lag_records)))
      unmeasured = row.name;
  }
  if (!unmeasured.empty()) return unknown("LagNotMeasured", fmt::format("the lag of {} is not measured", unmeasured));
  return yes("LagWithinThreshold", fmt::format("no replica is more than {} s behind", seconds));
}

namespace {

// The schema takes no more, and a status that it refuses stops all work on the link.
std::string cut(std::string message) {
  constexpr size_t kBytesMost = 16384;
  if (message.size() <= kBytesMost) return message;
  size_t end = kBytesMost;
  while (end > 0 && (static_cast<unsigned char>(message[end]) & 0xC0) == 0x80) --end;
  message.resize(end);
  return message + " …";
}

}  // namespace

void ConditionSet::set(const char* type, std::optional<Verdict> verdict) {
  if (!verdict) {
    api::remove_condition(all_, type);
    return;
  }
  api::Condition condition;
  condition.type = type;
  condition.status = verdict->status;
  condition.reason = std::move(verdict->reason);
  condition.message = cut(std::move(verdict->message));
  api::set_condition(all_, std::move(condition), link_.metadata.generation, now_);
}

void ConditionSet::set_paused() {
  std::optional<Verdict> paused;
  if (link_.spec.paused)
    paused = yes("PausedBySpec", "spec.paused is true: nothing is created, changed, restarted or failed over");
  set("Paused", std::move(paused));
}

}  // namespace twinspan::controllers
