// All keys of both sides, compared in parallel: ranges of keys, each walked in order by one thread.
#pragma once
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <stop_token>
#include <vector>

#include "core/guarded.hpp"
#include "engines/s3/listing.hpp"

namespace twinspan::s3 {

// Memory is a few pages per lister, however large the buckets are. Who has nothing left to list takes over half of what
// another has before it.
class Walk {
 public:
  // Either may be null, not both. Called by several threads at once, in order within a range. It may block.
  using Visit = std::function<Status(const Listed* source, const Listed* target)>;

  Walk(const Settings& settings, Side source, Side target)
      : settings_(settings), source_(std::move(source)), target_(std::move(target)) {}

  // Once. Success means that both sides were listed to their ends: only then may absence be concluded. A range whose
  // listing fails is taken up again where it was, as often as settings.retries allow.
  // `moved_on` is called by a lister's thread when what it has visited so far no longer belongs to the rest.
  Status run(std::vector<KeyRange> ranges, const Visit& visit, std::stop_token stop,
             std::function<void()> moved_on = nullptr);
  // `began` is called by a lister's thread before it visits what comes after a key: the begin of a range, or where one
  // is taken up again. Before run().
  void on_range(std::function<void(const std::string& after)> began) { began_ = std::move(began); }
  // What is left to be visited, where a walk may be continued. `look` sees it between two calls of moved_on.
  void with_rest(const std::function<void(std::vector<KeyRange> rest)>& look) const;
  std::vector<KeyRange> rest() const;

 private:
  void list(size_t lister, const Visit& visit, const std::stop_token& stop);
  Status walk_range(size_t lister, KeyRange range, const Visit& visit, const std::stop_token& stop);
  void move_on(size_t lister, const KeyRange& range);
  void split(size_t lister, KeyRange& range, const std::stop_token& stop);
  bool wants_work() const;

  const Settings& settings_;
  const Side source_, target_;
  mutable Mutex mutex_;
  std::condition_variable_any waker_;
  std::deque<KeyRange> pending_ GUARDED_BY(mutex_);
  std::map<size_t, KeyRange> active_ GUARDED_BY(mutex_);
  std::function<void()> moved_on_ GUARDED_BY(mutex_);
  std::function<void(const std::string&)> began_;
  size_t idle_ GUARDED_BY(mutex_) = 0;
  std::optional<Error> error_ GUARDED_BY(mutex_);
  std::vector<KeyRange> failed_ GUARDED_BY(mutex_);
};

}  // namespace twinspan::s3
