// The S3 worker: its leases, its link, the runs, what it says. PID 1 of its pod.
#pragma once
#include <atomic>
#include <memory>

#include "api/types.hpp"
#include "core/guarded.hpp"
#include "core/wait.hpp"
#include "kube/client.hpp"
#include "kube/informer.hpp"
#include "worker/s3/failover_report.hpp"
#include "worker/s3/options.hpp"
#include "worker/s3/past_keeper.hpp"
#include "worker/s3/probes.hpp"
#include "worker/s3/rehearsal.hpp"
#include "worker/s3/replication.hpp"
#include "worker/s3/share_leases.hpp"
#include "worker/s3/verify_clock.hpp"
#include "worker/servers.hpp"

namespace twinspan::worker_s3 {

class Agent {
 public:
  Agent(Options options, const kube::Config& config, const Clock& clock);

  // Until stop() and everything has ended, or until the lease is lost. The exit code of the program.
  int run();
  void stop() { stop_.request_stop(); }  // SIGTERM; any thread

 private:
  std::shared_ptr<const api::ReplicationLink> link() const;
  void copy(const std::shared_ptr<const api::ReplicationLink>& link, const Result<Division>& division);
  std::shared_ptr<const api::ReplicationLink> read_link();
  std::vector<RouteSpec> rehearsed(const api::ReplicationLink& link, const Result<Division>& division) const;
  void turn();

  const Options options_;
  const Clock& clock_;
  const std::string instance_;
  std::stop_source stop_;
  Signal changed_;
  std::atomic<int64_t> turned_at_{0};  // of the main loop, for /healthz
  kube::Client client_;
  ShareLeases leases_;
  mutable Mutex mutex_;
  std::shared_ptr<const api::ReplicationLink> link_ GUARDED_BY(mutex_);
  std::string metrics_ GUARDED_BY(mutex_);
  kube::Informer<api::ReplicationLink> links_;
  PastKeeper past_;
  Replication replication_;
  Probes probes_;
  std::optional<int64_t> turned_to_;  // the epoch of the assignment that nothing older than is carried here by
  std::optional<int64_t> adopted_;    // that, once the primary's bucket has a record of it
  MissingKeys missing_;
  Rehearsals rehearsals_;
  VerifyClock verify_clock_;
  std::shared_ptr<const api::ReplicationLink> obeyed_;  // the last link whose spec may be
  std::set<int> shares_;                                // that are copied
  worker::ReportBoard board_;
  worker::Servers servers_;
};

}  // namespace twinspan::worker_s3
