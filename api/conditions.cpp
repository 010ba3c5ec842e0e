#include "api/conditions.hpp"

namespace twinspan::api {

const Condition* find_condition(const std::vector<Condition>& conditions, std::string_view type) {
  const auto found =
      std::find_if(conditions.begin(), conditions.end(), [type](const Condition& c) { return c.type == type; });
  return found == conditions.end() ? nullptr : &*found;
}

bool is_true(const std::vector<Condition>& conditions, std::string_view type) {
  const Condition* found = find_condition(conditions, type);
  return found && found->status == ConditionStatus::kTrue;
}

bool set_condition(std::vector<Condition>& conditions, Condition wanted, int64_t observed_generation, WallTime now) {
  wanted.observed_generation = observed_generation;
  wanted.last_transition_time = to_rfc3339(now);
  const auto known =
      std::find_if(conditions.begin(), conditions.end(), [&](const Condition& c) { return c.type == wanted.type; });
  if (known == conditions.end()) {
    conditions.push_back(std::move(wanted));
    return true;
  }
  if (known->status == wanted.status) wanted.last_transition_time = known->last_transition_time;
  const bool changed =
      known->status != wanted.status || known->reason != wanted.reason || known->message != wanted.message;
  *known = std::move(wanted);
  return changed;
}

bool remove_condition(std::vector<Condition>& conditions, std::string_view type) {
  return std::erase_if(conditions, [type](const Condition& c) { return c.type == type; }) > 0;
}

}  // namespace twinspan::api
