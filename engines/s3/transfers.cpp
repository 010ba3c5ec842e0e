#include "engines/s3/transfers.hpp"

#include "core/log.hpp"
#include "engines/s3/pace.hpp"

namespace twinspan::s3 {

Transfers::Transfers(Route& route, UploadRecords& records, BothWays* both)
    : route_(route),
      queue_(route.clock, route.settings.objects_at_once, route.settings.queue_max),
      there_(route, records, [this](std::shared_ptr<Multipart> upload) { queue_.share(std::move(upload)); }),
      carrier_(carrier(both)) {
  const Concurrency& bounds = route.settings.objects_at_once;
  for (int i = 0; i < std::max({1, bounds.min, bounds.max}); ++i)
    workers_.emplace_back(RoleName("transfer"), [this, i](const std::stop_token&) { work(i, stop_.get_token()); });
}

Transfers::~Transfers() {
  stop_.request_stop();
  workers_.clear();
}

Carrier& Transfers::carrier(BothWays* both) {
  if (route_.settings.all_versions) return versions_.emplace(route_, there_);
  if (!both) return there_;
  back_.emplace(both->back, both->records,
                [this](std::shared_ptr<Multipart> upload) { queue_.share(std::move(upload)); });
  return reconciler_.emplace(there_, *back_, *both);
}

bool Transfers::submit(Listed object, std::string target_etag, const std::stop_token& stop,
                       std::shared_ptr<CopySlot> slot, bool of_sync, std::optional<std::string> over,
                       std::optional<Listed> foreign) {
  Work work;
  work.over = std::move(over);
  work.foreign = std::move(foreign);
  work.of_sync = of_sync;
  work.object = std::move(object);
  work.target_etag = std::move(target_etag);
  work.slot = std::move(slot);
  return push(std::move(work), stop);
}

bool Transfers::submit_versions(Listed object, bool may_delete, const std::stop_token& stop, bool of_sync) {
  Work work;
  work.of_sync = of_sync;
  work.may_delete = may_delete;
  work.object.key = std::move(object.key);
  work.object.last_modified = object.last_modified;
  return push(std::move(work), stop);
}

bool Transfers::submit_key(Listed object, std::optional<Course> course, const std::stop_token& stop) {
  Work work;
  work.object = std::move(object);
  work.course = std::move(course);
  return push(std::move(work), stop);
}

bool Transfers::push(Work work, const std::stop_token& stop) {
  work.priority = priority_of(work.object.key, route_.settings.priorities);
  return queue_.push(std::move(work), stop);
}

void Transfers::work(int worker, const std::stop_token& stop) {
  while (auto task = queue_.next(worker, stop)) {
    if (auto* upload = std::get_if<std::shared_ptr<Multipart>>(&*task)) {
      (*upload)->carry_parts(stop);
      continue;
    }
    Work& work = std::get<Work>(*task);
    const Result<Outcome> outcome = carrier_.carry(work, stop);
    settle(std::move(work), outcome, stop);
  }
}

void Transfers::settle(Work work, const Result<Outcome>& outcome, const std::stop_token& stop) {
  if (outcome) {
    const auto lag = std::max(route_.clock.wall_now() - work.object.last_modified, WallTime::duration(0));
    {
      MutexLock lock(mutex_);
      for (Tally* tally : {&tally_, &lifetime_}) {
        if (*outcome == Outcome::kReplicated) tally->worst_lag = std::max(tally->worst_lag.value_or(lag), lag);
        if (tally == &tally_ && !work.of_sync) continue;
        if (*outcome == Outcome::kEqual) ++tally->skipped;
        if (*outcome == Outcome::kGone) ++tally->gone;
        if (*outcome != Outcome::kReplicated) continue;
        ++tally->replicated;
        tally->bytes += versions_ ? work.carried_bytes : work.object.size_bytes;
      }
    }
    note(work);
    return queue_.done(work);
  }
  if (stop.stop_requested()) return queue_.done(work);  // whoever comes next finds it by listing
  if (outcome.error().message.find("InvalidObjectState") != std::string::npos)
    return put_aside(std::move(work), outcome.error(), stop);
  if (outcome.error().code == Code::kInvalid && outcome.error().message.find("StorageClass") != std::string::npos &&
      route_.lacking_classes.note(work.object.storage_class)) {
    log::warn("the target lacks a storage class: copies get its usual one",
              {{"link", route_.settings.link}, {"class", work.object.storage_class}});
    return queue_.retry(std::move(work), {});
  }
  ++work.tries;
  Error error = outcome.error();
  if (error.code == Code::kConflict) {
    const auto refreshed = carrier_.refresh(work, stop);
    if (refreshed && *refreshed != Outcome::kReplicated) return settle(std::move(work), refreshed, stop);
    if (refreshed && std::exchange(work.at_once, false)) {
      --work.tries;
      return queue_.retry(std::move(work), {});
    }
    if (!refreshed) error = refreshed.error();
  }
  const auto wait = retry_after(error, work.tries, route_.settings.retries);
  if (!wait) return give_up(std::move(work), error, stop);
  log::debug("transfer failed, trying again",
             {{"link", route_.settings.link}, {"key", work.object.key}, {"error", error.message}});
  queue_.retry(std::move(work), *wait);
}

// Archived: it can be read when somebody has had it restored. Each full sync looks again.
void Transfers::put_aside(Work work, const Error& error, const std::stop_token& stop) {
  (void)carrier_.discard(work, stop);
  log::debug("object is archived",
             {{"link", route_.settings.link}, {"key", work.object.key}, {"error", error.message}});
  {
    MutexLock lock(mutex_);
    ++tally_.archived;
  }
  queue_.done(work);
}

void Transfers::note_undeleted(const std::string& key, const Error& error) {
  log::warn("not deleted from the target", {{"link", route_.settings.link}, {"key", key}, {"error", error.message}});
  MutexLock lock(mutex_);
  ++tally_.failed;
  ++lifetime_.failed;
  if (dead_letters_.size() < kDeadLettersKept)
    dead_letters_.push_back({key, "not deleted: " + error.message, 1, route_.clock.wall_now()});
}

// For the next sync, where the listings won't tell by themselves.
void Transfers::note(Work& work) {
  const auto slot = std::exchange(work.slot, nullptr);
  if (!slot || work.copy_etag.empty()) return;
  const Settings& settings = route_.settings;
  if (!settings.restore && settings.stored.plain() && work.copy_etag == work.object.etag) return;
  slot->note(copy_mark(settings, work.object, work.copy_etag, work.copy_listed));
}

void Transfers::give_up(Work work, const Error& error, const std::stop_token& stop) {
  if (Status discarded = carrier_.discard(work, stop); !discarded)
    log::warn("half-done upload stays for the next sync", {{"link", route_.settings.link}, {"key", work.object.key}});
  {
    MutexLock lock(mutex_);
    if (work.of_sync) ++tally_.failed;
    if (work.of_sync && work.lost) ++tally_.lost;
    ++lifetime_.failed;
    if (dead_letters_.size() < kDeadLettersKept)
      dead_letters_.push_back({work.object.key, error.message, work.tries, work.object.last_modified});
  }
  log::warn(
      "transfer given up",
      {{"link", route_.settings.link}, {"key", work.object.key}, {"error", error.message}, {"tries", work.tries}});
  queue_.done(work);
}

Tally Transfers::tally() const {
  MutexLock lock(mutex_);
  return tally_;
}

Tally Transfers::lifetime() const {
  MutexLock lock(mutex_);
  return lifetime_;
}

std::optional<std::chrono::microseconds> Transfers::take_worst_lag() {
  MutexLock lock(mutex_);
  return std::exchange(tally_.worst_lag, std::nullopt);
}

void Transfers::reset_tally() {
  MutexLock lock(mutex_);
  tally_ = {};
  dead_letters_.clear();
}

std::vector<DeadLetter> Transfers::dead_letters(size_t max) const {
  MutexLock lock(mutex_);
  return {dead_letters_.begin(), dead_letters_.begin() + static_cast<ptrdiff_t>(std::min(max, dead_letters_.size()))};
}

}  // namespace twinspan::s3
