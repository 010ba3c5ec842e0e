// What the runtime knows of the cluster: one informer per kind it reads, all as JSON.
#pragma once
#include <nlohmann/json.hpp>

#include "core/json.hpp"
#include "kube/client.hpp"
#include "kube/informer.hpp"

namespace twinspan::sandbox {

inline Result<Json> as_is(const Json& object) { return object; }

struct RuntimeCaches {
  using Cache = kube::Informer<Json>;
  explicit RuntimeCaches(kube::Client& client)
      : pods(client, kube::kPods, {}, as_is),
        secrets(client, kube::kSecrets, {}, as_is),
        config_maps(client, kube::kConfigMaps, {}, as_is),
        claims(client, kube::kPersistentVolumeClaims, {}, as_is),
        services(client, kube::kServices, {}, as_is),
        slices(client, kube::kEndpointSlices, {}, as_is),
        sets(client, kube::kStatefulSets, {}, as_is) {}

  Cache pods, secrets, config_maps, claims, services, slices, sets;

  void start() {
    for (Cache* cache : all()) cache->start();
  }
  void stop() {
    for (Cache* cache : all()) cache->stop();
  }
  bool synced() {
    for (const Cache* cache : all())
      if (!cache->synced()) return false;
    return true;
  }

 private:
  std::array<Cache*, 7> all() { return {&pods, &secrets, &config_maps, &claims, &services, &slices, &sets}; }
};

}  // namespace twinspan::sandbox
