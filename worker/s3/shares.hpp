// Which shares of its link's keys a worker takes, copies, asks for and lets go, from one look at their leases. Pure and
// total.
//
// Share I is worker I's. Another carries it on where nobody has held its lease for a while, until worker I asks for it
// back. Nobody copies a share without its lease in hand, and nobody begins with a share of one division of the keys
// while somebody may still be at one of another: the generation is written into the lease before its share is begun,
// and the leases are looked at afterwards. Of two workers that begin with different divisions at once, one at least
// sees the other, and the older division never begins once there is a newer one. Nothing of a division begins before it
// stands in the lease of share 0: a worker that believes itself alone looks at no other.
#pragma once
#include <chrono>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "core/clock.hpp"

namespace twinspan::worker_s3 {

// status.division of the link; by default one worker has all keys and never had another beside it.
struct Division {
  int64_t generation = 0;
  int shares = 1;
  bool operator==(const Division&) const = default;
};

struct ShareLease {
  std::string holder;                     // POD/UID-PROCESS; empty: nobody
  std::string wanted_by;                  // its own worker asks for it
  int64_t division = 0;                   // the generation its last holder obeyed
  std::chrono::milliseconds duration{0};  // somebody may act on it for so long from `since` on; 0: it was released
  BootTime since{};  // when this version was first seen here: expiry is judged by our own observation only
  bool held(BootTime now) const { return now < since + duration; }
};

struct SharesSeen {
  Division division;
  int ordinal = 0;                                // our own
  std::string identity;                           // our own
  std::vector<std::optional<ShareLease>> leases;  // by share; nullopt: there is none
  std::set<int> in_use;                           // shares that are being copied here, or may be
  BootTime now{};
};

struct SharesPatience {
  // How long a share stays free for its own worker: it may be back soon. After that of a dead one for as long again per
  // share taken over already, so that they spread.
  std::chrono::milliseconds expired{3000}, released{12000};
};

struct SharesPlan {
  std::vector<int> take;     // free, and ours to have
  std::vector<int> mark;     // held for an older division, and nothing of that runs any more: write the newer one
  std::vector<int> release;  // held, not ours to have, and not in use any more
  bool ask = false;          // for our own share, which another has
  std::set<int> use;         // may be copied
  bool settled = false;      // nothing is about to change by what we do
};

SharesPlan plan_shares(const SharesSeen& seen, const SharesPatience& patience);

}  // namespace twinspan::worker_s3
