// PersistentVolumeClaims are bound at once: a folder each, kept while the claim exists.
#pragma once
#include <filesystem>
#include <memory>

#include "core/clock.hpp"
#include "core/json.hpp"
#include "kube/client.hpp"
#include "sandbox/runtime/caches.hpp"

namespace twinspan::sandbox {

class ClaimBinder {
 public:
  // Adds its handler to the caches: before they start. `folder`: where Volumes keeps the claims' folders.
  ClaimBinder(kube::Client& client, RuntimeCaches& caches, const Clock& clock, std::filesystem::path folder);
  ~ClaimBinder();
  void start();
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace twinspan::sandbox
