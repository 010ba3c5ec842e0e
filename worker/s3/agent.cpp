#include "worker/s3/agent.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <random>

#include "contract/assignment.hpp"
#include "contract/names.hpp"
#include "core/log.hpp"
#include "core/role_thread.hpp"
#include "worker/obeyed_link.hpp"
#include "worker/s3/worker_report.hpp"

namespace twinspan::worker_s3 {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kTurn{500};
constexpr seconds kHangs{60};  // a run that ends may wait for a request under way
constexpr seconds kRefresh{10};

kube::Config own(kube::Config config) {
  config.user_agent = "twinspan-s3-worker";
  config.connections = 2;
  return config;
}

ShareLeasesConfig leases_config(const Options& options, const std::string& instance) {
  ShareLeasesConfig config;
  config.ns = options.ns;
  config.link = options.link;
  config.pod_name = options.pod_name;
  config.identity = options.pod_name + "/" + instance;
  return config;
}

std::string new_instance(const std::string& pod_uid) {
  std::random_device random;
  return fmt::format("{}-{:08x}", pod_uid, random());
}

}  // namespace

Agent::Agent(Options options, const kube::Config& config, const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      instance_(new_instance(options_.pod_uid)),
      client_(own(config)),
      // Without its lease nothing of a share may be written to a target: losing one ends the process at once, and with
      // it everything that is under way. What was half done is taken up by whoever holds it next.
      leases_(
          client_, clock, leases_config(options_, instance_), [this] { changed_.raise(); },
          [](const std::string&) { std::_Exit(1); }),
      links_(client_, kube::kReplicationLinks, worker::only({options_.ns, options_.link}), worker::read_obeyed),
      past_(options_.s3_dir, clock, [this] { changed_.raise(); }),
      replication_(
          options_.s3_dir, clock,
          [this](const Direction& direction, const std::string& target) { return past_.clearance(direction, target); },
          [this] { changed_.raise(); }),
      probes_(options_.s3_dir, clock, [this] { changed_.raise(); }),
      rehearsals_(options_.s3_dir, clock, [this] { changed_.raise(); }),
      servers_(
          worker::servers_config(options_, options_.tls_dir), board_,
          [this] {
            MutexLock lock(mutex_);
            return metrics_;
          },
          [this] {
            return clock_.boot_now().time_since_epoch().count() - turned_at_ < std::chrono::nanoseconds(kHangs).count();
          }) {
  links_.add_handler([this](const kube::Key&, const auto&, const auto& after) {
    {
      MutexLock lock(mutex_);
      link_ = after;
    }
    changed_.raise();
  });
}

// nullptr: it can't be read, or may not be.
std::shared_ptr<const api::ReplicationLink> Agent::read_link() {
  const auto read = client_.get(kube::kReplicationLinks, {options_.ns, options_.link}, stop_.get_token());
  if (!read) return nullptr;
  auto parsed = worker::read_obeyed(*read);
  if (!parsed || !worker::may_be_obeyed(*parsed) || !assignment_of(parsed->status)) return nullptr;
  return std::make_shared<const api::ReplicationLink>(std::move(*parsed));
}

std::shared_ptr<const api::ReplicationLink> Agent::link() const {
  MutexLock lock(mutex_);
  return link_;
}

// What may be copied, is: the shares whose leases are in hand, as the last spec that may be says. Where the newest may
// not be, what ran before goes on, as the operator leaves the pods as they are.
void Agent::copy(const std::shared_ptr<const api::ReplicationLink>& link, const Result<Division>& division) {
  std::set<int> shares;
  if (link && !link->spec.paused && !link->metadata.deleting() && division) shares = leases_.use(*division);
  // A watch may be behind. Whoever takes a share over must not begin with an assignment that was left meanwhile, while
  // nobody held its lease to say so.
  if (!std::includes(shares_.begin(), shares_.end(), shares.begin(), shares.end())) {
    if (auto fresh = read_link(); fresh && (!link || fresh->metadata.generation == link->metadata.generation))
      obeyed_ = std::move(fresh);
    else
      std::erase_if(shares, [&](int share) { return !shares_.contains(share); });
  }
  if (shares.empty())
    replication_.stop();
  else
    replication_.apply(routes_of(*obeyed_, *division, shares));
  leases_.in_use(shares);
  if (shares != shares_) verify_clock_.runs_changed();
  shares_ = std::move(shares);
}

// The routes of the rehearsal's key, where they are ours.
std::vector<RouteSpec> Agent::rehearsed(const api::ReplicationLink& link, const Result<Division>& division) const {
  if (!division || shares_.empty()) return {};
  std::vector<RouteSpec> routes = routes_of(link, *division, shares_);
  const std::string key = rehearsal_key(options_.ns, options_.link);
  std::erase_if(routes, [&](const RouteSpec& route) {
    return !route.share.has(key) ||
           past_.clearance(route.direction, route.target.name).permission.permit != Permit::kAllowed;
  });
  return routes;
}

void Agent::turn() {
  const auto link = this->link();
  // An assignment that can't be read may be any: nothing is carried until it can.
  const Result<std::optional<Assignment>> assigned = link ? assignment_of(link->status) : std::nullopt;
  const bool valid = link && assigned && worker::may_be_obeyed(*link);
  if (valid) obeyed_ = link;
  const Result<Division> division = link && obeyed_ ? division_of(*link) : fail(Code::kNotFound, "");
  if (division) leases_.divide(*division);
  copy(obeyed_ && assigned ? link : nullptr, division);
  const std::set<int> held = leases_.held();
  // Only now: nothing of an older direction is under way any more.
  if (obeyed_) {
    probes_.apply(*obeyed_);
    const int64_t epoch = direction_of(*obeyed_).epoch;
    if (turned_to_ != epoch) missing_.forget();
    turned_to_ = epoch;
    past_.apply(*obeyed_, !held.empty() && !obeyed_->spec.paused && !obeyed_->metadata.deleting());
    // Clients are sent to a primary whose own bucket says that it is one: whoever comes later must find it there.
    if (past_.recorded_epoch() == epoch) adopted_ = epoch;
    rehearsals_.apply(*obeyed_, rehearsed(*obeyed_, division));
  }
  ReportInput input;
  input.link = valid ? link.get() : nullptr;
  if (!assigned) input.unreadable = assigned.error().message;
  input.endpoint = s3_member_of(options_.pod_name);
  input.instance = instance_;
  input.address = options_.address;
  input.holds_lease = !held.empty();
  input.lease_holder = held.empty() ? leases_.holder() : "";
  input.division = division.value_or(Division{});
  input.shares = link && link->spec.paused ? held : shares_;
  input.targets = replication_.snapshots();
  if (!shares_.empty() && valid && verify_clock_.due(*link, clock_.wall_now(), verified_at(input.targets)))
    replication_.verify();
  input.verify_request = verify_clock_.answered();
  MemberReport report = worker_report(input);
  if (valid) {
    FlowReport said = failover_report(probes_.seen(), input.targets, direction_of(*obeyed_).primary, adopted_, missing_,
                                      clock_.wall_now());
    said.rehearsal = rehearsals_.report();
    said.past = past_.past();
    report.details["failover"] = to_json(said);
  }
  std::string metrics = metrics_text(options_.ns, options_.link, report, input.targets);
  {
    MutexLock lock(mutex_);
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
  RoleThread leases("share-leases", [&](const std::stop_token&) { leases_.run(release.get_token()); });
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
  leases.stop();
  links_.stop();
  servers_.stop();
  log::info("agent stopped", {});
  return 0;
}

}  // namespace twinspan::worker_s3
