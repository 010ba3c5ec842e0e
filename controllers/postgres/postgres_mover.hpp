// Who is primary of a PostgreSQL link: PrimaryMover of Postgres. failover/log/decide.hpp decides.
#pragma once
#include "controllers/policy/failover_caches.hpp"
#include "controllers/policy/primary_mover.hpp"
#include "controllers/postgres/primary_sight.hpp"
#include "kube/client.hpp"

namespace twinspan::controllers {

class PostgresMover final : public PrimaryMover {
 public:
  PostgresMover(kube::Client& client, const Clock& clock, Cluster& cluster, const FailoverCaches& caches,
                const WorkerReports& reports)
      : client_(client), clock_(clock), cluster_(cluster), caches_(caches), sight_(clock, cluster, reports) {}

  Result<Move> look(const MoveFacts& facts, const std::stop_token& stop) override;
  std::vector<Told> events(const api::PolicyStatus& before, const api::PolicyStatus& after) const override;
  bool is_news(const MemberReport& before, const MemberReport& after) const override;
  void forget(const kube::Key& link) override { sight_.forget(link); }

 private:
  struct Decided {
    FailoverSeen seen;
    RoutingSeen routing;
    Decision decision;
  };

  Result<Decided> decided(const MoveFacts& facts, const FailoverRules& rules, const std::stop_token& stop);
  // The lease as it is now, never from a cache, where a member has seen more of it than this operator.
  std::shared_ptr<const Lease> confirmed_lease(const kube::Key& key, const std::shared_ptr<const Lease>& cached,
                                               const std::stop_token& stop);
  RoutingSeen routing_of(const MoveFacts& facts, const std::string& primary) const;
  std::vector<Route> routes_of(const MoveFacts& facts, const Decided& now) const;
  std::vector<Route> replica_routes(const api::FailoverPolicy& policy) const;
  std::vector<PodLabel> reader_labels(const MoveFacts& facts, const FailoverSeen& seen) const;

  kube::Client& client_;
  const Clock& clock_;
  Cluster& cluster_;
  const FailoverCaches& caches_;
  PrimarySight sight_;
};

}  // namespace twinspan::controllers
