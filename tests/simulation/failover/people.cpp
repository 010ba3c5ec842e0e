// What people do, by hand or by GitOps. None of it may cost data; what it may cost of service ends by itself.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "misfortune.hpp"

namespace twinspan::simulation {

template <class Edit>
void Misfortune::edit_policy(Edit edit) {
  edit(policy_);
  const Stored<PolicyObject>& stored = cluster_.api.state().policy;
  if (!cluster_.api.up() || !stored.object) return;
  PolicyObject next = *stored.object;
  next.rules = policy_.rules;
  cluster_.api.put(stored.version, next);
}

template <class Edit>
void Misfortune::edit_link(Edit edit) {
  const Stored<LinkObject>& stored = cluster_.api.state().link;
  if (!cluster_.api.up() || !stored.object) return;
  LinkObject next = *stored.object;
  edit(next);
  cluster_.api.put(stored.version, next);
}

void Misfortune::by_people(Fault fault) {
  ApiServer& api = cluster_.api;
  if (!api.up()) return;
  note(fmt::format("people: {}", to_string(fault)));
  switch (fault) {
    case Fault::kSwitchover:
      edit_policy([this](PolicyObject& policy) { policy.rules.desired_primary = target().endpoint(); });
      break;
    case Fault::kModeChanges:
      set_mode(std::to_array(
          {Mode::kManual, Mode::kDryRun, Mode::kAutomatic})[static_cast<size_t>(network().uniform(0, 2))]);
      break;
    case Fault::kDurabilityChanges: change_durability(); break;
    case Fault::kLeaseTimesChange:
      edit_policy([this](PolicyObject& policy) {
        policy.rules.lease.duration = std::chrono::seconds(network().uniform(3, 10));
      });
      break;
    case Fault::kPolicyDeleted: delete_policy(); break;
    case Fault::kStatusDeleted: edit_link([](LinkObject& link) { link.assignment.reset(); }); break;
    case Fault::kStatusRestored: restore_status(); break;
    case Fault::kLeaseDeleted:
      if (api.state().lease.object) api.remove(Kind::kLease);
      break;
    case Fault::kLeaseFreed: free_lease(); break;
    case Fault::kLeaseEdited: edit_lease(); break;
    case Fault::kLinkApplied: apply_again(); break;
    case Fault::kRestored: restore(); break;
    default: break;
  }
}

void Misfortune::set_mode(Mode mode) {
  edit_policy([mode](PolicyObject& policy) { policy.rules.mode = mode; });
}

void Misfortune::change_durability() {
  edit_link([this](LinkObject& link) {
    link.durability.replicas = static_cast<int>(network().uniform(1, static_cast<int64_t>(link.endpoints.size()) - 1));
    if (network().chance(0.3)) link.durability.synchronous = !link.durability.synchronous;
  });
}

void Misfortune::delete_policy() {
  if (!cluster_.api.state().policy.object) return;
  cluster_.api.remove(Kind::kPolicy);
  network().at(some(500, 8000), [this] {
    const Stored<PolicyObject>& stored = cluster_.api.state().policy;
    if (!stored.object) cluster_.api.put(stored.version, policy_);
  });
}

// A backup of the objects is applied, with its status.
void Misfortune::restore_status() {
  if (cluster_.api.snapshots() == 0) return;
  const ApiState& old = cluster_.api.snapshot(
      static_cast<size_t>(network().uniform(0, static_cast<int64_t>(cluster_.api.snapshots()) - 1)));
  if (!old.link.object) return;
  // Open: an agent with nothing believes an assignment of the first primary that comes from a backup.
  if (old.link.object->assignment && old.link.object->assignment->cause == Cause::kInitial) return;
  edit_link([&](LinkObject& link) { link.assignment = old.link.object->assignment; });
}

void Misfortune::free_lease() {
  const Stored<LeaseObject>& stored = cluster_.api.state().lease;
  if (!stored.object) return;
  LeaseObject lease = *stored.object;
  lease.record.holder_endpoint.clear();
  lease.record.holder_instance.clear();
  if (network().chance(0.5)) lease.record.release.reset();
  cluster_.api.put(stored.version, lease);
}

void Misfortune::edit_lease() {
  const Stored<LeaseObject>& stored = cluster_.api.state().lease;
  if (!stored.object) return;
  LeaseObject lease = *stored.object;
  switch (network().uniform(0, 4)) {
    case 0: lease.record.promoted = false; break;
    case 1: lease.record.release.reset(); break;
    case 2: lease.record.epoch = {std::max<int64_t>(0, lease.record.epoch.value - network().uniform(1, 3))}; break;
    case 3: lease.record.epoch = {lease.record.epoch.value + network().uniform(1, 3)}; break;
    case 4: lease.duration = std::chrono::seconds(network().uniform(0, 2)); break;
  }
  cluster_.api.put(stored.version, lease);
}

// Prepared beside the primary's data already, on a timeline that nobody has.
void Misfortune::restore() {
  const Stored<LinkObject>& stored = cluster_.api.state().link;
  for (const auto& one : cluster_.agents) {
    if (!stored.object || !one->accepts_writes() || one->ghost() || one->volume()->log.end() < 2) continue;
    Volume& volume = *one->volume();
    Log log = volume.log.until(static_cast<uint64_t>(network().uniform(1, static_cast<int64_t>(volume.log.end()))));
    const uint32_t known = cluster_.mistaken(Mistake::kRestoredNumberUsed) ? 0 : cluster_.timelines.highest();
    log.append(cluster_.timelines.fork(log, known));
    const std::string name = fmt::format("r{}", ++restores_);
    volume.prepared = Prepared{name, std::move(log)};
    note(fmt::format("people: {} is to go on with {}, up to {} of {}", one->who(), name, volume.prepared->log.end(),
                     volume.log.end()));
    return edit_link([&](LinkObject& link) {
      link.restore = name;
      link.restore_at = one->endpoint();
    });
  }
}

// Deleted and applied again, as a pruning GitOps does. Volumes stay; pods end in their own time and begin when the link
// is there.
void Misfortune::apply_again() {
  if (applying_ || !cluster_.api.state().link.object) return;
  applying_ = true;
  link_ = *cluster_.api.state().link.object;
  cluster_.api.remove(Kind::kLink);
  if (cluster_.api.state().policy.object) cluster_.api.remove(Kind::kPolicy);
  if (cluster_.api.state().lease.object) cluster_.api.remove(Kind::kLease);
  for (const auto& one : cluster_.agents)
    if (!one->ghost()) network().at(some(0, 2000), [agent = one.get()] { agent->delete_pod(); });
  network().at(some(3000, 9000), [this] { applied(); });
}

void Misfortune::applied() {
  if (!cluster_.api.up()) {
    network().at(500 * kMs, [this] { applied(); });
    return;
  }
  applying_ = false;
  apply_what_is_missing();
}

void Misfortune::apply_what_is_missing() {
  if (applying_ || !cluster_.api.up()) return;
  const ApiState& now = cluster_.api.state();
  if (!now.link.object) {
    note("people: the link is applied again");
    LinkObject link;
    link.uid = ++links_;
    link.endpoints = link_.endpoints;
    link.durability = link_.durability;
    cluster_.api.put(now.link.version, link);
  }
  if (!now.policy.object) {
    PolicyObject policy;
    policy.rules = policy_.rules;
    cluster_.api.put(now.policy.version, policy);
  }
  for (const auto& one : cluster_.agents)
    if (!one->ghost() && one->deleted()) begin_again(*one);
}

// A pod of a name is made once the one before is gone.
void Misfortune::begin_again(Agent& one) {
  network().at(some(100, 2000), [this, &one] {
    if (one.ghost() || !one.deleted()) return;
    if (one.alive()) return begin_again(one);
    one.new_pod(++pods_);
    one.start();
  });
}

// Whoever reads the message runs the command that it ends with.
void Misfortune::decide_for_people() {
  constexpr Micros kReads = 4 * kSecond;
  const Micros now = network().now();
  if (now - decided_at_ < kReads) return;
  for (const auto& one : operators_) {
    const Decision& said = one->said();
    if (!said.needs_person || now - one->said_since() < kReads) continue;
    const std::string key = std::string(kPromoteAnnotation) + "=";
    const size_t at = said.message.find(key);
    if (at == std::string::npos) continue;
    const size_t begin = at + key.size();
    const auto word =
        parse_promote_word(std::string_view(said.message).substr(begin, said.message.find(' ', begin) - begin));
    if (!word || !cluster_.find(word->endpoint)) continue;
    note("people: promote " + to_string(*word));
    decided_at_ = now;
    cluster_.ledger.person_decided(word->endpoint);
    edit_link([&](LinkObject& link) { link.word = *word; });
    return;
  }
}

}  // namespace twinspan::simulation
