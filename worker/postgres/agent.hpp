// The agent: gathers what it sees into a MemberView, lets failover/log/member.hpp decide, carries the answer out.
#pragma once
#include <atomic>
#include <memory>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "core/guarded.hpp"
#include "core/wait.hpp"
#include "engines/postgres/auto_conf.hpp"
#include "engines/postgres/children.hpp"
#include "engines/postgres/postmaster.hpp"
#include "kube/client.hpp"
#include "worker/postgres/backup/backup_keeper.hpp"
#include "worker/postgres/backup/in_place_keeper.hpp"
#include "worker/postgres/backup/repository_access.hpp"
#include "worker/postgres/custom_queries.hpp"
#include "worker/postgres/desired.hpp"
#include "worker/postgres/disk_probe.hpp"
#include "worker/postgres/guard.hpp"
#include "worker/postgres/import_keeper.hpp"
#include "worker/postgres/job_runner.hpp"
#include "worker/postgres/jobs.hpp"
#include "worker/postgres/kube_link.hpp"
#include "worker/postgres/lease_keeper.hpp"
#include "worker/postgres/local.hpp"
#include "worker/postgres/metrics.hpp"
#include "worker/postgres/options.hpp"
#include "worker/postgres/prober.hpp"
#include "worker/postgres/secret_reader.hpp"
#include "worker/postgres/statistics_reader.hpp"
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
  // agent_start.cpp
  std::optional<int> settle_in();
  DataShape data_here() const;
  bool recall();  // what lies on the volume and what is remembered of it; false where nothing can be kept
  bool start();   // every thread; false where the servers can't
  // agent_view.cpp
  void gather(MemberView& view, Local& local, LeaseKeeper::View& lease, std::shared_ptr<const Desired>& desired) const;

  bool turn();
  void apply(const MemberAction& action, const MemberView& view, const LeaseKeeper::View& lease, const Local& local,
             const std::shared_ptr<const Desired>& desired);
  void idle(WaitReason reason, const MemberView& view, const Local& local,
            const std::shared_ptr<const Desired>& desired);
  void submit(Job job, const std::shared_ptr<const Desired>& desired);
  void link_changed(const std::shared_ptr<const api::ObeyedLink>& link);
  void database_died(const postgres::Death& death);
  void note_handover(const Status& outcome);
  bool fit_for_lease() const;
  BackupKeeper::Standing standing() const;  // in what concerns backups
  CustomQueries::Standing asker() const;
  ImportKeeper::Standing part_in_import() const;
  std::chrono::nanoseconds patience(const LeaseKeeper::View& lease, const MemberAction& action) const;

  const Options options_;
  const Guard& guard_;
  const Clock& clock_;
  const std::string instance_;
  Signal changed_;
  std::atomic<bool> stopping_{false};
  std::atomic<int64_t> turned_at_{0};          // of the main loop, for /healthz
  std::atomic<int64_t> cannot_stop_since_{0};  // boot nanoseconds since when handing over fails; 0: it doesn't
  LocalState local_;
  Metrics metrics_;
  StatisticsReader statistics_;
  ReportBoard board_;
  postgres::Children children_;
  postgres::Postmaster postmaster_;
  kube::Client watch_client_, lease_client_, secret_client_;
  SecretReader secrets_;
  KubeLeaseStore store_;
  LeaseKeeper keeper_;
  LinkWatch watch_;
  Prober prober_;
  DiskProbe disk_;
  const RepositoryAccess repository_;
  InPlace places_;
  Jobs jobs_;
  JobRunner runner_;
  BackupKeeper backups_;
  CustomQueries queries_;
  ImportKeeper imports_;
  InPlaceKeeper restores_;
  Servers servers_;
  mutable Mutex desired_mutex_;
  std::shared_ptr<const Desired> desired_ GUARDED_BY(desired_mutex_);
  std::optional<api::LinkSpec> obeyed_spec_;  // of the watch's thread
  postgres::AlterAttempts alters_;            // of the thread that reads the log
  std::string last_action_;
  BootTime upkeep_at_{}, identity_at_{};
  std::atomic<bool> upkeep_due_{false};  // the spec changed
};

}  // namespace twinspan::worker
