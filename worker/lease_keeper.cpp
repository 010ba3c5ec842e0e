#include "worker/lease_keeper.hpp"

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
  thread_ = std::jthread([this](const std::stop_token& stop) { run(stop); });
}

void LeaseKeeper::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

void LeaseKeeper::set_timing(const LeaseTiming& timing) {
  std::lock_guard lock(mutex_);
  if (timing.duration == timing_.duration && timing.renew == timing_.renew && timing.margin == timing_.margin) return;
  timing_ = timing;
  LeaseObservation observation(timing);
  if (observation_.record()) observation.observe(*observation_.record(), changed_at_);
  observation_ = std::move(observation);
  // The tenure keeps the time it was promised for: a longer one counts once the others can read of it.
}

LeaseTiming LeaseKeeper::timing() const {
  std::lock_guard lock(mutex_);
  return timing_;
}

bool LeaseKeeper::mine(const LeaseRecord& record) const {
  return record.holder_endpoint == config_.endpoint && record.holder_instance == config_.instance;
}

void LeaseKeeper::note(const StoredLease& lease, BootTime received_at) {
  const auto& known = observation_.record();
  if (known && order_of(lease.record.version) <= order_of(known->version)) return;
  observation_.observe(lease.record, received_at);
  changed_at_ = received_at;
  holder_duration_ = lease.duration;
  // Somebody else has it, or it was released: whatever this clock says, the right is gone.
  if (tenure_ && !(mine(lease.record) && lease.record.epoch == tenure_->epoch())) tenure_.reset();
}

void LeaseKeeper::observed(const StoredLease& lease, BootTime received_at) {
  {
    std::lock_guard lock(mutex_);
    note(lease, received_at);
  }
  hooks_.changed();
}

LeaseKeeper::View LeaseKeeper::view() const {
  const BootTime now = clock_.boot_now();
  std::lock_guard lock(mutex_);
  View view;
  view.record = observation_.record();
  // The holder may have promised more than this agent is configured for.
  view.may_be_taken = observation_.may_be_taken(now) &&
                      (!view.record || !view.record->held() || observation_.unchanged_for(now) >= holder_duration_);
  if (tenure_ && !tenure_->expired(now)) {
    view.tenure = tenure_->epoch();
    view.fence_at = tenure_->fence_at();
  }
  view.busy = working_ || order_.has_value();
  return view;
}

bool LeaseKeeper::order(Order what) {
  {
    std::lock_guard lock(mutex_);
    if (working_ || order_) return false;
    if (std::holds_alternative<Release>(what)) tenure_.reset();  // it may take effect from now on
    order_ = std::move(what);
  }
  wake_.raise();
  return true;
}

bool LeaseKeeper::take(const std::string& version, Epoch epoch) { return order(Take{version, epoch}); }
bool LeaseKeeper::mark_promoted() { return order(Mark{}); }
bool LeaseKeeper::release(Cause cause, std::optional<Position> final_position) {
  return order(Release{config_.endpoint, cause, final_position});
}

BootTime LeaseKeeper::next_wake(BootTime now) const {
  if (!tenure_ || tenure_->expired(now)) return now + std::chrono::hours(1);
  return std::max(tenure_->renew_at(), retry_at_);
}

void LeaseKeeper::run(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    std::optional<Order> order;
    bool due = false, promoted = false;
    BootTime wake{};
    {
      const BootTime now = clock_.boot_now();
      std::lock_guard lock(mutex_);
      order.swap(order_);
      wake = next_wake(now);
      due = !order && tenure_ && !tenure_->expired(now) && now >= wake;
      promoted = observation_.record() && observation_.record()->promoted;
      working_ = order.has_value();
    }
    if (order) {
      std::visit([&](const auto& what) { carry_out(what, stop); }, *order);
      std::lock_guard lock(mutex_);
      working_ = false;
    } else if (due) {
      renew(promoted, stop);
    } else {
      wake_.wait(std::min<std::chrono::nanoseconds>(wake - clock_.boot_now(), std::chrono::seconds(1)), stop);
      continue;
    }
    hooks_.changed();
  }
}

void LeaseKeeper::carry_out(const Take& take, const std::stop_token& stop) {
  LeaseRecord record;
  record.version = take.version;
  record.epoch = take.epoch;
  record.holder_endpoint = config_.endpoint;
  record.holder_instance = config_.instance;
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
    std::lock_guard lock(mutex_);
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

void LeaseKeeper::carry_out(const Mark&, const std::stop_token& stop) { renew(true, stop); }

void LeaseKeeper::renew(bool promoted, const std::stop_token& stop) {
  LeaseRecord record;
  {
    std::lock_guard lock(mutex_);
    if (!tenure_ || !observation_.record()) return;
    record = *observation_.record();
  }
  record.promoted = promoted;
  record.release.reset();
  const LeaseTiming timing = this->timing();
  const BootTime sent = clock_.boot_now();
  const auto written = store_.write(record, timing.duration, false, stop);
  if (hooks_.renewed) hooks_.renewed(written.has_value());
  if (!written) {
    if (!stop.stop_requested())
      log::warn("lease not renewed", {{"epoch", record.epoch.value}, {"error", written.error().message}});
    {
      std::lock_guard lock(mutex_);
      retry_at_ = clock_.boot_now() + kRetry;
    }
    if (written.error().code == Code::kConflict) reread(stop);
    return;
  }
  std::optional<BootTime> fence_at;
  {
    std::lock_guard lock(mutex_);
    note(*written, clock_.boot_now());
    if (tenure_ && tenure_->epoch() == record.epoch) {
      tenure_.emplace(timing, record.epoch, sent);
      fence_at = tenure_->fence_at();
    }
  }
  if (fence_at) hooks_.extended(*fence_at);
}

void LeaseKeeper::carry_out(const Release& release, const std::stop_token& stop) {
  const BootTime until = clock_.boot_now() + kReleaseTime;
  while (clock_.boot_now() < until) {
    LeaseRecord record;
    {
      std::lock_guard lock(mutex_);
      if (!observation_.record() || !mine(*observation_.record())) return;  // gone already
      record = *observation_.record();
    }
    record.holder_endpoint.clear();
    record.holder_instance.clear();
    record.release = release;
    const auto written = store_.write(record, timing().duration, false, stop);
    if (written) {
      std::lock_guard lock(mutex_);
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
  const auto read = store_.read(stop);
  if (!read) return;
  std::lock_guard lock(mutex_);
  note(*read, clock_.boot_now());
}

}  // namespace twinspan::worker
