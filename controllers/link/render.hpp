// Objects of a link as they should be. Pure: the same link renders the same text, which is what their hash is of.
#pragma once
#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "api/types.hpp"
#include "controllers/link/network_rules.hpp"
#include "core/json.hpp"

namespace twinspan::controllers {

// How long a change is tried by one endpoint before the others get it (acceptance.hpp).
struct TrialRules {
  std::chrono::seconds patience{300};  // until who tries it must be back
  std::chrono::seconds blocked{30};    // the same, where its pod does not run and commits wait for it
  std::chrono::seconds lost{60};       // who is not heard for so long tries it no longer
  std::chrono::seconds wait{60};       // for a replica that streams, before the primary tries settings itself
};

struct RenderConfig {
  std::string origin;  // this version of the operator with these settings: it annotates the pods that it makes
  std::string worker_image;
  std::string image_pull_policy;                // empty: Kubernetes' own choice
  std::string s3_worker_image;                  // of S3 links' workers
  std::vector<std::string> image_pull_secrets;  // of every worker, beside the link's own
  std::optional<NetworkRules> network;          // nullopt: no NetworkPolicy is made
  std::string postgres_bin_dir = "/usr/lib/postgresql/15/bin";
  TrialRules trial;
};

// Kind, names, labels of ours, and the link as owner where `owned`: what has an owner goes with it.
Json render_meta(const api::ReplicationLink& link, const std::string& api_version, const std::string& kind,
                 const std::string& name, const std::string& endpoint, bool owned);
// Annotates the object with `hash`, or with its content_hash.
void annotate_hash(Json& object, const std::string& hash);
void annotate_hash(Json& object);
void annotate_origin(Json& object, const RenderConfig& config);

// The worker pod of an endpoint with `managed` set (ARCHITECTURE.md, worker pod contract), with its hash.
Json render_pod(const api::ReplicationLink& link, const api::Endpoint& endpoint, const RenderConfig& config);
// What render_pod annotates.
std::string pod_hash(const api::ReplicationLink& link, const api::Endpoint& endpoint, const RenderConfig& config);
// Hash of what the link says of the pod, whatever this version makes of it.
std::string asked_of_pod(const api::ReplicationLink& link, const api::Endpoint& endpoint);

// Volumes outlive their link unless spec.deletionPolicy is Delete, and say for which one they were made.
Json render_claim(const api::ReplicationLink& link, const api::Endpoint& endpoint);
// The owner's Secret of the default name, outliving the link as volumes do.
Json render_owner(const api::ReplicationLink& link, const std::string& password);
Json render_account(const api::ReplicationLink& link);
Json render_role(const api::ReplicationLink& link);
Json render_role(const api::ReplicationLink& link, const std::vector<std::string>& leases);
Json render_binding(const api::ReplicationLink& link);
// ConfigMap LINK-ca: ca.crt, what clients verify servers with. No key is in what they mount.
Json render_ca_bundle(const api::ReplicationLink& link, const std::string& bundle_pem);
Json render_budget(const api::ReplicationLink& link);
// NetworkPolicy of the link's pods, which reach each other at every port. `clients`: also at 5432; `outward`: the ports
// that they call at others, beside DNS and the API server's.
enum class Clients { kNone, kAsAllowed };
Json render_network_policy(const api::ReplicationLink& link, const NetworkRules& rules, Clients clients,
                           const std::set<int64_t>& outward);
Json render_lease(const api::ReplicationLink& link);  // held by nobody
Json render_lease(const api::ReplicationLink& link, const std::string& name);

}  // namespace twinspan::controllers
