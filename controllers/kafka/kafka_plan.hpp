// What to do about a Kafka link's objects, from everything seen. Pure and total; carried out by controllers/link's
// effects. Topics are never touched.
#pragma once
#include "controllers/kafka/kafka_seen.hpp"
#include "controllers/link/link_plan.hpp"

namespace twinspan::controllers {

// The link's turn to renew a worker that another version of the operator made is asked for by its state.
RollState kafka_roll_state(const KafkaSeen& seen, const RenderConfig& config);
LinkPlan plan_kafka(const KafkaSeen& seen, const RenderConfig& config);

}  // namespace twinspan::controllers
