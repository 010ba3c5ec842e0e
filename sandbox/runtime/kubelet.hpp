// Scheduler and kubelet of the one node: every pod gets the node, an address and a runner.
#pragma once
#include <memory>
#include <string>

#include "kube/resource.hpp"
#include "sandbox/runtime/pod.hpp"

namespace twinspan::sandbox {

class Kubelet {
 public:
  // Adds its handlers to the caches: before they start.
  explicit Kubelet(const PodContext& context);
  ~Kubelet();    // kills every pod's processes
  void start();  // after the caches have synced
  void stop();
  // Null where no such pod runs here. Any thread.
  std::shared_ptr<PodRunner> pod(const kube::Key& key) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace twinspan::sandbox
