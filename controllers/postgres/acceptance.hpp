// What becomes of the newest spec: accepted at once, or, where it changes what PostgreSQL or its pod is started with,
// tried by one endpoint first. Everything else of an edit is accepted at once, also while a trial goes on or has
// failed. Pure.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "api/types.hpp"
#include "controllers/link/link_plan.hpp"
#include "controllers/link/link_seen.hpp"
#include "controllers/link/render.hpp"

namespace twinspan::controllers {

Acceptance next_acceptance(const LinkSeen& seen, const RenderConfig& config);

// The endpoint that tries the newest spec right now; empty: none.
std::string trying_endpoint(const CachedLink& link);

// What an endpoint's pod is made from: the newest spec where it tries that, else the one in force.
struct PodSource {
  std::shared_ptr<const api::ReplicationLink> link;
  const api::Endpoint* endpoint;  // into link
};
PodSource pod_source(const LinkSeen& seen, const EndpointSeen& endpoint);

// For people: who tries it, or why it was undone.
std::string trial_message(const api::TrialStatus& trial);

}  // namespace twinspan::controllers
