#include "worker/s3/direction.hpp"

#include "contract/assignment.hpp"

namespace twinspan::worker_s3 {

namespace {

// Whether a copy is like its original, so that it may become one (docs/s3.md, "Failover"). Where it is not, two sides
// can't be reconciled, and whoever turns such a link round has said that what the target has does not count.
bool can_turn(const api::LinkSpec& spec) {
  const api::S3Settings& s3 = spec.s3;
  return s3.compression == api::Compression::kNone && !s3.client_encryption && !s3.restore &&
         s3.versions == api::ObjectVersions::kLatest;
}

}  // namespace

Direction direction_of(const api::ReplicationLink& link) {
  Direction direction;
  direction.primary = link.spec.source.name;
  const auto read = assignment_of(link.status);
  if (!read) return Direction{link.status.assignment->epoch, "", false};  // nobody knows which way: none
  const std::optional<Assignment>& assignment = *read;
  if (!assignment) return direction;
  direction.epoch = assignment->epoch.value;
  direction.primary = assignment->primary;
  direction.first = assignment->cause == Cause::kInitial || !can_turn(link.spec);
  direction.both_ways_seconds = link.status.assignment->both_ways_seconds.value_or(0);
  direction.previous = assignment->previous;
  direction.same_as_before = assignment->previous == assignment->primary;
  direction.clean =
      assignment->cause == Cause::kSwitchover && !assignment->previous.empty() && !direction.same_as_before;
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
