// StatefulSets: ordinal pods from the template, replaced one by one when it changes. As much of the controller of
// Kubernetes as workers need: no volume claim templates, no partitions, pods made all at once.
#pragma once
#include <memory>

#include "core/clock.hpp"
#include "kube/client.hpp"
#include "sandbox/runtime/caches.hpp"

namespace twinspan::sandbox {

class StatefulSets {
 public:
  // Adds its handlers to the caches: before they start.
  StatefulSets(kube::Client& client, RuntimeCaches& caches, const Clock& clock);
  ~StatefulSets();
  void start();
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace twinspan::sandbox
