// What controllers of a real cluster do in the background: garbage collection by owner references, the end of
// namespaces and of custom resources whose definition goes.
#pragma once
#include <chrono>
#include <thread>

#include "sandbox/api/registry.hpp"

namespace twinspan::sandbox {

class Collector {
 public:
  Collector(Store& store, Catalog& catalog, Registry& registry, std::chrono::milliseconds interval);
  void start();  // one thread
  void stop();   // joins it
  bool pass();   // one look at everything; true where it changed something

 private:
  bool concerns(uint64_t since) const;
  bool end_namespaces();
  bool end_definitions();
  bool collect_orphans();

  Store& store_;
  Catalog& catalog_;
  Registry& registry_;
  const std::chrono::milliseconds interval_;
  std::jthread thread_;
};

}  // namespace twinspan::sandbox
