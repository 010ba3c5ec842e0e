// What planners do alike whose links are served by a StatefulSet of workers (S3, Kafka).
#pragma once
#include "controllers/link/plan_builder.hpp"

namespace twinspan::controllers {

class SetPlanner : protected PlanBuilder {
 protected:
  SetPlanner(const LinkSeen& seen, const std::shared_ptr<const StatefulSet>& set, const RenderConfig& config)
      : PlanBuilder(seen), set_(set), config_(config) {}

  // Of the workers, which are named by `member`. False: another's Secret is where one would be, or none is issued yet.
  bool has_certificates(const std::string& member);
  // Makes the set, or brings it to what is wanted: at once what a person changed, at the link's turn what another
  // version of the operator left.
  void keep_set(Json wanted);

  const std::shared_ptr<const StatefulSet>& set_;
  const RenderConfig& config_;
};

// Of a set that is looked after; nullptr: there is none, or nothing is done about it.
RollState set_roll_state(const std::shared_ptr<const StatefulSet>& set, const Json& wanted, const RenderConfig& config);

}  // namespace twinspan::controllers
