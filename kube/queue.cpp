#include "kube/queue.hpp"

#include <condition_variable>
#include <deque>
#include <map>
#include <set>

#include "core/guarded.hpp"
#include "kube/metrics.hpp"

namespace twinspan::kube {
namespace {
double seconds(std::chrono::nanoseconds time) { return std::chrono::duration<double>(time).count(); }
}  // namespace

// A key is in `states` while anything is known of it: queued, being worked on, delayed, or failed before.
struct WorkQueue::Impl {
  struct State {
    bool queued = false;
    bool low = false;      // queued behind everything that changed since
    bool working = false;  // handed out
    bool again = false;    // added while it was handed out
    bool again_low = false;
    unsigned failures = 0;
    std::optional<BootTime> due;
    BootTime queued_at{}, taken_at{};
  };
  using States = std::map<Key, State>;

  Impl(QueueConfig given, const Clock& time)
      : config(std::move(given)),
        clock(time),
        depth(metrics().queue_depth.Add({{"name", config.name}})),
        adds(metrics().queue_adds_total.Add({{"name", config.name}})),
        retries(metrics().queue_retries_total.Add({{"name", config.name}})),
        waited(metrics().queue_duration_seconds.Add({{"name", config.name}}, seconds_buckets())),
        worked(metrics().work_duration_seconds.Add({{"name", config.name}}, seconds_buckets())) {}

  void add(States::iterator it, bool low_priority) REQUIRES(mutex) {
    State& state = it->second;
    if (state.working) {
      state.again_low = state.again ? state.again_low && low_priority : low_priority;
      state.again = true;
      return;
    }
    if (state.queued) {
      if (state.low && !low_priority) {  // promoted; its place among the low ones is passed over
        state.low = false;
        high.push_back(it->first);
        waker.notify_one();
      }
      return;
    }
    state.queued = true;
    state.low = low_priority;
    state.queued_at = clock.boot_now();
    (low_priority ? low : high).push_back(it->first);
    adds.Increment();
    depth.Increment();
    waker.notify_one();
  }

  void add_due(BootTime now) REQUIRES(mutex) {
    while (!due.empty() && due.begin()->first <= now) {
      const auto it = states.find(due.begin()->second);
      due.erase(due.begin());
      it->second.due.reset();
      add(it, false);
    }
  }

  std::optional<Key> pop_from(std::deque<Key>& keys, bool is_low) REQUIRES(mutex) {
    while (!keys.empty()) {
      Key key = std::move(keys.front());
      keys.pop_front();
      const auto it = states.find(key);
      if (it == states.end() || !it->second.queued || it->second.low != is_low) continue;  // promoted meanwhile
      State& state = it->second;
      state.queued = false;
      state.working = true;
      state.taken_at = clock.boot_now();
      depth.Decrement();
      waited.Observe(seconds(state.taken_at - state.queued_at));
      return key;
    }
    return std::nullopt;
  }
  std::optional<Key> pop() REQUIRES(mutex) {
    add_due(clock.boot_now());
    if (auto key = pop_from(high, false)) return key;
    return pop_from(low, true);
  }

  void drop_if_idle(States::iterator it) REQUIRES(mutex) {
    const State& state = it->second;
    if (!state.queued && !state.working && !state.due && state.failures == 0) states.erase(it);
  }

  void add_after(States::iterator it, std::chrono::milliseconds delay) REQUIRES(mutex) {
    const BootTime now = clock.boot_now();
    add_due(now);  // a delay that is over is an addition of its own and must not swallow this one
    State& state = it->second;
    const BootTime at = now + delay;
    if (state.due && *state.due <= at) return;
    if (state.due) due.erase({*state.due, it->first});
    state.due = at;
    due.emplace(at, it->first);
    waker.notify_one();
  }

  const QueueConfig config;
  const Clock& clock;
  prometheus::Gauge& depth;
  prometheus::Counter& adds;
  prometheus::Counter& retries;
  prometheus::Histogram& waited;
  prometheus::Histogram& worked;

  Mutex mutex;
  std::condition_variable_any waker;
  States states GUARDED_BY(mutex);
  std::deque<Key> high GUARDED_BY(mutex), low GUARDED_BY(mutex);
  std::set<std::pair<BootTime, Key>> due GUARDED_BY(mutex);
};

WorkQueue::WorkQueue(QueueConfig config, const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(config), clock)) {}
WorkQueue::~WorkQueue() = default;

void WorkQueue::add(const Key& key, bool low_priority) {
  MutexLock lock(impl_->mutex);
  impl_->add(impl_->states.try_emplace(key).first, low_priority);
}

void WorkQueue::add_after(const Key& key, std::chrono::milliseconds delay) {
  MutexLock lock(impl_->mutex);
  const auto it = impl_->states.try_emplace(key).first;
  if (delay.count() <= 0) {
    impl_->add(it, false);
  } else {
    impl_->add_after(it, delay);
  }
}

void WorkQueue::retry(const Key& key) {
  MutexLock lock(impl_->mutex);
  const auto it = impl_->states.try_emplace(key).first;
  const unsigned doublings = std::min(it->second.failures++, 40u);
  const auto limit = impl_->config.backoff_limit.count(), base = impl_->config.backoff_base.count();
  const auto delay = base > limit >> doublings ? limit : base << doublings;
  impl_->retries.Increment();
  impl_->add_after(it, std::chrono::milliseconds(delay));
}

void WorkQueue::forget(const Key& key) {
  MutexLock lock(impl_->mutex);
  const auto it = impl_->states.find(key);
  if (it == impl_->states.end()) return;
  it->second.failures = 0;
  impl_->drop_if_idle(it);
}

std::optional<Key> WorkQueue::try_take() {
  MutexLock lock(impl_->mutex);
  return impl_->pop();
}

std::optional<Key> WorkQueue::take(std::stop_token stop) {
  MutexLock lock(impl_->mutex);
  while (!stop.stop_requested()) {
    if (auto key = impl_->pop()) return key;
    const auto ready = [this]() REQUIRES(impl_->mutex) {
      return !impl_->high.empty() || !impl_->low.empty() ||
             (!impl_->due.empty() && impl_->due.begin()->first <= impl_->clock.boot_now());
    };
    if (impl_->due.empty()) {
      impl_->waker.wait(lock, stop, [&]() REQUIRES(impl_->mutex) { return ready() || !impl_->due.empty(); });
    } else {
      // Woken early where something with an earlier time was added: then it is looked at afresh.
      const BootTime first = impl_->due.begin()->first;
      impl_->waker.wait_for(lock, stop, first - impl_->clock.boot_now(), [&]() REQUIRES(impl_->mutex) {
        return ready() || impl_->due.empty() || impl_->due.begin()->first < first;
      });
    }
  }
  return std::nullopt;
}

void WorkQueue::done(const Key& key) {
  MutexLock lock(impl_->mutex);
  const auto it = impl_->states.find(key);
  if (it == impl_->states.end() || !it->second.working) return;
  auto& state = it->second;
  impl_->worked.Observe(seconds(impl_->clock.boot_now() - state.taken_at));
  state.working = false;
  if (std::exchange(state.again, false)) {
    impl_->add(it, std::exchange(state.again_low, false));
  } else {
    impl_->drop_if_idle(it);
  }
}

}  // namespace twinspan::kube
