// Workers that serve a whole link rather than an endpoint, as a StatefulSet (S3, Kafka): objects as they should be.
// Pure.
#pragma once
#include <initializer_list>
#include <string>

#include "controllers/link/pod_parts.hpp"
#include "controllers/link/render.hpp"

namespace twinspan::controllers {

struct WorkerSet {
  std::string name;     // of the StatefulSet, and of its governing Service
  std::string member;   // what its pods are labelled with, and their TLS Secret is named by
  std::string program;  // in `image`
  std::string image;
  int64_t replicas = 1;
  // Where the endpoints' Secrets are, which the program is told by --FOLDER-dir: below /etc/twinspan/FOLDER.
  std::string folder;
  Json secrets;  // sources of a projected volume; empty: there are none
  const Json& resources;
  Placement placement;
};

// Keys of a Secret as files below FOLDER/. Optional: a worker whose Secret is missing says so in the status, where a
// pod that can't start says nothing. A Secret that comes or changes later reaches the worker by the mount. Only the
// keys that mean something: what else lies in there is none of the worker's business.
Json projected_secret(const std::string& secret_name, const std::string& folder,
                      std::initializer_list<const char*> keys);

// With its hash (ARCHITECTURE.md, "Worker pod contract").
Json render_worker_set(const api::ReplicationLink& link, const WorkerSet& set, const RenderConfig& config);
// At most one worker away at a time; a link with one worker may lose it: whatever it did is taken up by the next.
Json render_set_budget(const api::ReplicationLink& link);

}  // namespace twinspan::controllers
