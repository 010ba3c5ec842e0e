// Everything a decision about one link depends on, as one value. Gathered from caches and reports; plans are pure
// functions of it.
#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controllers/cluster/kinds.hpp"
#include "core/clock.hpp"
#include "failover/report.hpp"

namespace twinspan::controllers {

// What is known of an endpoint's agent.
struct MemberView {
  std::optional<MemberReport> report;  // the last one; nullopt: none from this pod
  std::chrono::milliseconds age{0};    // since it arrived; without a report: since the pod is asked
  int failures = 0;
  std::string error;

  // A report old enough to be doubted is not used: what it said is Unknown then.
  static constexpr std::chrono::milliseconds kTrusted{3000};
  // This operator has only just begun to ask: what an earlier one wrote down still stands.
  bool pending() const { return !report && failures == 0 && age < kTrusted; }
  const MemberReport* fresh() const { return report && (failures == 0 || age < kTrusted) ? &*report : nullptr; }
};

struct EndpointSeen {
  std::string name;
  const api::Endpoint* spec = nullptr;  // into LinkSeen::link; nullptr: the spec names it no more
  std::shared_ptr<const Pod> pod;
  std::shared_ptr<const Claim> claim;
  std::shared_ptr<const Secret> tls;
  MemberView member;
};

struct LinkSeen {
  std::shared_ptr<const CachedLink> link;
  std::vector<EndpointSeen> endpoints;  // the source, the targets, then those the spec names no more
  std::shared_ptr<const Secret> ca, owner;
  bool owner_is_theirs = false;  // the owner Secret exists and is a person's
  std::shared_ptr<const Lease> lease;
  std::chrono::milliseconds lease_unchanged_for{0};
  std::shared_ptr<const Owned> account, role, binding, budget;
  bool fails_over = false;  // a policy moves the primary by itself
  WallTime now{};

  const EndpointSeen* find(std::string_view name) const;
  // The endpoint that accepts writes, by the lease's word alone: held, promoted in this epoch, and not run out. Empty:
  // none.
  std::string primary() const;
  // Assignment and lease agree: no primary is being made or moved.
  bool settled() const;
};

}  // namespace twinspan::controllers
