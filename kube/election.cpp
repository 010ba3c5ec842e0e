#include "kube/election.hpp"

#include <fmt/format.h>

#include <mutex>
#include <nlohmann/json.hpp>

#include "core/log.hpp"
#include "core/wait.hpp"
#include "kube/backoff.hpp"
#include "kube/metrics.hpp"

namespace twinspan::kube {
namespace {

using std::chrono::milliseconds;
constexpr double kJitter = 1.2;  // client-go's JitterFactor: candidates don't ask in step

// What the lease said when it was last read or written by us.
struct Observation {
  Json lease;        // null: there is none, or it was never read
  BootTime since{};  // when this version was first seen, by our own clock: the only clock expiry is judged by
  std::string version, holder;
  milliseconds duration{0};
  int64_t transitions = 0;
};

int64_t whole_seconds(milliseconds time) { return std::chrono::ceil<std::chrono::seconds>(time).count(); }

// The lease has a connection of its own, so that renewals wait for no other request, and a time-out that leaves room
// for several attempts before renew_deadline and, after a last one, for stopping before the lease expires.
Config own_config(const Client& client, const ElectionConfig& election) {
  Config config = client.config();
  config.request_timeout = std::min(config.request_timeout, std::max(election.renew_deadline / 4, milliseconds(100)));
  config.connections = 1;
  config.requests_per_second = 0;
  return config;
}

}  // namespace

struct Election::Impl {
  Impl(Client& shared, const Clock& time, ElectionConfig given)
      : config(std::move(given)),
        client(own_config(shared, config)),
        clock(time),
        master(metrics().leader_election_master_status.Add({{"name", config.lease.name}})) {
    master.Set(0);
  }

  bool ours() const { return seen.holder == config.identity; }
  bool held_by_another() const {
    return !seen.holder.empty() && !ours() && clock.boot_now() < seen.since + seen.duration;
  }

  void observe(Json&& lease) {
    const auto metadata = lease.find("metadata");
    const std::string version = metadata == lease.end() ? std::string() : text_of(*metadata, "resourceVersion");
    if (version == seen.version && !version.empty()) return;  // unchanged: its time goes on
    Observation now;
    now.since = clock.boot_now();
    now.version = version;
    if (const auto spec = lease.find("spec"); spec != lease.end() && spec->is_object()) {
      now.holder = text_of(*spec, "holderIdentity");
      now.duration = std::chrono::seconds(integer_of(*spec, "leaseDurationSeconds"));
      now.transitions = integer_of(*spec, "leaseTransitions");
    }
    now.lease = std::move(lease);
    if (now.holder != seen.holder)
      log::info("lease observed",
                {{"lease", config.lease.str()}, {"holder", now.holder}, {"transitions", now.transitions}});
    std::lock_guard lock(mutex);
    seen = std::move(now);
  }

  Json spec_for_us() const {
    const std::string now = to_rfc3339_micro(clock.wall_now());
    Json spec = {{"holderIdentity", config.identity},
                 {"leaseDurationSeconds", whole_seconds(config.duration)},
                 {"renewTime", now}};
    const bool renewal = ours() && seen.lease.is_object();
    spec["leaseTransitions"] = seen.transitions + (renewal || !seen.lease.is_object() ? 0 : 1);
    spec["acquireTime"] = renewal ? seen.lease["spec"].value("acquireTime", now) : now;
    return spec;
  }

  // Reads (unless we hold it, when what we wrote last is known) and takes or renews. The write has as precondition the
  // very version that was judged.
  Status take(const std::stop_token& stop) {
    if (!ours()) {
      auto read = client.get(kLeases, config.lease, stop);
      if (!read && read.error().code != Code::kNotFound) return std::unexpected(read.error());
      if (!read) {
        Json lease = {{"apiVersion", "coordination.k8s.io/v1"}, {"kind", "Lease"}};
        lease["metadata"] = {{"name", config.lease.name}, {"namespace", config.lease.ns}};
        {
          std::lock_guard lock(mutex);
          seen = {};
        }
        lease["spec"] = spec_for_us();
        auto made = client.create(kLeases, lease, stop);
        if (!made) return std::unexpected(made.error());
        observe(std::move(*made));
        return {};
      }
      observe(std::move(*read));
      if (held_by_another()) return fail(Code::kConflict, "held by " + seen.holder);
    }
    return write(spec_for_us(), stop);
  }

  Status write(Json spec, const std::stop_token& stop) {
    Json lease = seen.lease;
    lease["spec"] = std::move(spec);
    auto written = client.update(kLeases, lease, Subresource::kNone, stop);
    if (!written) {
      // Somebody else wrote, or our own write arrived and only its answer was lost: read before the next attempt.
      if (written.error().code == Code::kConflict || written.error().code == Code::kNotFound) reread(stop);
      return std::unexpected(written.error());
    }
    observe(std::move(*written));
    return {};
  }

  void reread(const std::stop_token& stop) {
    auto read = client.get(kLeases, config.lease, stop);
    if (read) {
      observe(std::move(*read));
    } else if (read.error().code == Code::kNotFound) {
      std::lock_guard lock(mutex);
      seen = {};
    }
  }

  void set_leader(bool now) {
    leading = now;
    master.Set(now ? 1 : 0);
  }

  // The stop may have cut off a renewal of our own whose write still arrived: the release then conflicts, write() has
  // read what is there, and as long as that is ours it is released in a second attempt.
  void release() {
    for (int attempt = 1; ours(); ++attempt) {
      Json spec = seen.lease["spec"];
      spec["holderIdentity"] = "";
      spec["leaseDurationSeconds"] = 1;
      spec["renewTime"] = to_rfc3339_micro(clock.wall_now());
      const auto done = write(std::move(spec), {});
      if (done) return;
      if (attempt < 2 && done.error().code == Code::kConflict) continue;
      return log::warn("lease not released, it expires by itself",
                       {{"lease", config.lease.str()}, {"error", done.error().message}});
    }
  }

  const ElectionConfig config;
  Client client;
  const Clock& clock;
  prometheus::Gauge& master;
  std::atomic<bool> leading{false};
  mutable std::mutex mutex;  // for leader(); `seen` changes only on the thread of acquire() and hold()
  Observation seen;
  BootTime renewed{};  // when the last successful write was sent
};

Election::Election(Client& client, const Clock& clock, ElectionConfig config)
    : impl_(std::make_unique<Impl>(client, clock, std::move(config))) {}
Election::~Election() = default;

bool Election::acquire(std::stop_token stop) {
  std::string last;
  while (!stop.stop_requested()) {
    const BootTime sent = impl_->clock.boot_now();
    const auto taken = impl_->take(stop);
    if (taken) {
      impl_->renewed = sent;
      impl_->set_leader(true);
      log::info("leading", {{"lease", impl_->config.lease.str()}, {"identity", impl_->config.identity}});
      return true;
    }
    if (stop.stop_requested()) break;
    if (taken.error().message != last)
      log::info("not leading", {{"lease", impl_->config.lease.str()}, {"reason", last = taken.error().message}});
    wait_for(jittered(impl_->config.retry, kJitter), stop);
  }
  return false;
}

void Election::hold(std::stop_token stop) {
  while (wait_for(impl_->config.retry, stop)) {
    const BootTime sent = impl_->clock.boot_now();
    if (sent - impl_->renewed >= impl_->config.renew_deadline) {
      log::error("lease lost: not renewed in time", {{"lease", impl_->config.lease.str()}});
      return impl_->set_leader(false);
    }
    const auto renewed = impl_->take(stop);
    if (renewed) {
      impl_->renewed = sent;
      continue;
    }
    if (stop.stop_requested()) break;
    log::warn("lease not renewed", {{"lease", impl_->config.lease.str()}, {"error", renewed.error().message}});
    if (impl_->held_by_another()) {
      log::error("lease lost", {{"lease", impl_->config.lease.str()}, {"holder", impl_->seen.holder}});
      return impl_->set_leader(false);
    }
  }
  impl_->set_leader(false);
  impl_->release();
}

bool Election::is_leader() const { return impl_->leading; }
std::string Election::leader() const {
  std::lock_guard lock(impl_->mutex);
  return impl_->seen.holder;
}

}  // namespace twinspan::kube
