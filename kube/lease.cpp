#include "kube/lease.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace twinspan::kube {

using std::chrono::milliseconds;
using std::chrono::seconds;

LeaseSaid said_of(const Json& lease) {
  const Json& spec = member_of(lease, "spec");
  return {text_of(member_of(lease, "metadata"), "resourceVersion"), text_of(spec, "holderIdentity"),
          seconds(integer_of(spec, "leaseDurationSeconds"))};
}

milliseconds may_be_held_for(bool held, milliseconds duration, milliseconds usual) {
  if (!held && duration == kReleasedDuration) return milliseconds(0);
  return std::max(duration, usual);
}

void change_lease(Json& lease, LeaseChange change, const std::string& identity, milliseconds duration, WallTime now) {
  Json& spec = lease["spec"];
  const std::string time = to_rfc3339_micro(now);
  spec["renewTime"] = time;
  if (change == LeaseChange::kRelease) {  // the next one need not wait
    spec["holderIdentity"] = "";
    spec["leaseDurationSeconds"] = kReleasedDuration.count();
    return;
  }
  spec["holderIdentity"] = identity;
  spec["leaseDurationSeconds"] = std::chrono::ceil<seconds>(duration).count();
  if (change != LeaseChange::kTake) return;
  spec["acquireTime"] = time;
  spec["leaseTransitions"] = spec.contains("leaseTransitions") ? integer_of(spec, "leaseTransitions") + 1 : 0;
}

Config lease_connection(Config shared, milliseconds renew_deadline) {
  shared.request_timeout = std::min(shared.request_timeout, std::max(renew_deadline / 4, milliseconds(100)));
  shared.connections = 1;
  shared.requests_per_second = 0;
  return shared;
}

Status release_lease(const std::function<Status()>& release, const std::function<bool()>& still_ours) {
  Status released = release();
  if (!released && released.error().code == Code::kConflict && still_ours()) released = release();
  return released;
}

}  // namespace twinspan::kube
