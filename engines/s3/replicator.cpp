#include "engines/s3/replicator.hpp"

#include <fmt/format.h>

#include "core/log.hpp"
#include "core/role_thread.hpp"
#include "engines/s3/failed_report.hpp"
#include "engines/s3/removal.hpp"
#include "engines/s3/state_objects.hpp"

namespace twinspan::s3 {
namespace {

constexpr std::chrono::milliseconds kArrivals{200};
constexpr size_t kLettersTold = 100;

}  // namespace

Replicator::Replicator(Settings settings, ReplicatorSettings more, Side source, Side target, const Clock& clock)
    : more_(more),
      route_(std::move(settings), std::move(source), std::move(target), clock),
      records_(route_),
      both_(route_.settings.both_ways ? std::make_unique<BothWays>(route_) : nullptr),
      transfers_(std::make_unique<Transfers>(route_, records_, both_.get())) {}

Replicator::~Replicator() = default;

void Replicator::run(std::stop_token stop) {
  RoleThread verifier("verifier", [&](const std::stop_token&) { verify_when_asked(stop); });
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
    MutexLock lock(mutex_);
    if (const auto worst = transfers_->take_worst_lag(); complete_since_ && worst)
      worst_arrival_ = std::max(worst_arrival_.value_or(*worst), *worst);
    running_ = run;
    sync_asked_ = false;
    removed_since_sync_ = 0;
  }
  const SyncProgress progress = run->run(stop, [this](const std::stop_token& over) { follow_beside(over); });
  report_failed(progress, stop);
  MutexLock lock(mutex_);
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
              {"versions", progress.versions},
              {"unaligned", progress.unaligned},
              {"error", progress.error}});
}

// Keys to be looked at now; those under way are looked at again when they have arrived.
std::set<std::string> Replicator::take_notified() {
  MutexLock lock(mutex_);
  std::set<std::string> keys, later;
  for (const std::string& key : notified_) (transfers_->holds(key) ? later : keys).insert(key);
  notified_ = std::move(later);
  return keys;
}

bool Replicator::waits_for_arrivals() const {
  MutexLock lock(mutex_);
  return !notified_.empty();
}

void Replicator::follow(const std::stop_token& stop) {
  const BootTime due = route_.clock.boot_now() + more_.listing_interval;
  while (!stop.stop_requested()) {
    {
      MutexLock lock(mutex_);
      if (sync_asked_) return;
    }
    if (auto keys = take_notified(); !keys.empty()) carry_notified(std::move(keys), stop);
    const BootTime now = route_.clock.boot_now();
    if (now >= due) return;
    wake_.wait(waits_for_arrivals() ? std::min<BootClock::duration>(due - now, kArrivals) : due - now, stop);
  }
}

// While a full sync lists: a new key need not wait for hours. Keys that are gone wait till it is over, for the cap
// speaks of both together.
void Replicator::follow_beside(const std::stop_token& over) {
  std::vector<std::string> gone;
  while (!over.stop_requested()) {
    if (auto keys = take_notified(); !keys.empty()) {
      if (both_) {
        carry_both_ways(keys, over);
      } else if (const auto absent = carry_written(keys, over)) {
        gone.insert(gone.end(), absent->begin(), absent->end());
      } else {
        break;  // the sync itself tells what is wrong
      }
    }
    wake_.wait(waits_for_arrivals() ? kArrivals : std::chrono::milliseconds(std::chrono::hours(1)), over);
  }
  MutexLock lock(mutex_);
  notified_.insert(gone.begin(), gone.end());
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

// The keys that the source no longer has; nullopt: it didn't answer, and a full sync is asked for that finds the rest.
std::optional<std::vector<std::string>> Replicator::carry_written(const std::set<std::string>& keys,
                                                                  const std::stop_token& stop) {
  std::vector<std::string> gone;
  for (auto key = keys.begin(); key != keys.end(); ++key) {
    auto head = route_.source.bucket.head(route_.at_source(*key), stop);
    if (!head && head.error().code == Code::kNotFound) {
      gone.push_back(*key);
      continue;
    }
    if (!head && !stop.stop_requested()) {
      sync_now();
      return std::nullopt;
    }
    MutexLock lock(mutex_);
    // When it was written says nothing of how late a repair is.
    if (head && repairs_.contains(*key)) head->object.last_modified = route_.clock.wall_now();
    lock.unlock();
    if (head) head->object.key = *key;
    const bool taken =
        head && (transfers_->versions() ? transfers_->submit_versions(std::move(head->object), false, stop, false)
                                        : transfers_->submit(std::move(head->object), "", stop, nullptr, false));
    lock.lock();
    if (!taken) {  // stopped: they are for later
      notified_.insert(key, keys.end());
      break;
    }
    repairs_.erase(*key);
  }
  return gone;
}

void Replicator::carry_notified(std::set<std::string> keys, const std::stop_token& stop) {
  if (both_) return carry_both_ways(keys, stop);
  const auto gone = carry_written(keys, stop);
  if (gone && transfers_->versions()) return carry_deleted(*gone, stop);
  const DeletePolicy& policy = route_.settings.deletes;
  if (!gone || gone->empty() || policy.mode == DeleteMode::kIgnore) return;
  // The next full sync says so.
  if (removed_since_sync_ + gone->size() > route_.settings.share.part_of(policy.max_per_sync)) return;
  const auto removed = remove_confirmed(route_, *gone, stop);
  if (removed) removed_since_sync_ += removed->count;
  if (removed)
    for (const auto& [key, error] : removed->failed) transfers_->note_undeleted(key, error);
  if (!removed) sync_now();
}

// Of a link that carries all versions. What they had before they were deleted is carried in any case.
void Replicator::carry_deleted(const std::vector<std::string>& keys, const std::stop_token& stop) {
  const DeletePolicy& policy = route_.settings.deletes;
  const bool may_delete = policy.mode == DeleteMode::kReplicate &&
                          removed_since_sync_ + keys.size() <= route_.settings.share.part_of(policy.max_per_sync);
  if (may_delete) removed_since_sync_ += keys.size();
  for (const std::string& key : keys) {
    Listed object;
    object.key = key;
    object.last_modified = route_.clock.wall_now();
    if (!transfers_->submit_versions(std::move(object), may_delete, stop, false)) return;
  }
}

// All keys that were given up, where there are any; those of a former time go.
void Replicator::report_failed(const SyncProgress& progress, const std::stop_token& stop) {
  if (!progress.tried || stop.stop_requested()) return;
  const auto letters = transfers_->dead_letters();
  const std::string key = failed_key(name_of_share(route_.settings.link, route_.settings.share));
  Status done;
  if (!letters.empty()) {
    done = write_state(route_.target.bucket, key, failed_report(letters, progress), stop);
  } else if (failed_reported_.value_or(true)) {
    done = route_.target.bucket.remove(key, stop);
  }
  if (done) failed_reported_ = !letters.empty();
  if (!done && !stop.stop_requested())
    log::warn("list of failed keys not stored", {{"link", route_.settings.link}, {"error", done.error().message}});
}

void Replicator::repair(const std::string& key) {
  {
    MutexLock lock(mutex_);
    repairs_.insert(key);
  }
  notify({route_.source.prefix + key});
}

void Replicator::verify_when_asked(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    verify_.wait(std::chrono::hours(1), stop);
    std::shared_ptr<Verification> verification;
    {
      MutexLock lock(mutex_);
      if (!verify_asked_) continue;
      VerifySettings settings = *std::exchange(verify_asked_, std::nullopt);
      // A copy that went wrong, or was changed by others: the source has it as it should be. With two sources nobody
      // knows.
      if (!both_) settings.metadata_differs = [this](const std::string& key) { repair(key); };
      verification = verifying_ = std::make_shared<Verification>(route_, std::move(settings));
    }
    const VerificationReport report = verification->run(stop);
    MutexLock lock(mutex_);
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
    MutexLock lock(mutex_);
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
    MutexLock lock(mutex_);
    sync_asked_ = true;
  }
  wake_.raise();
}

void Replicator::verify_now(VerifySettings settings) {
  {
    MutexLock lock(mutex_);
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
  if (const VersionCarrier* versions = transfers_->versions()) {
    status.versions_total = versions->versions();
    status.unaligned_total = versions->unaligned();
  }
  status.dead_letters = transfers_->dead_letters(kLettersTold);

  MutexLock lock(mutex_);
  status.sync = running_ ? running_->progress() : last_sync_;
  status.verification = last_verification_;
  if (verifying_) status.verification = verifying_->progress();
  status.queue_length += notified_.size();
  status.outstanding_keys = load.keys + notified_.size() + transfers_->tally().failed + transfers_->tally().archived;
  LagInput lag{route_.clock.wall_now(), complete_since_, last_sync_.completed_at && !last_sync_.complete, load.oldest,
               std::max(worst_arrival_, transfers_->tally().worst_lag)};
  for (const DeadLetter& letter : status.dead_letters)
    lag.oldest_outstanding = std::min(lag.oldest_outstanding.value_or(letter.last_modified), letter.last_modified);
  status.lag_seconds = lag_seconds(lag);

  const bool failed = lag.last_sync_failed || !status.dead_letters.empty();
  if (lag.last_sync_failed) status.message = last_sync_.error;
  if (!status.dead_letters.empty())
    status.message = status.dead_letters.front().key + ": " + status.dead_letters.front().error;
  if (status.message.empty() && status.sync.archived > 0)
    status.message =
        fmt::format("{} archived at the source: they are copied once somebody has had them restored",
                    status.sync.archived == 1 ? "1 object is" : fmt::format("{} objects are", status.sync.archived));
  if (const uint64_t aside = route_.set_aside; status.message.empty() && aside > 0)
    status.message = fmt::format("{} at the target from before the link {} replaced, and kept under {}conflicts/",
                                 aside == 1 ? "1 object" : fmt::format("{} objects", aside),
                                 aside == 1 ? "was" : "were", kReservedPrefix);
  if (const auto lacking = route_.lacking_classes.all(); status.message.empty() && !lacking.empty())
    status.message = fmt::format("the target has no storage class {}: copies get its usual one", *lacking.begin());
  const bool busy = load.active > 0 || status.queue_length > 0;
  status.state = failed             ? ReplicationState::kFailing
                 : !complete_since_ ? ReplicationState::kCatchingUp
                 : busy             ? ReplicationState::kReplicating
                                    : ReplicationState::kInSync;
  return status;
}

}  // namespace twinspan::s3
