#include "worker/s3/direction.hpp"

#include "failover/types.hpp"

namespace twinspan::worker_s3 {

Direction direction_of(const api::ReplicationLink& link) {
  Direction direction;
  direction.primary = link.spec.source.name;
  const auto& assignment = link.status.assignment;
  if (!assignment) return direction;
  direction.epoch = assignment->epoch;
  direction.primary = assignment->primary;
  direction.first = assignment->cause == to_string(Cause::kInitial);
  direction.same_as_before = assignment->previous == assignment->primary;
  return direction;
}

const api::Endpoint* endpoint_of(const api::LinkSpec& spec, const std::string& name) {
  if (spec.source.name == name) return &spec.source;
  for (const api::Endpoint& target : spec.targets)
    if (target.name == name) return &target;
  return nullptr;
}

std::vector<api::Endpoint> endpoints_of(const api::LinkSpec& spec) {
  std::vector<api::Endpoint> all{spec.source};
  all.insert(all.end(), spec.targets.begin(), spec.targets.end());
  return all;
}

}  // namespace twinspan::worker_s3
