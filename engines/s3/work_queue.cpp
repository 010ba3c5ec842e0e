#include "engines/s3/work_queue.hpp"

#include "engines/s3/pace.hpp"

namespace twinspan::s3 {

WorkQueue::WorkQueue(const Clock& clock, const Concurrency& concurrency, size_t max)
    : clock_(clock), concurrency_(concurrency), max_(std::max<size_t>(1, max)) {
  width_ = std::clamp(concurrency.initial, concurrency.min, std::max(concurrency.min, concurrency.max));
}

size_t WorkQueue::queued() const {
  size_t count = ready_.size();
  for (const auto& upload : shared_) count += upload->unclaimed();
  return count;
}

void WorkQueue::insert(Work work) {
  const Order order{-work.priority, work.object.last_modified, ++sequence_};
  ready_.emplace(order, std::move(work));
  work_.notify_one();
}

// A step at most every tenth of a second, so that a queue which fills or drains at once doesn't swing from end to end.
void WorkQueue::adjust_width() {
  const BootTime now = clock_.boot_now();
  if (now - adjusted_at_ < std::chrono::milliseconds(100)) return;
  adjusted_at_ = now;
  const int width = next_width(width_, queued(), concurrency_);
  if (width > width_) bench_.notify_all();
  width_ = width;
}

bool WorkQueue::push(Work work, const std::stop_token& stop) {
  MutexLock lock(mutex_);
  if (!room_.wait(lock, stop, [this]() REQUIRES(mutex_) { return ready_.size() + delayed_.size() < max_; }))
    return false;
  if (!keys_.insert(work.object.key).second) return true;
  outstanding_.insert(work.object.last_modified);
  insert(std::move(work));
  adjust_width();
  return true;
}

std::optional<BootTime> WorkQueue::wake_delayed() {
  const BootTime now = clock_.boot_now();
  while (!delayed_.empty() && delayed_.begin()->first <= now) {
    insert(std::move(delayed_.begin()->second));
    delayed_.erase(delayed_.begin());
  }
  return delayed_.empty() ? std::nullopt : std::optional(delayed_.begin()->first);
}

std::shared_ptr<Multipart> WorkQueue::one_to_help() {
  std::erase_if(shared_, [](const auto& upload) { return upload->unclaimed() == 0; });
  return shared_.empty() ? nullptr : shared_.front();
}

std::optional<Task> WorkQueue::next(int worker, const std::stop_token& stop) {
  MutexLock lock(mutex_);
  for (;;) {
    if (stop.stop_requested()) return std::nullopt;
    adjust_width();
    if (worker >= width_) {
      work_.notify_one();  // what woke this one is for another
      bench_.wait(lock, stop, [&]() REQUIRES(mutex_) { return worker < width_; });
      continue;
    }
    const auto due = wake_delayed();
    if (!ready_.empty()) {
      Task task = std::move(ready_.begin()->second);
      ready_.erase(ready_.begin());
      ++active_;
      room_.notify_one();
      return task;
    }
    if (auto upload = one_to_help()) return upload;
    const auto something = [&]() REQUIRES(mutex_) {
      const bool sooner = !delayed_.empty() && (!due || delayed_.begin()->first < *due);
      return !ready_.empty() || sooner || one_to_help() || worker >= width_;
    };
    if (due) {
      work_.wait_for(lock, stop, *due - clock_.boot_now(), something);
    } else {
      work_.wait(lock, stop, something);
    }
  }
}

void WorkQueue::done(const Work& work) {
  MutexLock lock(mutex_);
  --active_;
  keys_.erase(work.object.key);
  // refresh() may have given it another date: then it is not among them, and the earliest goes in its stead.
  auto held = outstanding_.find(work.object.last_modified);
  if (held == outstanding_.end()) held = outstanding_.begin();
  if (held != outstanding_.end()) outstanding_.erase(held);
  if (active_ == 0 && ready_.empty() && delayed_.empty()) idle_.notify_all();
}

void WorkQueue::retry(Work work, std::chrono::nanoseconds after) {
  MutexLock lock(mutex_);
  --active_;
  delayed_.emplace(clock_.boot_now() + after, std::move(work));
  work_.notify_all();
}

void WorkQueue::share(std::shared_ptr<Multipart> upload) {
  MutexLock lock(mutex_);
  std::erase(shared_, upload);
  shared_.push_back(std::move(upload));
  work_.notify_all();
}

bool WorkQueue::holds(const std::string& key) const {
  MutexLock lock(mutex_);
  return keys_.contains(key);
}

bool WorkQueue::wait_idle(const std::stop_token& stop) {
  MutexLock lock(mutex_);
  return idle_.wait(lock, stop,
                    [this]() REQUIRES(mutex_) { return active_ == 0 && ready_.empty() && delayed_.empty(); });
}

WorkQueue::Load WorkQueue::load() const {
  MutexLock lock(mutex_);
  Load load{queued() + delayed_.size(), keys_.size(), active_, width_};
  if (!outstanding_.empty()) load.oldest = *outstanding_.begin();
  return load;
}

}  // namespace twinspan::s3
