// Ready, Reconciling, Stalled, LagWithinThreshold, PartitionsHalted, GroupsInSync and Paused of a Kafka link. Pure.
#pragma once
#include <vector>

#include "controllers/kafka/kafka_said.hpp"
#include "controllers/link/link_plan.hpp"

namespace twinspan::controllers {

// `status`: as it will be, but for its conditions.
std::vector<api::Condition> kafka_conditions(const KafkaSeen& seen, const KafkaSaid& said, const LinkPlan& plan,
                                             const api::LinkStatus& status);

// The target has had everything once, and gets what is new.
bool mirror_follows(const KafkaSeen& seen, const api::EndpointStatus& target);

}  // namespace twinspan::controllers
