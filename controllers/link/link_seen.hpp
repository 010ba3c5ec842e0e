// Everything a decision about one link depends on, as one value. Gathered from caches and reports; plans are pure
// functions of it.
#pragma once
#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controllers/cluster/cluster.hpp"
#include "controllers/cluster/foreign_objects.hpp"
#include "controllers/cluster/kinds.hpp"
#include "controllers/link/roll_budget.hpp"
#include "core/clock.hpp"
#include "failover/report.hpp"

namespace twinspan::controllers {

// What is known of an endpoint's agent.
struct MemberView {
  std::optional<MemberReport> report;  // the last one; nullopt: none from this pod
  std::chrono::milliseconds age{0};    // since it arrived; without a report: since the pod is asked
  int failures = 0;
  std::string error;
  bool doubted = false;  // doubt_unheard(): what it last said is over

  // A report old enough to be doubted is not used, whoever is to blame for its age: what it said is Unknown then.
  static constexpr std::chrono::milliseconds kTrusted{3000};
  // One whose agent answered whenever it was asked gets longer: asked late, by an operator with very many, it is no
  // sign.
  static constexpr std::chrono::milliseconds kTrustedUnasked{10000};
  // This operator has only just begun to ask: what an earlier one wrote down still stands.
  bool pending() const { return !report && failures == 0 && age < kTrusted; }
  const MemberReport* fresh() const {
    return report && !doubted && age < (failures > 0 ? kTrusted : kTrustedUnasked) ? &*report : nullptr;
  }
};

struct EndpointSeen {
  std::string name;
  const api::Endpoint* spec = nullptr;  // into LinkSeen::link; nullptr: the spec names it no more
  std::shared_ptr<const Pod> pod;
  std::shared_ptr<const Claim> claim;
  std::shared_ptr<const Secret> tls;
  MemberView member;
  std::string refused{};  // why Kubernetes did not take its pod, when that was tried last
};

// A person's Secret carries no label of ours: what is known of it was read some time ago.
struct OwnerSecret {
  enum class State { kUnknown, kMissing, kIncomplete, kUsable };
  State state = State::kUnknown;
  bool due = true;  // to be looked at again

  static constexpr std::chrono::milliseconds kAwaitedLook{2000};
};

// Kubernetes did not let a volume claim grow.
struct RefusedVolume {
  std::string size;   // that was asked for
  std::string words;  // of Kubernetes
  bool operator==(const RefusedVolume&) const = default;
};

// Kubernetes did not let it be made or changed, when that was tried last.
struct RefusedObject {
  std::string kind, name;
  std::string words;  // of Kubernetes
};

// What earlier looks found and no cache has.
struct Recalled {
  std::vector<KnownForeign> foreign;
  OwnerSecret owner_secret;
  std::map<std::string, RefusedVolume> refused_volumes;
  std::vector<RefusedObject> refused;
};

struct LinkSeen {
  std::shared_ptr<const CachedLink> link;
  std::vector<EndpointSeen> endpoints;  // the source, the targets, then those the spec names no more
  std::shared_ptr<const Secret> ca, owner;
  OwnerSecret owner_secret;           // what was found of an owner Secret that is not ours
  std::vector<KnownForeign> foreign;  // others' objects where ours would be, that no cache has
  std::shared_ptr<const Lease> lease;
  std::chrono::milliseconds lease_unchanged_for{0};
  std::shared_ptr<const Owned> account, role, binding, budget;
  std::shared_ptr<const Owned> network_policy;
  std::shared_ptr<const Owned> ca_bundle;  // the ConfigMap for clients
  std::vector<std::string> services;       // that policies name for clients, sorted
  std::string primary_service;             // the first that selects the primary; empty: none
  int64_t primary_port = 5432;
  std::optional<Holdup> holdup;                          // why it has no primary
  std::map<std::string, RefusedVolume> refused_volumes;  // by endpoint, within the last minutes
  std::vector<RefusedObject> refused;
  bool fails_over = false;  // a policy moves the primary by itself
  RollTurn turn;            // to renew pods that another version of the operator made
  WallTime now{};

  const EndpointSeen* find(std::string_view name) const;
  // The endpoint that accepts writes, by the lease's word alone: held, promoted in this epoch, and not run out. Empty:
  // none.
  std::string primary() const;
  // Until that is nobody, where the lease is not renewed meanwhile; zero: there is none.
  std::chrono::milliseconds primary_left() const;
  // Assignment and lease agree: no primary is being made or moved.
  bool settled() const;
  // A replica that does not answer is believed for a moment, but not where whom it streamed from answers and sends to
  // it no more.
  void doubt_unheard();
  void recall(const Recalled& recalled);
  // Whatever a cache has under one of our names, but is somebody else's, from among ours into `foreign`: nothing that
  // follows sees it.
  void set_foreign_aside();
  void set_common_aside();  // CA, account, role, binding, budget, NetworkPolicy
  template <class T>
  void set_aside(std::shared_ptr<const T>& object, const kube::Resource& resource, const std::string& name) {
    if (!object || may_be_written(whose(*object, claimant(*link)), resource.kind)) return;
    foreign.push_back({{std::string(resource.kind), name}, false});
    object = nullptr;
  }
};

}  // namespace twinspan::controllers
