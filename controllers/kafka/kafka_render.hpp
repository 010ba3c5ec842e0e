// Objects of a Kafka link as they should be. Pure, as controllers/link/render.hpp.
#pragma once
#include "controllers/link/render.hpp"

namespace twinspan::controllers {

// The StatefulSet LINK-kafka, with its hash.
Json render_kafka_set(const api::ReplicationLink& link, const RenderConfig& config);
// Own link and own pod to read, by which a worker that was given up on knows its successor, and nothing else: who may
// write is fenced at the target, no lease is held.
Json render_kafka_role(const api::ReplicationLink& link);
Json render_kafka_network_policy(const api::ReplicationLink& link, const NetworkRules& rules);

}  // namespace twinspan::controllers
