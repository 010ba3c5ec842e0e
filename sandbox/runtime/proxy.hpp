// A forwarder per TCP port of every Service that has a cluster address.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "core/json.hpp"
#include "sandbox/runtime/caches.hpp"
#include "sandbox/runtime/forwarder.hpp"

namespace twinspan::sandbox {

// Where new connections to the Service's port of that name go: ready endpoints; with none ready, those that still serve
// while they terminate (as kube-proxy does). Pure.
std::vector<Backend> backends_of(const std::string& port_name, const std::vector<std::shared_ptr<const Json>>& slices);

class ServiceProxy {
 public:
  // Adds its handlers to the caches: before they start.
  ServiceProxy(RuntimeCaches& caches, const Clock& clock);
  ~ServiceProxy();
  void start();
  void stop();  // closes every connection
  // New connections never go to this pod address, for tests; `refused` false takes it back.
  void refuse(const std::string& pod_ip, bool refused);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace twinspan::sandbox
