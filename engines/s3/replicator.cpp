#include "engines/s3/replicator.hpp"

#include "core/log.hpp"
#include "engines/s3/removal.hpp"

namespace twinspan::s3 {

Replicator::Replicator(Settings settings, ReplicatorSettings more, Side source, Side target, const Clock& clock)
    : more_(more),
      route_(std::move(settings), std::move(source), std::move(target), clock),
      records_(route_),
      both_(route_.settings.both_ways ? std::make_unique<BothWays>(route_) : nullptr),
      transfers_(std::make_unique<Transfers>(route_, records_, both_.get())) {}

Replicator::~Replicator() = default;

void Replicator::run(std::stop_token stop) {
  std::jthread verifier([&] { verify_when_asked(stop); });
  while (!stop.stop_requested()) {
    sync(stop);
    follow(stop);
  }
}

void Replicator::sync(const std::stop_token& stop) {
  if (!transfers_->wait_idle(stop)) return;
  const WallTime began = route_.clock.wall_now();
  auto run = std::make_shared<SyncRun>(route_, records_, *transfers_, both_.get());
  {
    std::lock_guard lock(mutex_);
    if (const auto worst = transfers_->take_worst_lag(); complete_since_ && worst)
      worst_arrival_ = std::max(worst_arrival_.value_or(*worst), *worst);
    running_ = run;
    sync_asked_ = false;
    removed_since_sync_ = 0;
  }
  const SyncProgress progress = run->run(stop);
  std::lock_guard lock(mutex_);
  running_.reset();
  last_sync_ = progress;
  const auto worst = transfers_->take_worst_lag();
  // Of what was there before the first sync, when it was written says nothing of how long it took.
  worst_arrival_ = complete_since_ ? worst : std::nullopt;
  if (progress.complete) complete_since_ = began;
  log::write(progress.complete ? log::Level::kInfo : log::Level::kWarn, "sync ended",
             {{"link", route_.settings.link},
              {"complete", progress.complete},
              {"total", progress.total},
              {"replicated", progress.replicated},
              {"failed", progress.failed},
              {"deleted", progress.deleted},
              {"conflicts", progress.conflicts},
              {"error", progress.error}});
}

void Replicator::follow(const std::stop_token& stop) {
  const BootTime due = route_.clock.boot_now() + more_.listing_interval;
  while (!stop.stop_requested()) {
    std::set<std::string> keys, later;
    {
      std::lock_guard lock(mutex_);
      if (sync_asked_) return;
      for (const std::string& key : notified_) (transfers_->holds(key) ? later : keys).insert(key);
      notified_ = later;
    }
    if (!keys.empty()) carry_notified(std::move(keys), stop);
    const BootTime now = route_.clock.boot_now();
    if (now >= due) return;
    // A key that is under way is looked at again when it has arrived.
    const auto most =
        later.empty() ? due - now : std::min<BootClock::duration>(due - now, std::chrono::milliseconds(200));
    wake_.wait(most, stop);
  }
}

// Which side a key was written on makes no difference: both are looked at. A copy's own notification ends there.
void Replicator::carry_both_ways(const std::set<std::string>& keys, const std::stop_token& stop) {
  for (const std::string& key : keys) {
    Listed object;
    object.key = key;
    object.last_modified = route_.clock.wall_now();
    if (!transfers_->submit_key(std::move(object), std::nullopt, stop)) return;
  }
}

void Replicator::carry_notified(std::set<std::string> keys, const std::stop_token& stop) {
  if (both_) return carry_both_ways(keys, stop);
  std::vector<std::string> gone;
  for (const std::string& key : keys) {
    auto head = route_.source.bucket.head(route_.at_source(key), stop);
    if (head) {
      head->object.key = key;
      if (!transfers_->submit(std::move(head->object), "", stop)) return;
    } else if (head.error().code == Code::kNotFound) {
      gone.push_back(key);
    } else {
      sync_now();  // which tells what is wrong, and finds the rest
      return;
    }
  }
  const DeletePolicy& policy = route_.settings.deletes;
  if (gone.empty() || policy.mode == DeleteMode::kIgnore) return;
  // The next full sync says so.
  if (removed_since_sync_ + gone.size() > route_.settings.share.part_of(policy.max_per_sync)) return;
  const auto removed = remove_confirmed(route_, gone, stop);
  if (removed) removed_since_sync_ += removed->count;
  if (!removed) sync_now();
}

void Replicator::verify_when_asked(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    verify_.wait(std::chrono::hours(1), stop);
    std::shared_ptr<Verification> verification;
    {
      std::lock_guard lock(mutex_);
      if (!verify_asked_) continue;
      verification = verifying_ = std::make_shared<Verification>(route_, *std::exchange(verify_asked_, std::nullopt));
    }
    const VerificationReport report = verification->run(stop);
    std::lock_guard lock(mutex_);
    verifying_.reset();
    last_verification_ = report;
    log::write(report.consistent ? log::Level::kInfo : log::Level::kWarn, "verification ended",
               {{"link", route_.settings.link},
                {"complete", report.complete},
                {"checked", report.checked},
                {"missing", report.missing},
                {"different", report.different},
                {"extra", report.extra},
                {"error", report.error}});
  }
}

void Replicator::notify(const std::vector<std::string>& keys) { note_keys(route_.source, route_.target, keys); }

void Replicator::notify_target(const std::vector<std::string>& keys) {
  if (both_) note_keys(route_.target, route_.source, keys);
}

void Replicator::note_keys(const Side& from, const Side& other, const std::vector<std::string>& keys) {
  const std::string& prefix = from.prefix;
  {
    std::lock_guard lock(mutex_);
    for (const std::string& key : keys) {
      if (!key.starts_with(prefix)) continue;
      std::string below = key.substr(prefix.size());
      if (is_reserved(prefix, below) || is_reserved(other.prefix, below)) continue;
      if (below.empty() && other.prefix.empty()) continue;
      if (!route_.settings.share.has(below)) continue;
      if (notified_.size() < more_.notified_max) {
        notified_.insert(std::move(below));
      } else {
        sync_asked_ = true;
      }
    }
  }
  wake_.raise();
}

void Replicator::sync_now() {
  {
    std::lock_guard lock(mutex_);
    sync_asked_ = true;
  }
  wake_.raise();
}

void Replicator::verify_now(VerifySettings settings) {
  {
    std::lock_guard lock(mutex_);
    if (verifying_) return;
    verify_asked_ = settings;
  }
  verify_.raise();
}

ReplicationStatus Replicator::status() const {
  const WorkQueue::Load load = transfers_->load();
  const Tally lifetime = transfers_->lifetime();
  ReplicationStatus status;
  status.queue_length = load.queued;
  status.active_transfers = load.active;
  status.width = load.width;
  status.objects_total = lifetime.replicated;
  status.failures_total = lifetime.failed;
  status.bytes_total = lifetime.bytes;
  if (both_) status.conflicts_total = both_->conflicts;
  status.dead_letters = transfers_->dead_letters();

  std::lock_guard lock(mutex_);
  status.sync = running_ ? running_->progress() : last_sync_;
  status.verification = last_verification_;
  if (verifying_) status.verification = verifying_->progress();
  status.queue_length += notified_.size();
  LagInput lag{route_.clock.wall_now(), complete_since_, last_sync_.completed_at && !last_sync_.complete, load.oldest,
               std::max(worst_arrival_, transfers_->tally().worst_lag)};
  for (const DeadLetter& letter : status.dead_letters)
    lag.oldest_outstanding = std::min(lag.oldest_outstanding.value_or(letter.last_modified), letter.last_modified);
  status.lag_seconds = lag_seconds(lag);

  const bool failed = lag.last_sync_failed || !status.dead_letters.empty();
  if (lag.last_sync_failed) status.message = last_sync_.error;
  if (!status.dead_letters.empty())
    status.message = status.dead_letters.front().key + ": " + status.dead_letters.front().error;
  const bool busy = load.active > 0 || status.queue_length > 0;
  status.state = failed             ? ReplicationState::kFailing
                 : !complete_since_ ? ReplicationState::kCatchingUp
                 : busy             ? ReplicationState::kReplicating
                                    : ReplicationState::kInSync;
  return status;
}

}  // namespace twinspan::s3
