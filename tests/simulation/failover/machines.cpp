// What happens to machines, processes, disks, the network and the API server.
#include <fmt/format.h>

#include <array>

#include "misfortune.hpp"

namespace twinspan::simulation {

bool Misfortune::to_member(Fault fault, Agent& one) {
  switch (fault) {
    case Fault::kDatabaseDies: one.database_dies(); return true;
    case Fault::kAgentRestarts: one.end(some(50, 6000)); return true;
    case Fault::kMachineSuspends: one.suspend(some(100, 9000)); return true;
    case Fault::kAgentHangs: one.hang(some(100, 9000)); return true;
    case Fault::kShutdown: one.ask_to_stop(); return true;
    case Fault::kPromotionHangs: one.promotions_hang(network().chance(0.2) ? kForEver : some(2000, 20000)); return true;
    case Fault::kPromotionFails: one.promotions_fail(some(1000, 15000)); return true;
    case Fault::kDiskHangs: one.disk_hangs(some(500, 15000)); return true;
    case Fault::kVolumeLost:
      if (one.alive() && cluster_.ledger.can_spare(*one.volume())) one.lose_volume();
      return true;
    case Fault::kPodElsewhere:
      if (one.alive() && cluster_.ledger.can_spare(*one.volume())) pod_elsewhere(one);
      return true;
    default: return false;
  }
}

bool Misfortune::to_network(Fault fault, Agent& one) {
  const std::string& self = one.address();
  switch (fault) {
    case Fault::kCutFromApi:
      note("cut between api and " + one.who());
      if (network().chance(0.7)) network().cut(self, "api", some(200, 12000));
      if (network().chance(0.7)) network().cut("api", self, some(200, 12000));
      return true;
    case Fault::kCutFromPeers:
      note("cut from its peers: " + one.who());
      for (const auto& other : cluster_.agents)
        if (other.get() != &one) network().cut(self, other->address(), some(200, 12000));
      return true;
    case Fault::kCutFromOperators:
      note("cut from operators: " + one.who());
      for (const auto& other : operators_) network().cut(self, other->address(), some(200, 12000));
      return true;
    case Fault::kApiAway: away(some(200, 8000), network().chance(0.3)); return true;
    case Fault::kStaleCache: stale_cache(); return true;
    case Fault::kEtcdRestored: etcd_restored(); return true;
    case Fault::kOperatorRestarts: operators_[static_cast<size_t>(network().uniform(0, 1))]->start(); return true;
    case Fault::kOperatorSuspends:
      operators_[static_cast<size_t>(network().uniform(0, 1))]->suspend(some(100, 9000));
      return true;
    default: return false;
  }
}

// Its node is lost from sight: the pod is deleted by force and made anew, with a volume of its own, while the old one
// runs on.
void Misfortune::pod_elsewhere(Agent& one) {
  const std::string endpoint = one.endpoint();
  one.become_ghost();
  cluster_.agents.push_back(std::make_unique<Agent>(cluster_, endpoint, ++pods_, cluster_.ledger.new_volume()));
  cluster_.api.set_claim(endpoint, {cluster_.api.state().link.object ? cluster_.api.state().link.object->uid : 0,
                                    network().now() / kSecond});
  network().at(some(100, 4000), [born = cluster_.agents.back().get()] { born->start(); });
}

void Misfortune::away(Micros duration, bool restarted) {
  if (!cluster_.api.up()) return;
  note("api away");
  cluster_.api.set_up(false, restarted);
  network().at(duration, [this, restarted] {
    cluster_.api.set_up(true, restarted);
    note("api back");
  });
}

bool Misfortune::seems_present(const ApiState& backup) const {
  if (!backup.lease.object) return false;
  const Epoch epoch = backup.lease.object->record.epoch;
  return std::any_of(cluster_.agents.begin(), cluster_.agents.end(),
                     [&](const auto& agent) { return agent->takes_for_own(epoch); });
}

// Nobody restores an etcd within a lease's duration: API servers are stopped for it (docs/failover.md asks to wait as
// long).
void Misfortune::etcd_restored() {
  ApiServer& api = cluster_.api;
  if (!api.up() || api.snapshots() == 0) return;
  const auto longest = static_cast<Micros>(13000);
  note("api away, for etcd to be restored");
  api.set_up(false, true);
  network().at(some(longest, longest + 4000), [this] {
    size_t which = static_cast<size_t>(network().uniform(0, static_cast<int64_t>(cluster_.api.snapshots()) - 1));
    // To an agent that was cut off since before the backup was made the backup is the present (docs/failover.md).
    while (which + 1 < cluster_.api.snapshots() && seems_present(cluster_.api.snapshot(which))) ++which;
    if (!seems_present(cluster_.api.snapshot(which))) cluster_.api.restore(which);
    cluster_.api.set_up(true, true);
    note(fmt::format("api back, as it was at version {}", cluster_.api.state().version));
  });
}

void Misfortune::stale_cache() {
  const auto kinds = std::to_array({Kind::kLink, Kind::kLease, Kind::kPolicy});
  const Kind kind = kinds[static_cast<size_t>(network().uniform(0, 2))];
  const bool of_operator = network().chance(0.6);
  const std::string reader =
      of_operator ? operators_[static_cast<size_t>(network().uniform(0, 1))]->address() : target().address();
  note(fmt::format("{} reads kind {} late", reader, static_cast<int>(kind)));
  cluster_.api.lag(reader, kind, some(500, 8000), some(1000, 12000));
}

}  // namespace twinspan::simulation
