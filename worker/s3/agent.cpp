#include "worker/s3/agent.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <random>

#include "api/validate.hpp"
#include "core/log.hpp"
#include "worker/s3/worker_report.hpp"

namespace twinspan::worker_s3 {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kTurn{500};
constexpr seconds kHangs{60};  // a run that ends may wait for a request under way
constexpr seconds kRefresh{10};

kube::ReflectorOptions only(const kube::Key& key) {
  kube::ReflectorOptions options;
  options.ns = key.ns;
  options.field_selector = "metadata.name=" + key.name;
  return options;
}

kube::Config own(kube::Config config) {
  config.user_agent = "twinspan-s3-worker";
  config.connections = 2;
  return config;
}

// Whoever lost it has a third of its time left to stop before another may take it.
kube::ElectionConfig election_config(const Options& options, const std::string& instance) {
  kube::ElectionConfig config;
  config.lease = {options.ns, options.pod_name};
  config.identity = options.pod_name + "/" + instance;
  config.duration = milliseconds(15000);
  config.renew_deadline = milliseconds(10000);
  config.retry = milliseconds(2000);
  return config;
}

std::string new_instance(const std::string& pod_uid) {
  std::random_device random;
  return fmt::format("{}-{:08x}", pod_uid, random());
}

worker::ServersConfig servers_config(const Options& options) {
  return {options.address,
          options.status_port,
          options.health_port,
          options.tls_dir + "/tls.crt",
          options.tls_dir + "/tls.key",
          options.tls_dir + "/ca.crt"};
}

}  // namespace

Agent::Agent(Options options, const kube::Config& config, const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      instance_(new_instance(options_.pod_uid)),
      client_(own(config)),
      election_(client_, clock, election_config(options_, instance_)),
      links_(client_, kube::kReplicationLinks, only({options_.ns, options_.link}), api::parse_replication_link),
      replication_(options_.s3_dir, clock, [this] { changed_.raise(); }),
      servers_(
          servers_config(options_), board_,
          [this] {
            std::lock_guard lock(mutex_);
            return metrics_;
          },
          [this] {
            return clock_.boot_now().time_since_epoch().count() - turned_at_ < std::chrono::nanoseconds(kHangs).count();
          }) {
  links_.add_handler([this](const kube::Key&, const auto&, const auto& after) {
    {
      std::lock_guard lock(mutex_);
      link_ = after;
    }
    changed_.raise();
  });
}

// Without the lease nothing may be written to a target: losing it ends the process at once, and with it everything that
// is under way. What was half done is taken up by whoever holds it next.
void Agent::hold_lease(const std::stop_token& stop) {
  if (!election_.acquire(stop)) return;
  log::info("lease taken", {{"lease", options_.pod_name}});
  leading_ = true;
  changed_.raise();
  election_.hold(stop);
  if (stop.stop_requested()) return;
  log::error("lease lost, leaving", {{"lease", options_.pod_name}, {"holder", election_.leader()}});
  std::_Exit(1);
}

std::shared_ptr<const api::ReplicationLink> Agent::link() const {
  std::lock_guard lock(mutex_);
  return link_;
}

void Agent::turn() {
  const auto link = this->link();
  // A spec that may not be is not acted upon; what ran before goes on, as the operator leaves the pods as they are.
  const bool valid = link && api::validate(*link).empty();
  const bool wanted = leading_ && link && !link->spec.paused && !link->metadata.deleting();
  if (!wanted)
    replication_.stop();
  else if (valid)
    replication_.apply(routes_of(*link));
  ReportInput input;
  input.link = valid ? link.get() : nullptr;
  input.instance = instance_;
  input.address = options_.address;
  input.holds_lease = leading_;
  input.lease_holder = leading_ ? "" : election_.leader();
  input.targets = replication_.snapshots();
  if (wanted && valid && verify_clock_.due(*link, clock_.wall_now(), verified_at(input.targets))) replication_.verify();
  input.verify_request = verify_clock_.answered();
  MemberReport report = worker_report(input);
  std::string metrics = metrics_text(options_.ns, options_.link, report, input.targets);
  {
    std::lock_guard lock(mutex_);
    metrics_ = std::move(metrics);
  }
  const bool ready = report.holds_lease && report.state != MemberState::kStarting;
  board_.publish(std::move(report), ready);
  turned_at_ = clock_.boot_now().time_since_epoch().count();
}

int Agent::run() {
  log::info("agent started", {{"instance", instance_}});
  turn();
  if (auto started = servers_.start(); !started) {
    log::error("can't listen", {{"error", started.error().message}});
    return 1;
  }
  links_.start();
  // Released only after nothing replicates any more.
  std::stop_source release;
  std::jthread lease([&] { hold_lease(release.get_token()); });
  BootTime refresh_at = clock_.boot_now() + kRefresh;
  while (!stop_.stop_requested()) {
    changed_.wait(kTurn, stop_.get_token());
    if (stop_.stop_requested()) break;
    turn();
    if (clock_.boot_now() < refresh_at) continue;
    servers_.refresh_identity();
    refresh_at = clock_.boot_now() + kRefresh;
  }
  replication_.stop();
  release.request_stop();
  lease.join();
  links_.stop();
  servers_.stop();
  log::info("agent stopped", {});
  return 0;
}

}  // namespace twinspan::worker_s3
