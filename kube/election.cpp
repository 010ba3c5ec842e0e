#include "kube/election.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/guarded.hpp"
#include "core/log.hpp"
#include "core/unchanged.hpp"
#include "core/wait.hpp"
#include "kube/backoff.hpp"
#include "kube/lease.hpp"
#include "kube/metrics.hpp"

namespace twinspan::kube {
namespace {

using std::chrono::milliseconds;
constexpr double kJitter = 1.2;  // client-go's JitterFactor: candidates don't ask in step

// What the lease said when it was last read or written by us.
struct Observation {
  Json lease;  // null: there is none, or it was never read
  LeaseSaid said;
  Unchanged unchanged;
};

}  // namespace

struct Election::Impl {
  Impl(Client& shared, const Clock& time, ElectionConfig given)
      : config(std::move(given)),
        client(lease_connection(shared.config(), config.renew_deadline)),
        clock(time),
        master(metrics().leader_election_master_status.Add({{"name", config.lease.name}})) {
    master.Set(0);
  }

  bool ours() const { return seen.said.holder == config.identity; }
  // A holder is of this program, and promised what this one would: less was written by hand, and it may not know.
  bool held_by_another() const {
    const milliseconds promised = std::max(seen.said.duration, config.duration);
    return !seen.said.holder.empty() && !ours() && !seen.unchanged.stood(promised, clock.boot_now());
  }
  bool overdue() const { return clock.boot_now() - renewed >= config.renew_deadline; }

  void observe(Json&& lease) {
    LeaseSaid said = said_of(lease);
    if (!seen.unchanged.observe(said.version, clock.boot_now())) return;
    if (said.holder != seen.said.holder)
      log::info("lease observed", {{"lease", config.lease.str()},
                                   {"holder", said.holder},
                                   {"transitions", integer_of(member_of(lease, "spec"), "leaseTransitions")}});
    seen.said = std::move(said);
    seen.lease = std::move(lease);
    show_holder();
  }

  void observe_none() {
    seen = {};
    show_holder();
  }

  void show_holder() {
    MutexLock lock(mutex);
    holder = seen.said.holder;
  }

  Json changed(LeaseChange change, Json lease) const {
    change_lease(lease, change, config.identity, config.duration, clock.wall_now());
    return lease;
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
        observe_none();
        auto made = client.create(kLeases, changed(LeaseChange::kTake, std::move(lease)), stop);
        if (!made) return std::unexpected(made.error());
        observe(std::move(*made));
        return {};
      }
      observe(std::move(*read));
      if (held_by_another()) return fail(Code::kConflict, "held by " + seen.said.holder);
    }
    return write(ours() ? LeaseChange::kRenew : LeaseChange::kTake, stop);
  }

  Status write(LeaseChange change, const std::stop_token& stop) {
    auto written = client.update(kLeases, changed(change, seen.lease), Subresource::kNone, stop);
    if (!written) {
      // Somebody else wrote, or our own write arrived and only its answer was lost: read before the next attempt.
      const bool changed = written.error().code == Code::kConflict || written.error().code == Code::kNotFound;
      if (changed && !(leading && overdue())) reread(stop);
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
      observe_none();
    }
  }

  void set_leader(bool now) {
    leading = now;
    master.Set(now ? 1 : 0);
  }

  void release() {
    if (!ours()) return;
    // Where it conflicts, write() has read what is there.
    const auto done = release_lease([this] { return write(LeaseChange::kRelease, {}); }, [this] { return ours(); });
    if (!done && ours())
      log::warn("lease not released, it expires by itself",
                {{"lease", config.lease.str()}, {"error", done.error().message}});
  }

  const ElectionConfig config;
  Client client;
  const Clock& clock;
  prometheus::Gauge& master;
  std::atomic<bool> leading{false};
  Observation seen;  // only the thread's of acquire() and hold()
  mutable Mutex mutex;
  std::string holder GUARDED_BY(mutex);  // of `seen`, for anybody
  BootTime renewed{};                    // when the last successful write was sent
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
  const auto lost = [this](const char* why) {
    log::error(why, {{"lease", impl_->config.lease.str()}, {"holder", impl_->seen.said.holder}});
    impl_->set_leader(false);
  };
  // Looked at after every wait and every attempt: what is left of the lease then is for stopping.
  while (wait_for(std::min<std::chrono::nanoseconds>(
                      impl_->config.retry, impl_->renewed + impl_->config.renew_deadline - impl_->clock.boot_now()),
                  stop)) {
    if (impl_->overdue()) return lost("lease lost: not renewed in time");
    const BootTime sent = impl_->clock.boot_now();
    const auto renewed = impl_->take(stop);
    if (renewed) {
      impl_->renewed = sent;
      continue;
    }
    if (stop.stop_requested()) break;
    log::warn("lease not renewed", {{"lease", impl_->config.lease.str()}, {"error", renewed.error().message}});
    if (impl_->held_by_another()) return lost("lease lost");
    if (impl_->overdue()) return lost("lease lost: not renewed in time");
  }
  impl_->set_leader(false);
  impl_->release();
}

bool Election::is_leader() const { return impl_->leading; }
std::string Election::leader() const {
  MutexLock lock(impl_->mutex);
  return impl_->holder;
}

}  // namespace twinspan::kube
