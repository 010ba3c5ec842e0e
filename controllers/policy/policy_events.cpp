#include "controllers/policy/policy_events.hpp"

#include <fmt/format.h>

#include "api/conditions.hpp"
#include "controllers/cluster/condition_reasons.hpp"
#include "failover/types.hpp"

namespace twinspan::controllers {

std::string foreign_services(const api::FailoverPolicy& policy, const std::vector<Foreign>& foreign) {
  return foreign_message(foreign, policy.metadata.ns, policy.metadata.name, "it in this policy");
}

bool differ_in_words_only(const api::PolicyStatus& before, const api::PolicyStatus& after) {
  api::PolicyStatus same = after;
  for (api::Condition& condition : same.conditions)
    if (const api::Condition* was = api::find_condition(before.conditions, condition.type))
      condition.message = was->message;
  return same == before;
}

namespace {

bool is_planned(const std::string& cause) {
  const auto known = parse_cause(cause);
  return known && twinspan::is_planned(*known);
}

std::string kind_of(const std::string& cause) { return is_planned(cause) ? cause : "Failover"; }

bool is_restore(const std::string& cause) { return parse_cause(cause) == Cause::kRestore; }

std::string began(const api::FailoverStep& step) {
  const std::string message = step.message.value_or("");
  if (is_restore(step.cause)) return fmt::format("{}: {}", step.cause, message);  // nobody is replaced
  return fmt::format("{}: {} is to be replaced ({})", step.cause, step.from, message);
}

// What a person gave up by a restore is no loss that anybody could count.
std::string ended(const api::FailoverRecord& record, const api::PolicyStatus& status) {
  const std::string took = status.took.value_or("an unknown time");
  if (is_restore(record.reason) && record.outcome == to_string(Ending::kCompleted))
    return fmt::format("{} goes on with restored data after {}", record.to, took);
  if (is_restore(record.reason)) return fmt::format("{} stays primary with the data it has", record.to);
  return fmt::format("{} -> {} in {}, lost {}", record.from, record.to, took,
                     status.lost.value_or("an unknown amount"));
}

}  // namespace

std::vector<Told> events_of(const api::PolicyStatus& before, const api::PolicyStatus& after) {
  std::vector<Told> told;
  const bool planned = after.current && is_planned(after.current->cause);
  if (after.current && (!before.current || before.current->epoch != after.current->epoch))
    told.push_back({!planned, kind_of(after.current->cause) + "Started", began(*after.current)});
  if (after.current &&
      (!before.current || before.current->step != after.current->step || before.current->epoch != after.current->epoch))
    told.push_back({false, after.current->step, after.current->message.value_or("")});
  const bool finished = !after.history.empty() && (before.history.empty() || before.history.front().rerouted_at !=
                                                                                 after.history.front().rerouted_at);
  if (finished) {
    const api::FailoverRecord& record = after.history.front();
    told.push_back({false, kind_of(record.reason) + record.outcome, ended(record, after)});
  }
  const api::Condition* stalled = api::find_condition(after.conditions, "Stalled");
  const api::Condition* was_stalled = api::find_condition(before.conditions, "Stalled");
  const bool of_objects = stalled && (stalled->reason == kForeignObject || stalled->reason == kServiceRefused ||
                                      stalled->reason == kObjectRefused);
  if (of_objects && (!was_stalled || was_stalled->message != stalled->message))
    told.push_back({true, stalled->reason, stalled->message});
  return told;
}

}  // namespace twinspan::controllers
