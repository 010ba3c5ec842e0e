#include "operator/operator.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>
#include <thread>

#include "controllers/cluster/cluster.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/failover/failover_caches.hpp"
#include "controllers/failover/failover_reconciler.hpp"
#include "controllers/link/link_reconciler.hpp"
#include "controllers/reports/worker_reports.hpp"
#include "controllers/s3/s3_reconciler.hpp"
#include "core/log.hpp"
#include "core/wait.hpp"
#include "kube/controller.hpp"
#include "kube/election.hpp"
#include "kube/events.hpp"
#include "operator/build_info.hpp"
#include "operator/link_metrics.hpp"
#include "operator/probe_server.hpp"
#include "pki/random.hpp"

namespace twinspan {
namespace {

using std::chrono_literals::operator""h, std::chrono_literals::operator""s, std::chrono_literals::operator""ms;

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
        cluster_(client_, clock, options.watch_namespaces),
        failover_caches_(client_, cluster_, options.watch_namespaces),
        events_(client_, clock, "twinspan-operator", identity_),
        reports_({}, clock),
        links_(client_, cluster_, reports_, events_, clock, link_config(options)),
        s3_links_(client_, cluster_, reports_, events_, clock, link_config(options).render),
        failovers_(client_, clock, cluster_, failover_caches_, reports_, events_),
        link_controller_(
            "replicationlink", options.link_workers, clock,
            [this](const kube::Key& key, const std::stop_token& stop) { return reconcile_link(key, stop); }),
        failover_controller_(
            "failoverpolicy", options.failover_workers, clock,
            [this](const kube::Key& key, const std::stop_token& stop) { return failovers_.reconcile(key, stop); }) {
    connect();
  }

  int run(const std::stop_token& stop) {
    if (!start_servers()) return 1;
    cluster_.start();
    failover_caches_.start();
    const bool synced = await_caches(stop);
    const int code = synced ? lead(stop) : 0;
    ready_ = false;
    failover_caches_.stop();
    cluster_.stop();
    health_->stop();
    metrics_->stop();
    log::info("operator stopped", {{"code", code}});
    return code;
  }

 private:
  static controllers::LinkReconcilerConfig link_config(const Options& options) {
    controllers::LinkReconcilerConfig config;
    config.render.worker_image = options.worker_image;
    config.render.s3_worker_image = options.s3_worker_image;
    config.render.image_pull_policy = options.worker_image_pull_policy;
    config.pretend_workers = options.pretend_workers;
    return config;
  }

  Result<kube::Requeue> reconcile_link(const kube::Key& key, const std::stop_token& stop) {
    if (s3_links_.is_mine(key) && !options_.pretend_workers) return s3_links_.reconcile(key, stop);
    if (!cluster_.links.find(key)) s3_links_.forget(key);
    return links_.reconcile(key, stop);
  }

  // Whatever changes enqueues the link it belongs to; nothing else is done on the threads that bring the news.
  void connect() {
    cluster_.on_change_of_link([this](const kube::Key& link, bool first_list) {
      link_controller_.queue().add(link, first_list);
      failover_controller_.queue().add(link, first_list);
    });
    failover_caches_.on_change_of_link([this](const kube::Key& link) { failover_controller_.queue().add(link); });
    if (options_.pretend_workers) return;
    reports_.add_listener([this](const kube::Key& link, const std::string&,
                                 const std::optional<controllers::Seen>& before, const controllers::Seen& after) {
      if (controllers::FailoverReconciler::worth_a_look(before, after)) failover_controller_.queue().add(link);
      if (controllers::LinkReconciler::worth_a_look(before, after))
        link_controller_.queue().add(link);
      else if (before && before->report && after.report && before->report->received != after.report->received)
        link_controller_.queue().add_after(link, 2s);  // positions that moved are shown in a while
    });
  }

  bool start_servers() {
    health_ = health_server(options_.health, [this] { return ready_ ? std::string() : "caches are not filled yet"; });
    metrics_ = metrics_server(options_.metrics, [this](bool links) { return all_metrics_text(cluster_, links); });
    for (const auto& [server, what] : {std::pair{health_.get(), "health"}, {metrics_.get(), "metrics"}})
      if (auto started = server->start(); !started) {
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
    std::jthread holding([&] {
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
    holding.join();
    return lost ? 1 : 0;
  }

  // Runs the reconcilers as long as `block` blocks.
  template <class Block>
  void reconcile_until(Block block) {
    if (!options_.pretend_workers) reports_.start();
    link_controller_.start();
    failover_controller_.start();
    block();
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
  kube::EventRecorder events_;
  controllers::WorkerReports reports_;
  controllers::LinkReconciler links_;
  controllers::S3Reconciler s3_links_;
  controllers::FailoverReconciler failovers_;
  kube::Controller link_controller_, failover_controller_;
  std::atomic<bool> ready_{false};
  std::unique_ptr<net::Server> health_, metrics_;
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
