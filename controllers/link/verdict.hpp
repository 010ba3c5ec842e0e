// What a condition says and why, and the verdicts that are the same for every engine. Pure.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "api/conditions.hpp"
#include "api/types.hpp"
#include "controllers/link/link_plan.hpp"

namespace twinspan::controllers {

struct Verdict {
  api::ConditionStatus status;
  std::string reason, message;
  bool provisional = false;  // said for want of anything better: what was said before may still stand
};

// Of an operator that has only just begun to ask: what the condition said before takes the place of what is
// provisional.
void keep_known(const CachedLink& link, const char* type, Verdict& verdict);

Verdict yes(std::string reason, std::string message);
Verdict no(std::string reason, std::string message);
Verdict unknown(std::string reason, std::string message);

// "west: Cloning 40 %", "west: Unknown, pod orders-west-0 is starting"
std::string described(const api::EndpointStatus& row);
// Of a link whose newest spec is invalid.
std::string refused_message(const CachedLink& link);
// A verdict on readiness, given that others' objects are where the link's would be, or that Kubernetes did not take
// some: it is not as the spec says.
Verdict but_for_objects(Verdict ready, const CachedLink& link, const LinkPlan& plan,
                        const std::vector<RefusedObject>& refused);
std::string foreign_message(const CachedLink& link, const LinkPlan& plan);
// Which objects Kubernetes did not take, where what they are made of stands, and its words.
std::string refused_objects(const CachedLink& link, const std::vector<RefusedObject>& refused);

// Whether what there is, is as the spec says, given the conditions Ready and Stalled.
Verdict reconciling_verdict(const CachedLink& link, const LinkPlan& plan, const Verdict& ready, const Verdict& stalled);
// Whether each of `replicas` is within spec.lagThreshold.
Verdict lag_verdict(const api::LinkSpec& spec, const std::vector<api::EndpointStatus>& replicas);

// The conditions of a link's status, those that nobody sets staying as they were.
class ConditionSet {
 public:
  ConditionSet(const CachedLink& link, WallTime now) : link_(link), now_(now), all_(link.status.conditions) {}
  void set(const char* type, std::optional<Verdict> verdict);  // nullopt: there is none of that type
  void set_paused();                                           // Paused, by the spec
  std::vector<api::Condition> take() { return std::move(all_); }

 private:
  const CachedLink& link_;
  const WallTime now_;
  std::vector<api::Condition> all_;
};

}  // namespace twinspan::controllers
