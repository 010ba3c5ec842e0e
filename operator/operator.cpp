#include "operator/operator.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "controllers/backup/backup_caches.hpp"
#include "controllers/backup/backup_reconciler.hpp"
#include "controllers/cluster/cluster.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/link/leftover_policies.hpp"
#include "controllers/link/link_reconciler.hpp"
#include "controllers/policy/failover_caches.hpp"
#include "controllers/policy/policy_reconciler.hpp"
#include "controllers/reports/worker_reports.hpp"
#include "core/log.hpp"
#include "core/role_thread.hpp"
#include "core/wait.hpp"
#include "kube/controller.hpp"
#include "kube/election.hpp"
#include "kube/events.hpp"
#include "operator/build_info.hpp"
#include "operator/engines.hpp"
#include "operator/link_metrics.hpp"
#include "operator/probe_server.hpp"
#include "operator/secure_metrics.hpp"
#include "pki/random.hpp"
#include "webhooks/webhooks.hpp"

namespace twinspan {
namespace {

using std::chrono_literals::operator""h, std::chrono_literals::operator""s, std::chrono_literals::operator""ms;

constexpr int kBackupWorkers = 2;

std::string host_name() {
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  return name;
}

// Two lives of one pod are two candidates.
std::string identity_of_this_life() {
  return host_name() + "_" + pki::random_text(4).value_or(std::to_string(getpid()));
}

class Operator {
 public:
  Operator(const Options& options, kube::Config config, const Clock& clock)
      : options_(options),
        clock_(clock),
        identity_(identity_of_this_life()),
        namespace_(options.leader_election_namespace.empty() ? config.default_namespace
                                                             : options.leader_election_namespace),
        client_(std::move(config)),
        cluster_(client_, clock, options.watch_namespaces, options.worker_network_policies.has_value()),
        failover_caches_(client_, cluster_, options.watch_namespaces),
        backup_caches_(client_, cluster_, options.watch_namespaces),
        events_(client_, clock, "twinspan-operator", identity_),
        reports_({}, clock, make_probe_factory(clock, options.pretend_busy)),
        link_engines_(
            make_link_engines({clock, render_config(options), options.pretend_workers, options.pretend_busy})),
        links_(client_, cluster_, reports_, events_, clock, link_engines_, options.links_rolling_most),
        movers_(make_primary_movers({client_, clock, cluster_, failover_caches_, reports_})),
        failovers_(client_, clock, cluster_, failover_caches_, reports_, events_, movers_),
        backups_(client_, clock, cluster_, backup_caches_, reports_, events_, render_config(options)),
        link_controller_(
            "replicationlink", options.link_workers, clock,
            [this](const kube::Key& key, const std::stop_token& stop) { return links_.reconcile(key, stop); }),
        failover_controller_(
            "failoverpolicy", options.failover_workers, clock,
            [this](const kube::Key& key, const std::stop_token& stop) { return failovers_.reconcile(key, stop); }),
        backup_controller_(
            "backup", kBackupWorkers, clock,
            [this](const kube::Key& key, const std::stop_token& stop) { return backups_.reconcile_link(key, stop); }),
        restore_controller_("restore", kBackupWorkers, clock,
                            [this](const kube::Key& key, const std::stop_token& stop) {
                              return backups_.reconcile_restore(key, stop);
                            }) {
    connect();
    if (options_.webhook.address)
      webhooks_ = std::make_unique<webhooks::Webhooks>(webhook_config(), client_, clock_, cluster_, failover_caches_);
  }

  int run(const std::stop_token& stop) {
    if (auto complete = check_complete(link_engines_, movers_); !complete) {
      log::error("can't start", {{"error", complete.error().message}});
      return 1;
    }
    if (!start_servers()) return 1;
    if (webhooks_) webhooks_->start();
    cluster_.start();
    failover_caches_.start();
    backup_caches_.start();
    const bool synced = await_caches(stop);
    const int code = synced ? lead(stop) : 0;
    ready_ = false;
    if (webhooks_) webhooks_->stop();
    backup_caches_.stop();
    failover_caches_.stop();
    cluster_.stop();
    health_->stop();
    if (metrics_) metrics_->stop();
    if (secure_metrics_) secure_metrics_->stop();
    log::info("operator stopped", {{"code", code}});
    return code;
  }

 private:
  static controllers::RenderConfig render_config(const Options& options) {
    controllers::RenderConfig config;
    const BuildInfo build = build_info();
    config.origin =
        fmt::format("{}-{}-{}", build.version, build.commit,
                    controllers::stable_hash(fmt::format("{} {} {} {}", options.worker_image, options.s3_worker_image,
                                                         options.worker_image_pull_policy,
                                                         fmt::join(options.worker_image_pull_secrets, " "))));
    config.worker_image = options.worker_image;
    config.s3_worker_image = options.s3_worker_image;
    config.image_pull_policy = options.worker_image_pull_policy;
    config.network = options.worker_network_policies;
    config.image_pull_secrets = options.worker_image_pull_secrets;
    config.trial.patience = std::chrono::seconds(options.change_trial_seconds);
    return config;
  }

  webhooks::WebhookConfig webhook_config() const {
    const Options::Webhook& wanted = options_.webhook;
    webhooks::WebhookConfig config;
    config.host = wanted.address->host;
    config.port = wanted.address->port;
    config.certificate.whose = "webhook";
    config.certificate.directory = wanted.certificate_dir;
    config.certificate.ns = wanted.ns.empty() ? client_.config().default_namespace : wanted.ns;
    config.certificate.service = wanted.service;
    config.certificate.secret = wanted.secret.empty() ? wanted.service + "-ca" : wanted.secret;
    config.certificate.configuration = wanted.configuration;
    return config;
  }

  // Whatever changes enqueues the link it belongs to; nothing else is done on the threads that bring the news.
  void connect() {
    cluster_.on_change_of_link([this](const kube::Key& link, bool first_list) {
      link_controller_.queue().add(link, first_list);
      failover_controller_.queue().add(link, first_list);
    });
    failover_caches_.on_change_of_link([this](const kube::Key& link) { failover_controller_.queue().add(link); });
    backup_caches_.on_change_of_link([this](const kube::Key& link) { backup_controller_.queue().add(link); });
    backup_caches_.on_change_of_restore([this](const kube::Key& restore) { restore_controller_.queue().add(restore); });
    if (options_.pretend_workers && !options_.pretend_busy) return;
    reports_.add_listener([this](const kube::Key& link, const std::string&,
                                 const std::optional<controllers::Seen>& before, const controllers::Seen& after) {
      if (failovers_.is_news(link, before, after)) failover_controller_.queue().add(link);
      if (after.report && (!before || !before->report || before->report->details != after.report->details))
        backup_controller_.queue().add(link);
      using News = controllers::LinkReconciler::News;
      const News news = links_.news(link, before, after);
      if (news == News::kNow) link_controller_.queue().add(link);
      if (news == News::kInAWhile) link_controller_.queue().add_after(link, 2s);
    });
  }

  bool start_servers() {
    health_ = health_server(options_.health, [this]() -> std::string {
      if (!ready_) return "caches are not filled yet";
      // Its Service leads to replicas that are ready: to those that can judge.
      if (webhooks_ && webhooks_->port() == 0) return "the webhook does not listen yet";
      return "";
    });
    const MetricsText text = [this](bool links) {
      const auto newer = [this](const kube::Key& link) { return links_.newer(link); };
      return all_metrics_text(cluster_, backup_caches_, newer,
                              links && leads_);  // once, whatever the number of replicas
    };
    if (options_.metrics_secure) {
      secure_metrics_ = std::make_unique<SecureMetrics>(
          options_, client_, clock_,
          [text](const net::IncomingRequest& request) { return metrics_answer(request, text); });
      secure_metrics_->start();
    } else {
      metrics_ = metrics_server(options_.metrics, text);
    }
    for (const auto& [server, what] : {std::pair{health_.get(), "health"}, {metrics_.get(), "metrics"}})
      if (auto started = server ? server->start() : Status(); !started) {
        log::error("can't listen", {{"server", what}, {"error", started.error().message}});
        return false;
      }
    return true;
  }

  bool await_caches(const std::stop_token& stop) {
    const BootTime began = clock_.boot_now();
    while (!cluster_.synced() || !failover_caches_.synced())
      if (!wait_for(5ms, stop)) return false;
    ready_ = true;
    if (webhooks_) webhooks_->set_ready(true);
    log::info(
        "caches filled",
        {{"duration_ms", std::chrono::duration_cast<std::chrono::milliseconds>(clock_.boot_now() - began).count()},
         {"links", cluster_.links.size()}});
    return true;
  }

  int lead(const std::stop_token& stop) {
    if (!options_.leader_elect) {
      reconcile_until([&] {
        while (wait_for(24h, stop)) {
        }
      });
      return 0;
    }
    kube::ElectionConfig config;
    config.lease = {namespace_, "twinspan-operator"};
    config.identity = identity_;
    // In client-go's proportions: a renewal every sixth of the time, given up after two thirds of it.
    config.duration = std::chrono::seconds(options_.leader_election_lease_seconds);
    config.renew_deadline = config.duration * 2 / 3;
    config.retry = config.duration / 6;
    kube::Election election(client_, clock_, config);
    if (!election.acquire(stop)) return 0;
    log::info("elected", {{"identity", identity_}, {"lease", config.lease.str()}});
    // The lease is released only after the reconcilers have stopped: the next leader never meets this one.
    std::stop_source release, over;
    RoleThread holding("election", [&](const std::stop_token&) {
      election.hold(release.get_token());
      over.request_stop();
    });
    reconcile_until([&] {
      std::stop_callback on_stop(stop, [&] { over.request_stop(); });
      while (wait_for(24h, over.get_token())) {
      }
    });
    const bool lost = !stop.stop_requested();
    if (lost) log::error("leadership lost, leaving", {{"leader", election.leader()}});
    release.request_stop();
    holding.stop();
    return lost ? 1 : 0;
  }

  // Failover waits for no backup: where their kinds are not installed, or not ours to read yet, links are served all
  // the same.
  class BackupsBeside {
   public:
    explicit BackupsBeside(Operator& of) : of_(of) {
      thread_.start([this](const std::stop_token& stop) { run(stop); });
    }
    ~BackupsBeside() {
      thread_.stop();
      if (!started_) return;
      of_.restore_controller_.stop();
      of_.backup_controller_.stop();
    }
    BackupsBeside(const BackupsBeside&) = delete;
    BackupsBeside& operator=(const BackupsBeside&) = delete;

   private:
    void run(const std::stop_token& stop) {
      const BootTime began = of_.clock_.boot_now();
      bool said = false;
      while (!of_.backup_caches_.synced()) {
        if (!said && of_.clock_.boot_now() - began > 30s) {
          log::warn(
              "backups wait: BackupSchedules, Backups or Restores can't be read; their kinds or the operator's "
              "rights are not there",
              {});
          said = true;
        }
        if (!wait_for(50ms, stop)) return;
      }
      of_.backup_controller_.start();
      of_.restore_controller_.start();
      started_ = true;
    }
    Operator& of_;
    bool started_ = false;  // of the thread's, and read after its end
    RoleThread thread_{"backups"};
  };

  // Once more some minutes after all was removed: an operator that was told to make them may still have been at it.
  void tidy_policies(const std::stop_token& stop) {
    for (int left = 2; left > 0;) {
      const bool whole = controllers::remove_network_policies(client_, options_.watch_namespaces, stop);
      if (whole) --left;
      if (!wait_for(std::chrono::seconds(whole ? 300 : 30), stop)) return;
    }
  }

  // Runs the reconcilers as long as `block` blocks.
  template <class Block>
  void reconcile_until(Block block) {
    if (!options_.pretend_workers || options_.pretend_busy) reports_.start();
    link_controller_.start();
    failover_controller_.start();
    leads_ = true;
    {
      const BackupsBeside backups(*this);
      RoleThread leftovers{"leftovers"};
      if (!options_.worker_network_policies)
        leftovers.start([this](const std::stop_token& own) { tidy_policies(own); });
      block();
    }
    leads_ = false;
    failover_controller_.stop();
    link_controller_.stop();
    reports_.stop();
  }

  const Options& options_;
  const Clock& clock_;
  const std::string identity_, namespace_;
  kube::Client client_;
  controllers::Cluster cluster_;
  controllers::FailoverCaches failover_caches_;
  controllers::BackupCaches backup_caches_;
  kube::EventRecorder events_;
  controllers::WorkerReports reports_;
  const controllers::LinkEngines link_engines_;
  controllers::LinkReconciler links_;
  const controllers::PrimaryMovers movers_;
  controllers::PolicyReconciler failovers_;
  controllers::BackupReconciler backups_;
  kube::Controller link_controller_, failover_controller_, backup_controller_, restore_controller_;
  std::unique_ptr<webhooks::Webhooks> webhooks_;  // after the caches, whose handlers it adds
  std::atomic<bool> ready_{false}, leads_{false};
  std::unique_ptr<net::Server> health_, metrics_;  // metrics_ or secure_metrics_
  std::unique_ptr<SecureMetrics> secure_metrics_;
};

}  // namespace

int run_operator(const Options& options, kube::Config config, const Clock& clock, std::stop_token stop) {
  log::info("operator starts", {{"version", build_info().version},
                                {"commit", build_info().commit},
                                {"server", config.server},
                                {"namespaces", options.watch_namespaces.size()},
                                {"worker_image", options.worker_image},
                                {"leader_elect", options.leader_elect}});
  return Operator(options, std::move(config), clock).run(stop);
}

}  // namespace twinspan
