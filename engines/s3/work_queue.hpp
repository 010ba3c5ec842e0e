// What is to be carried: highest priority first, then the oldest. And how many workers carry it.
#pragma once
#include <condition_variable>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <tuple>
#include <unordered_set>
#include <variant>
#include <vector>

#include "core/guarded.hpp"
#include "engines/s3/transfer.hpp"

namespace twinspan::s3 {

// An object, or an upload that others carry parts of already and that could do with help.
using Task = std::variant<Work, std::shared_ptr<Multipart>>;

// Any thread. A task that next() gave out ends with done() or retry(). Workers are numbered from 0; those beyond the
// current width wait.
class WorkQueue {
 public:
  struct Load {
    size_t queued = 0;                 // objects not begun and parts not begun
    size_t keys = 0;                   // objects not begun or under way
    int active = 0;                    // objects under way
    int width = 0;                     // workers that may work
    std::optional<WallTime> oldest{};  // last modified of the oldest object that is not at the target yet
  };

  WorkQueue(const Clock& clock, const Concurrency& concurrency, size_t max);

  // Waits while it is full; false: stopped. A key that is held already is not taken again: no object is carried twice
  // at once.
  bool push(Work work, const std::stop_token& stop);
  std::optional<Task> next(int worker, const std::stop_token& stop);
  void done(const Work& work);
  void retry(Work work, std::chrono::nanoseconds after);
  void share(std::shared_ptr<Multipart> upload);
  bool holds(const std::string& key) const;     // queued or under way
  bool wait_idle(const std::stop_token& stop);  // nothing queued, nothing under way
  Load load() const;

 private:
  using Order = std::tuple<int, WallTime, uint64_t>;  // priority negated, age, sequence

  void insert(Work work) REQUIRES(mutex_);
  void adjust_width() REQUIRES(mutex_);
  std::optional<BootTime> wake_delayed() REQUIRES(mutex_);
  std::shared_ptr<Multipart> one_to_help() REQUIRES(mutex_);
  size_t queued() const REQUIRES(mutex_);

  const Clock& clock_;
  const Concurrency concurrency_;
  const size_t max_;
  mutable Mutex mutex_;
  std::condition_variable_any work_, bench_, room_, idle_;
  std::map<Order, Work> ready_ GUARDED_BY(mutex_);
  std::multimap<BootTime, Work> delayed_ GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Multipart>> shared_ GUARDED_BY(mutex_);
  std::multiset<WallTime> outstanding_ GUARDED_BY(mutex_);
  std::unordered_set<std::string> keys_ GUARDED_BY(mutex_);  // queued or under way
  uint64_t sequence_ GUARDED_BY(mutex_) = 0;
  int active_ GUARDED_BY(mutex_) = 0, width_ GUARDED_BY(mutex_);
  BootTime adjusted_at_ GUARDED_BY(mutex_){};
};

}  // namespace twinspan::s3
