// Objects of a link as they should be. Pure: the same link renders the same text, which is what their hash is of.
#pragma once
#include <string>
#include <vector>

#include "api/types.hpp"
#include "core/json.hpp"

namespace twinspan::controllers {

struct RenderConfig {
  std::string worker_image;
  std::string image_pull_policy;  // empty: Kubernetes' own choice
  std::string s3_worker_image;    // of S3 links' workers
  std::string postgres_bin_dir = "/usr/lib/postgresql/15/bin";
};

// Kind, names, labels of ours, and the link as owner where `owned` (data outlives a link that asks for it: volumes are
// not).
Json render_meta(const api::ReplicationLink& link, const std::string& api_version, const std::string& kind,
                 const std::string& name, const std::string& endpoint, bool owned);
// Annotates the object with `hash`, or with its content_hash.
void annotate_hash(Json& object, const std::string& hash);
void annotate_hash(Json& object);

// The worker pod of an endpoint with `managed` set (ARCHITECTURE.md, worker pod contract), with its hash.
Json render_pod(const api::ReplicationLink& link, const api::Endpoint& endpoint, const RenderConfig& config);
// What render_pod annotates.
std::string pod_hash(const api::ReplicationLink& link, const api::Endpoint& endpoint, const RenderConfig& config);

Json render_claim(const api::ReplicationLink& link, const api::Endpoint& endpoint);
Json render_account(const api::ReplicationLink& link);
Json render_role(const api::ReplicationLink& link);
Json render_role(const api::ReplicationLink& link, const std::vector<std::string>& leases);
Json render_binding(const api::ReplicationLink& link);
Json render_budget(const api::ReplicationLink& link);
Json render_lease(const api::ReplicationLink& link);  // held by nobody
Json render_lease(const api::ReplicationLink& link, const std::string& name);

}  // namespace twinspan::controllers
