#include "worker/s3/probes.hpp"

#include <algorithm>

#include "engines/s3/settings.hpp"

namespace twinspan::worker_s3 {

void Probes::apply(const api::ReplicationLink& link) {
  const std::vector<api::Endpoint> wanted = endpoints_of(link.spec);
  std::erase_if(probes_, [&](const auto& probe) {
    return std::find(wanted.begin(), wanted.end(), probe.second->endpoint()) == wanted.end();
  });
  const std::string primary = direction_of(link).primary;
  for (const api::Endpoint& endpoint : wanted) {
    auto& probe = probes_[endpoint.name];
    if (!probe) {
      BucketProbe::Config config;
      config.s3_dir = s3_dir_;
      config.trial_key = std::string(s3::kReservedPrefix) + "writable/" + link.metadata.ns + "-" + link.metadata.name;
      probe = std::make_unique<BucketProbe>(endpoint, config, clock_, changed_);
    }
    probe->try_writes(endpoint.name != primary && !link.spec.paused);
  }
}

std::vector<PlaceSeen> Probes::seen() const {
  std::vector<PlaceSeen> all;
  for (const auto& [name, probe] : probes_) all.push_back(probe->seen());
  return all;
}

}  // namespace twinspan::worker_s3
