#include "controllers/link/engine.hpp"

#include "api/conditions.hpp"
#include "controllers/cluster/condition_reasons.hpp"
#include "controllers/link/link_gatherer.hpp"

namespace twinspan::controllers {

LinkMember link_member(const std::string& name, const Pod* pod, const std::string& certificate_name) {
  if (!may_be_asked(pod)) return {name, std::nullopt};
  return {name, LinkMember::Contact{pod->ip, certificate_name, pod->uid}};
}

std::vector<LinkEvent> turned(const api::LinkStatus& before, const api::LinkStatus& after,
                              std::initializer_list<const char*> types) {
  std::vector<LinkEvent> events;
  for (const char* type : types) {
    const api::Condition* was = api::find_condition(before.conditions, type);
    const api::Condition* is = api::find_condition(after.conditions, type);
    if (!is || is->status == api::ConditionStatus::kUnknown || (was && was->reason == is->reason)) continue;
    const bool expected =
        is->status == api::ConditionStatus::kTrue || is->reason == kStarting || is->reason == kSynchronizing;
    events.push_back({!expected, is->reason, is->message});
  }
  return events;
}

}  // namespace twinspan::controllers
