// The agent: gathers what it sees into a MemberView, lets failover/member.hpp decide, carries the answer out.
#pragma once
#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "core/wait.hpp"
#include "engines/postgres/children.hpp"
#include "engines/postgres/postmaster.hpp"
#include "kube/client.hpp"
#include "worker/desired.hpp"
#include "worker/guard.hpp"
#include "worker/job_runner.hpp"
#include "worker/jobs.hpp"
#include "worker/kube_link.hpp"
#include "worker/lease_keeper.hpp"
#include "worker/local.hpp"
#include "worker/metrics.hpp"
#include "worker/options.hpp"
#include "worker/prober.hpp"
#include "worker/servers.hpp"

namespace twinspan::worker {

class Agent {
 public:
  // `config`: of the API. `guard` was forked before any thread was started.
  Agent(Options options, const kube::Config& config, const Guard& guard, const Clock& clock);
  ~Agent();

  // Until stop() and everything is handed over. The exit code of the program.
  int run();
  void stop();  // SIGTERM; any thread

 private:
  void gather(MemberView& view, Local& local, LeaseKeeper::View& lease, std::shared_ptr<const Desired>& desired) const;
  void apply(const MemberAction& action, const MemberView& view, const LeaseKeeper::View& lease, const Local& local,
             const std::shared_ptr<const Desired>& desired);
  void idle(const std::string& reason, const MemberView& view, const Local& local,
            const std::shared_ptr<const Desired>& desired);
  void submit(Job job, const std::shared_ptr<const Desired>& desired);
  void link_changed(const std::shared_ptr<const api::ReplicationLink>& link);
  void database_died(const postgres::Death& death);
  std::chrono::nanoseconds patience(const LeaseKeeper::View& lease, const MemberAction& action) const;

  const Options options_;
  const Guard& guard_;
  const Clock& clock_;
  const std::string instance_;
  Signal changed_;
  std::atomic<bool> stopping_{false};
  std::atomic<int64_t> turned_at_{0};  // of the main loop, for /healthz
  LocalState local_;
  Metrics metrics_;
  ReportBoard board_;
  postgres::Children children_;
  postgres::Postmaster postmaster_;
  kube::Client watch_client_, lease_client_;
  KubeLeaseStore store_;
  LeaseKeeper keeper_;
  LinkWatch watch_;
  Prober prober_;
  Jobs jobs_;
  JobRunner runner_;
  Servers servers_;
  mutable std::mutex desired_mutex_;
  std::shared_ptr<const Desired> desired_;
  std::string last_action_;
  BootTime upkeep_at_{};
  std::atomic<bool> upkeep_due_{false};  // the spec changed
};

}  // namespace twinspan::worker
