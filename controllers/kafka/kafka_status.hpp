// The status a Kafka link should show, from what was seen and planned. Pure. What is not known is Unknown or absent.
#pragma once
#include "controllers/kafka/kafka_seen.hpp"
#include "controllers/link/link_plan.hpp"

namespace twinspan::controllers {

api::LinkStatus next_kafka_status(const KafkaSeen& seen, const LinkPlan& plan);

}  // namespace twinspan::controllers
