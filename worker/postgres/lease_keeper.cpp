#include "worker/postgres/lease_keeper.hpp"

#include <charconv>

#include "core/log.hpp"

namespace twinspan::worker {
namespace {

constexpr std::chrono::milliseconds kRetry{250};
constexpr std::chrono::milliseconds kReleaseTime{5000};

uint64_t order_of(const std::string& version) {
  uint64_t number = 0;
  std::from_chars(version.data(), version.data() + version.size(), number);
  return number;
}

}  // namespace

LeaseKeeper::LeaseKeeper(LeaseStore& store, const Clock& clock, Config config, Hooks hooks)
    : store_(store),
      clock_(clock),
      config_(std::move(config)),
      hooks_(std::move(hooks)),
      observation_(config_.timing) {}

LeaseKeeper::~LeaseKeeper() { stop(); }

void LeaseKeeper::start() {
  thread_.start([this](const std::stop_token& stop) { run(stop); });
}

void LeaseKeeper::stop() { thread_.stop(); }

void LeaseKeeper::set_timing(const LeaseTiming& timing) {
  MutexLock lock(mutex_);
  if (timing.duration == timing_.duration && timing.renew == timing_.renew && timing.margin == timing_.margin) return;
  timing_ = timing;
  observation_.set_timing(timing);
  // The tenure keeps the time it was promised for: a longer one counts once the others can read of it.
}

LeaseTiming LeaseKeeper::timing() const {
  MutexLock lock(mutex_);
  return timing_;
}

bool LeaseKeeper::mine(const LeaseRecord& record) const {
  return record.holder_endpoint == config_.endpoint && record.holder_instance == config_.instance;
}

void LeaseKeeper::note(const StoredLease& lease, BootTime received_at) {
  const auto& known = observation_.record();
  if (known && !any_version_ && order_of(lease.record.version) <= order_of(known->version)) return;
  accept(lease, received_at);
}

void LeaseKeeper::accept(const StoredLease& lease, BootTime received_at) {
  const auto& known = observation_.record();
  any_version_ = false;
  if (known && order_of(lease.record.version) < order_of(known->version))
    went_back_ = true;
  else if (!known || lease.record.epoch > known->epoch)
    went_back_ = false;  // whoever made this epoch knew that everybody else had stopped
  observation_.observe(lease.record, received_at, lease.duration);
  holder_duration_ = lease.duration;
  // Somebody else has it, or it was released: whatever this clock says, the right is gone.
  if (tenure_ && !(mine(lease.record) && lease.record.epoch == tenure_->epoch())) tenure_.reset();
}

void LeaseKeeper::observed(const StoredLease& lease, BootTime received_at) {
  {
    MutexLock lock(mutex_);
    note(lease, received_at);
  }
  hooks_.changed();
}

void LeaseKeeper::history_went_back() {
  MutexLock lock(mutex_);
  any_version_ = true;
}

LeaseKeeper::View LeaseKeeper::view(std::chrono::milliseconds remembered) const {
  const BootTime now = clock_.boot_now();
  MutexLock lock(mutex_);
  View view;
  view.record = observation_.record();
  view.duration = holder_duration_;
  view.went_back = went_back_;
  view.stood = observation_.stood(now, remembered);
  view.outlived = observation_.outlived(now, remembered, holder_duration_);
  if (tenure_ && !tenure_->expired(now)) {
    view.tenure = tenure_->epoch();
    view.fence_at = tenure_->fence_at();
  }
  view.busy = working_ || order_.has_value();
  return view;
}

bool LeaseKeeper::order(Order what) {
  {
    MutexLock lock(mutex_);
    if (working_ || order_) return false;
    if (std::holds_alternative<LetGo>(what)) tenure_.reset();  // it may take effect from now on
    order_ = std::move(what);
  }
  wake_.raise();
  return true;
}

bool LeaseKeeper::take(const std::string& version, Epoch epoch) { return order(Take{version, epoch}); }
bool LeaseKeeper::mark_promoted(EpochHistory epochs) { return order(Mark{std::move(epochs)}); }
bool LeaseKeeper::release(Cause cause, std::optional<Position> final_position, std::optional<EpochHistory> opened) {
  return order(LetGo{{config_.endpoint, cause, final_position}, std::move(opened)});
}

BootTime LeaseKeeper::next_wake(BootTime now) const {
  if (!tenure_ || tenure_->expired(now)) return now + std::chrono::hours(1);
  return std::max(tenure_->renew_at(), retry_at_);
}

void LeaseKeeper::run(const std::stop_token& stop) {
  for (;;) {
    std::optional<Order> order;
    bool due = false;
    BootTime wake{};
    {
      const BootTime now = clock_.boot_now();
      MutexLock lock(mutex_);
      order.swap(order_);
      wake = next_wake(now);
      due = !order && tenure_ && !tenure_->expired(now) && now >= wake;
      // Who has let go says so, also on the way out: without it everybody waits until the lease has run out.
      if (stop.stop_requested() && !(order && std::holds_alternative<LetGo>(*order))) return;
      working_ = order.has_value();
    }
    if (order) {
      std::visit([&](const auto& what) { carry_out(what, stop); }, *order);
      MutexLock lock(mutex_);
      working_ = false;
    } else if (due) {
      renew(nullptr, stop);
    } else {
      wake_.wait(std::min<std::chrono::nanoseconds>(wake - clock_.boot_now(), std::chrono::seconds(1)), stop);
      continue;
    }
    hooks_.changed();
  }
}

bool LeaseKeeper::fit() {
  const bool fit = !hooks_.fit || hooks_.fit();
  if (!fit && !unfit_said_)
    log::error("this agent is not fit to be primary: the lease is let run out", {{"endpoint", config_.endpoint}});
  unfit_said_ = !fit;
  return fit;
}

void LeaseKeeper::carry_out(const Take& take, const std::stop_token& stop) {
  if (!fit()) return;
  LeaseRecord record;
  record.version = take.version;
  record.epoch = take.epoch;
  record.holder_endpoint = config_.endpoint;
  record.holder_instance = config_.instance;
  {
    // Its own tenure goes on: what it has accepted in this epoch does not become unaccepted.
    MutexLock lock(mutex_);
    const auto& known = observation_.record();
    if (known && mine(*known) && known->epoch == take.epoch) {
      record.promoted = known->promoted;
      record.epochs = known->epochs;
      record.end = known->end;
    }
  }
  const LeaseTiming timing = this->timing();
  const BootTime sent = clock_.boot_now();
  const auto written = store_.write(record, timing.duration, true, stop);
  if (!written) {
    log::warn("lease not taken", {{"epoch", take.epoch.value}, {"error", written.error().message}});
    reread(stop);  // the answer may be all that was lost
    return;
  }
  std::optional<BootTime> fence_at;
  {
    MutexLock lock(mutex_);
    note(*written, clock_.boot_now());
    // The watch may have shown something newer meanwhile.
    if (const auto& known = observation_.record(); known && mine(*known) && known->epoch == take.epoch) {
      tenure_.emplace(timing, take.epoch, sent);
      fence_at = tenure_->fence_at();
    }
  }
  if (!fence_at) return;
  hooks_.extended(*fence_at);
  log::info("lease taken", {{"epoch", take.epoch.value}});
}

void LeaseKeeper::carry_out(const Mark& mark, const std::stop_token& stop) { renew(&mark, stop); }

void LeaseKeeper::renew(const Mark* mark, const std::stop_token& stop) {
  if (!fit()) {
    MutexLock lock(mutex_);
    retry_at_ = clock_.boot_now() + kRetry;
    return;
  }
  LeaseRecord record;
  {
    MutexLock lock(mutex_);
    if (!tenure_ || !observation_.record()) return;
    record = *observation_.record();
  }
  if (mark) {
    record.promoted = true;
    record.epochs = mark->epochs;
  }
  record.release.reset();
  if (const auto end = hooks_.end ? hooks_.end() : std::nullopt; end) record.end = std::max(record.end, end);
  const LeaseTiming timing = this->timing();
  const BootTime sent = clock_.boot_now();
  std::optional<BootTime> bound;
  {
    MutexLock lock(mutex_);
    if (tenure_) tenure_->sent(sent, timing.duration);
    if (tenure_) bound = tenure_->fence_at();
  }
  if (bound) hooks_.extended(*bound);
  const auto written = store_.write(record, timing.duration, false, stop);
  if (hooks_.renewed) hooks_.renewed(written.has_value());
  if (!written) {
    if (!stop.stop_requested())
      log::warn("lease not renewed", {{"epoch", record.epoch.value}, {"error", written.error().message}});
    {
      MutexLock lock(mutex_);
      retry_at_ = clock_.boot_now() + kRetry;
    }
    if (written.error().code == Code::kConflict) reread(stop);
    return;
  }
  std::optional<BootTime> fence_at;
  {
    MutexLock lock(mutex_);
    note(*written, clock_.boot_now());
    if (tenure_ && tenure_->epoch() == record.epoch) {
      tenure_.emplace(timing, record.epoch, sent);
      fence_at = tenure_->fence_at();
    }
  }
  if (fence_at) hooks_.extended(*fence_at);
}

void LeaseKeeper::carry_out(const LetGo& order, const std::stop_token&) {
  const Release& release = order.release;
  const std::stop_token stop;  // none: a release is not cut off, only given up after a while
  const BootTime until = clock_.boot_now() + kReleaseTime;
  while (clock_.boot_now() < until) {
    LeaseRecord record;
    {
      MutexLock lock(mutex_);
      if (!observation_.record() || !mine(*observation_.record())) return;  // gone already
      record = *observation_.record();
    }
    record.holder_endpoint.clear();
    record.holder_instance.clear();
    record.release = release;
    if (order.opened) {
      record.promoted = true;
      record.epochs = *order.opened;
    }
    const auto written = store_.write(record, timing().duration, false, stop);
    if (written) {
      MutexLock lock(mutex_);
      note(*written, clock_.boot_now());
      log::info("lease released",
                {{"epoch", record.epoch.value},
                 {"cause", to_string(release.cause)},
                 {"final_position", release.final_position ? to_string(*release.final_position) : ""}});
      return;
    }
    log::warn("lease not released", {{"epoch", record.epoch.value}, {"error", written.error().message}});
    if (!wait_for(kRetry / 5, stop)) return;
    reread(stop);
  }
}

void LeaseKeeper::reread(const std::stop_token& stop) {
  uint64_t known = 0;
  {
    MutexLock lock(mutex_);
    if (observation_.record()) known = order_of(observation_.record()->version);
  }
  const auto read = store_.read(stop);
  if (!read) return;
  MutexLock lock(mutex_);
  const bool same_yet = observation_.record() && order_of(observation_.record()->version) == known;
  if (same_yet && order_of(read->record.version) < known) {
    // It was asked for after the higher version was known, and never from a cache.
    log::warn("the lease went back: the API was restored from a backup",
              {{"known", std::to_string(known)}, {"present", read->record.version}});
    accept(*read, clock_.boot_now());
    return;
  }
  note(*read, clock_.boot_now());
}

}  // namespace twinspan::worker
