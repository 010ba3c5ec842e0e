// Where writes of an S3 link go: PrimaryMover of S3. failover/flow/decide.hpp decides.
#pragma once
#include "controllers/policy/failover_caches.hpp"
#include "controllers/policy/primary_mover.hpp"
#include "controllers/s3/bucket_sight.hpp"

namespace twinspan::controllers {

class S3Mover final : public PrimaryMover {
 public:
  S3Mover(const Clock& clock, const Cluster& cluster, const FailoverCaches& caches, const WorkerReports& reports)
      : clock_(clock), caches_(caches), sight_(clock, cluster, reports) {}

  Result<Move> look(const MoveFacts& facts, const std::stop_token& stop) override;
  std::vector<Told> events(const api::PolicyStatus& before, const api::PolicyStatus& after) const override;
  bool is_news(const MemberReport& before, const MemberReport& after) const override;
  void forget(const kube::Key& link) override { sight_.forget(link); }

 private:
  // Of a link without a policy: only who is primary where its buckets know of a former time.
  Move begin(const MoveFacts& facts);
  BucketRoutingSeen routing_of(const MoveFacts& facts) const;
  void finish(const MoveFacts& facts, const std::string& to, std::vector<Route>& routes) const;

  const Clock& clock_;
  const FailoverCaches& caches_;
  BucketSight sight_;
};

}  // namespace twinspan::controllers
