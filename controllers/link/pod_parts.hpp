// Parts that worker pods of every engine have alike.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "api/types.hpp"
#include "core/json.hpp"

namespace twinspan::controllers {

// Of a path on the port named health.
Json health_probe(const char* path, int period_seconds, int timeout_seconds, int failures);
// POD_NAME, POD_UID and POD_IP, by the downward API.
Json own_facts();
// The container's securityContext: nothing but its own user's rights, and nothing to write but its volumes.
Json confined();
// 0440 with fsGroup: the group of the worker reads, nobody else does.
Json secret_volume(const std::string& name, const std::string& secret_name);
// A spec without containers and volumes, for the unprivileged user of our images, with the Secrets that images are
// pulled with: the link's own, then everybody's.
Json worker_pod_spec(const api::ReplicationLink& link, const std::vector<std::string>& image_pull_secrets);

struct Placement {
  const std::map<std::string, std::string>& node_selector;
  const Json& affinity;
  const std::vector<Json>& tolerations;
  const std::vector<Json>& topology_spread_constraints;
};
// Where nothing is asked for, pods of one link go to different nodes as far as there are some.
void place(Json& spec, const api::ReplicationLink& link, const Placement& placement);

}  // namespace twinspan::controllers
