// A queue of keys: each at most once in it, never one key handed out twice at once, retries with back-off per key.
#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "core/clock.hpp"
#include "kube/resource.hpp"

namespace twinspan::kube {

struct QueueConfig {
  std::string name{};  // the `name` label of workqueue_* metrics
  std::chrono::milliseconds backoff_base{5};
  std::chrono::milliseconds backoff_limit{60000};
};

// Any thread may call any method. Metrics: workqueue_depth, _adds_total, _queue_duration_seconds,
// _work_duration_seconds, _retries_total.
class WorkQueue {
 public:
  WorkQueue(QueueConfig config, const Clock& clock);
  ~WorkQueue();

  void add(const Key& key, bool low_priority = false);  // low: initial lists, behind everything that changed since
  void add_after(const Key& key, std::chrono::milliseconds delay);  // the earliest of several delays counts
  void retry(const Key& key);                                       // after backoff_base * 2^failures
  void forget(const Key& key);  // it succeeded, or was given up: the next retry starts from the base again
  // Blocks; nullopt once stopped. The key is the caller's until done(); if it was added meanwhile it is handed out
  // again then.
  std::optional<Key> take(std::stop_token stop);
  std::optional<Key> try_take();  // nullopt where nothing is ready now
  void done(const Key& key);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace twinspan::kube
