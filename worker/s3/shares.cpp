#include "worker/s3/shares.hpp"

#include <algorithm>

namespace twinspan::worker_s3 {
namespace {

class Planner {
 public:
  Planner(const SharesSeen& seen, const SharesPatience& patience) : seen_(seen), patience_(patience) {
    for (const auto& lease : seen.leases)
      if (lease) latest_ = std::max(latest_, lease->division);
    for (int share = 0; share < static_cast<int>(seen.leases.size()); ++share)
      if (ours(share) && share != seen.ordinal) ++taken_over_;
  }

  SharesPlan plan() {
    plan_.settled = true;
    for (int share = 0; share < static_cast<int>(seen_.leases.size()); ++share) {
      if (!seen_.leases[static_cast<size_t>(share)]) continue;
      ours(share) ? keep_or_release(share) : take_or_ask(share);
    }
    for (int share = 0; share < seen_.division.shares; ++share)
      if (!lease_of(share)) plan_.settled = false;
    if (!clear()) {
      plan_.settled = plan_.settled && plan_.use.empty();
      plan_.use.clear();
    }
    return std::move(plan_);
  }

 private:
  const ShareLease* lease_of(int share) const {
    const auto at = static_cast<size_t>(share);
    return at < seen_.leases.size() && seen_.leases[at] ? &*seen_.leases[at] : nullptr;
  }
  bool ours(int share) const {
    const ShareLease* lease = lease_of(share);
    return lease && lease->holder == seen_.identity;
  }
  // The container's process before this one: kubelet starts no container of a pod before its predecessor has ended, so
  // whatever it held is free.
  bool former_self(const ShareLease& lease) const {
    const size_t slash = seen_.identity.find('/'), dash = seen_.identity.rfind('-');
    if (slash == std::string::npos || dash == std::string::npos || dash < slash) return false;
    return lease.holder != seen_.identity && lease.holder.starts_with(seen_.identity.substr(0, dash + 1));
  }
  bool held(const ShareLease& lease) const { return lease.held(seen_.now) && !former_self(lease); }
  // A newer division is on its way to us.
  bool outdated() const { return latest_ > seen_.division.generation; }
  bool wanted(int share) const {
    return share < seen_.division.shares && (share == seen_.ordinal || lease_of(share)->wanted_by.empty());
  }

  // Whether nobody can be at a share of another division.
  bool clear() const {
    const ShareLease* first = lease_of(0);
    if (outdated() || !first || first->division != seen_.division.generation) return false;
    return std::all_of(seen_.leases.begin(), seen_.leases.end(), [&](const auto& lease) {
      return !lease || !held(*lease) || lease->division == seen_.division.generation;
    });
  }

  void keep_or_release(int share) {
    const bool in_use = seen_.in_use.contains(share);
    if (!wanted(share)) {
      plan_.settled = false;
      if (!in_use) plan_.release.push_back(share);
      return;
    }
    if (outdated()) return;
    if (lease_of(share)->division == seen_.division.generation) {
      plan_.use.insert(share);
      return;
    }
    plan_.settled = false;
    if (!in_use) plan_.mark.push_back(share);
  }

  void take_or_ask(int share) {
    const ShareLease& lease = *lease_of(share);
    if (share >= seen_.division.shares || outdated()) return;
    const bool own = share == seen_.ordinal;
    if (!own && seen_.division.generation == 0) return;  // without a division there is one worker
    if (held(lease)) {
      if (!own) return;
      plan_.settled = false;
      plan_.ask = !lease.holder.empty() && lease.wanted_by != seen_.identity;
      return;
    }
    plan_.settled = false;
    const auto free_since = former_self(lease) ? lease.since : lease.since + lease.duration;
    const auto wait = lease.holder.empty() ? patience_.released : patience_.expired;
    if (!own && seen_.now - free_since < wait + patience_.expired * taken_over_) return;
    plan_.take.push_back(share);
    if (!own) ++taken_over_;
  }

  const SharesSeen& seen_;
  const SharesPatience& patience_;
  int64_t latest_ = 0;
  int taken_over_ = 0;
  SharesPlan plan_;
};

}  // namespace

SharesPlan plan_shares(const SharesSeen& seen, const SharesPatience& patience) {
  return Planner(seen, patience).plan();
}

}  // namespace twinspan::worker_s3
