#include "controllers/policy/accepted_policy.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "api/accepted.hpp"
#include "api/conditions.hpp"
#include "api/endpoints.hpp"
#include "controllers/cluster/condition_reasons.hpp"

namespace twinspan::controllers {
std::shared_ptr<const api::FailoverPolicy> accepted_policy(const api::FailoverPolicy& policy,
                                                           const api::ReplicationLink& link,
                                                           const std::vector<api::FailoverPolicy>& rivals) {
  auto spec = api::spec_in_force(policy);
  if (!spec) return nullptr;
  auto out = std::make_shared<api::FailoverPolicy>(policy);
  out->spec = std::move(*spec);
  if (!api::find_endpoint(link.spec, out->spec.desired_primary)) out->spec.desired_primary.clear();
  std::erase_if(out->spec.candidates.prefer,
                [&](const std::string& name) { return !api::find_endpoint(link.spec, name); });
  return api::validate_beside(*out, &link, rivals).empty() ? out : nullptr;
}

std::string refusal_of(const api::FailoverPolicy& policy, const std::vector<api::FieldError>& errors) {
  return fmt::format("{} (what was accepted as generation {} stays in force until this is corrected)",
                     api::to_string(errors), policy.status.accepted->generation);
}

namespace {

void set(const api::FailoverPolicy& policy, const char* type, api::ConditionStatus value, const char* reason,
         const std::string& message, WallTime now, api::PolicyStatus& status) {
  // As it was written last: what was set for the spec in force has turned nothing.
  api::remove_condition(status.conditions, type);
  if (const api::Condition* before = api::find_condition(policy.status.conditions, type))
    status.conditions.push_back(*before);
  api::Condition wanted;
  wanted.type = type;
  wanted.status = value;
  wanted.reason = reason;
  wanted.message = message;
  api::set_condition(status.conditions, std::move(wanted), policy.metadata.generation, now);
}

}  // namespace

std::string words_of(const api::FailoverPolicy& policy, const RefusedObjects& refused) {
  std::string out;
  const auto add = [&](const char* list, size_t i, const Foreign& object) {
    if (const auto found = refused.find(object); found != refused.end())
      out += fmt::format("{}{}[{}]: {} {} was refused: {}", out.empty() ? "" : "; ", list, i, object.kind, object.name,
                         found->second);
  };
  for (size_t i = 0; i < policy.spec.services.size(); ++i)
    add("spec.services", i, {"Service", policy.spec.services[i].name});
  for (size_t i = 0; i < policy.spec.config_maps.size(); ++i)
    add("spec.configMaps", i, {"ConfigMap", policy.spec.config_maps[i].name});
  return out;
}

void note_refused(const api::FailoverPolicy& policy, const RefusedObjects& refused, WallTime now,
                  api::PolicyStatus& status) {
  if (refused.empty()) return;
  const bool services = std::ranges::any_of(refused, [](const auto& one) { return one.first.kind == "Service"; });
  const char* reason = services ? kServiceRefused : kObjectRefused;
  const std::string words = words_of(policy, refused);
  if (api::is_true(status.conditions, "Ready"))
    set(policy, "Ready", api::ConditionStatus::kFalse, reason, words, now, status);
  if (!api::is_true(status.conditions, "Stalled"))
    set(policy, "Stalled", api::ConditionStatus::kTrue, reason, words, now, status);
}

void judge_newest(const api::FailoverPolicy& policy, const std::string& refused, WallTime now,
                  api::PolicyStatus& status) {
  const int64_t generation = policy.metadata.generation;
  if (refused.empty()) {
    if (!status.accepted || status.accepted->generation != generation || !status.accepted->spec.is_null())
      status.accepted = api::accept(policy.spec, generation);
    return;
  }
  set(policy, "Ready", api::ConditionStatus::kFalse, "InvalidSpec", refused, now, status);
  set(policy, "Stalled", api::ConditionStatus::kTrue, "InvalidSpec", refused, now, status);
}

}  // namespace twinspan::controllers
