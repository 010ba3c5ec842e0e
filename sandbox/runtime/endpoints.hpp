// EndpointSlices from Services and pods, as the endpoint slice controller writes them.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "core/clock.hpp"
#include "core/json.hpp"
#include "kube/client.hpp"
#include "sandbox/runtime/caches.hpp"

namespace twinspan::sandbox {

bool selects(const Json& service, const Json& pod);
// The one slice of a Service with a selector; nullopt without one. Pure. `pods` are those of its namespace.
std::optional<Json> desired_slice(const Json& service, const std::vector<std::shared_ptr<const Json>>& pods);

class EndpointsController {
 public:
  // Adds its handlers to the caches: before they start.
  EndpointsController(kube::Client& client, RuntimeCaches& caches, const Clock& clock);
  ~EndpointsController();
  void start();  // after the caches have synced
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace twinspan::sandbox
