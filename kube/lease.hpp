// A Lease of coordination.k8s.io/v1 as one who holds it, or would, reads and writes it: leader election and the shares
// of S3 links. The primary lease says more (contract/primary_lease.hpp); by whose clock any of them ends is
// core/unchanged.hpp's. client-go's tools/leaderelection is the source of the fields' meaning.
#pragma once
#include <chrono>
#include <functional>
#include <string>

#include "core/clock.hpp"
#include "core/json.hpp"
#include "core/result.hpp"
#include "kube/config.hpp"

namespace twinspan::kube {

struct LeaseSaid {
  std::string version;                    // resourceVersion, the precondition of what is decided from this read
  std::string holder;                     // empty: nobody
  std::chrono::milliseconds duration{0};  // that the holder promised
};
LeaseSaid said_of(const Json& lease);

// How long from its first sight a lease may be acted on by somebody, where every holder promises `usual`. A hand can
// empty a lease, shorten it, or delete it so that it is made anew, and its holder may not know of that: only a lease
// that its holder released, which says one second and nobody's name, is free at once.
inline constexpr std::chrono::seconds kReleasedDuration{1};
std::chrono::milliseconds may_be_held_for(bool held, std::chrono::milliseconds duration,
                                          std::chrono::milliseconds usual);

enum class LeaseChange { kTake, kRenew, kRelease };
// Makes of `lease`, as it was read, what `identity` writes; a spec that is missing begins. resourceVersion stays: the
// update is refused where anybody wrote since. `now` is for people.
void change_lease(Json& lease, LeaseChange change, const std::string& identity, std::chrono::milliseconds duration,
                  WallTime now);

// A connection of its own, so that renewals wait for no other request, and a time-out that leaves room for several
// attempts before `renew_deadline` and, after a last one, for stopping before the lease ends.
Config lease_connection(Config shared, std::chrono::milliseconds renew_deadline);

// A stop may have cut off a renewal that still arrived: the release then conflicts, and is repeated once upon what is
// there as long as that is ours, which `still_ours` reads anew.
Status release_lease(const std::function<Status()>& release, const std::function<bool()>& still_ours);

}  // namespace twinspan::kube
