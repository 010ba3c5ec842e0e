// The workers that carry objects, and what came of them.
#pragma once
#include <atomic>
#include <string>
#include <vector>

#include "core/guarded.hpp"
#include "core/role_thread.hpp"
#include "engines/s3/both_ways.hpp"
#include "engines/s3/versions.hpp"
#include "engines/s3/work_queue.hpp"

namespace twinspan::s3 {

struct DeadLetter {
  std::string key;
  std::string error;
  int tries = 0;
  WallTime last_modified{};
};

inline constexpr size_t kDeadLettersKept = 10000;  // beyond it they are only counted

struct Tally {
  uint64_t replicated = 0, skipped = 0, failed = 0, gone = 0;
  uint64_t archived = 0;  // they can't be read until somebody has them restored
  uint64_t lost = 0;      // of `failed`: listed by the source, which answers that they are not there
  int64_t bytes = 0;
  std::optional<std::chrono::microseconds> worst_lag{};  // of an object: last modified to acknowledged by the target
};

// max workers from construction to destruction; the queue says how many of them work. Whoever destroys it stops it:
// half-done uploads stay, with their records.
class Transfers {
 public:
  // `both`: of a two-way link, else null.
  Transfers(Route& route, UploadRecords& records, BothWays* both = nullptr);
  ~Transfers();

  // `slot`: where it is noted that the copy was made. `of_sync`: a full sync found it, and counts it. `over` and
  // `foreign`: what it has found at the target, as Work has them.
  bool submit(Listed object, std::string target_etag, const std::stop_token& stop,
              std::shared_ptr<CopySlot> slot = nullptr, bool of_sync = true,
              std::optional<std::string> over = std::nullopt, std::optional<Listed> foreign = std::nullopt);
  // Of a link that carries all versions: the key's, as they are by then.
  bool submit_versions(Listed object, bool may_delete, const std::stop_token& stop, bool of_sync = true);
  // nullptr where only what is there now is carried.
  const VersionCarrier* versions() const { return versions_ ? &*versions_ : nullptr; }
  // Of a two-way link. Without a course both sides are looked at first.
  bool submit_key(Listed object, std::optional<Course> course, const std::stop_token& stop);
  // A key of the target that could not be removed; it is tried again by the next full sync.
  void note_undeleted(const std::string& key, const Error& error);
  bool wait_idle(const std::stop_token& stop) { return queue_.wait_idle(stop); }
  WorkQueue::Load load() const { return queue_.load(); }

  Tally tally() const;
  Tally lifetime() const;                                                 // of all tallies, from construction on
  std::optional<std::chrono::microseconds> take_worst_lag();              // and begins to measure anew
  bool holds(const std::string& key) const { return queue_.holds(key); }  // it is queued or under way
  void reset_tally();                                                     // and the dead letters
  // The first of them; tally().failed counts all.
  std::vector<DeadLetter> dead_letters(size_t max = kDeadLettersKept) const;

 private:
  Carrier& carrier(BothWays* both);
  bool push(Work work, const std::stop_token& stop);
  void work(int worker, const std::stop_token& stop);
  void settle(Work work, const Result<Outcome>& outcome, const std::stop_token& stop);
  void note(Work& work);
  void put_aside(Work work, const Error& error, const std::stop_token& stop);
  void give_up(Work work, const Error& error, const std::stop_token& stop);

  Route& route_;
  WorkQueue queue_;
  Transfer there_;
  std::optional<Transfer> back_;  // these two of a two-way link
  std::optional<Reconciler> reconciler_;
  std::optional<VersionCarrier> versions_;  // of a link that carries all versions
  Carrier& carrier_;
  mutable Mutex mutex_;
  Tally tally_ GUARDED_BY(mutex_), lifetime_ GUARDED_BY(mutex_);
  std::vector<DeadLetter> dead_letters_ GUARDED_BY(mutex_);
  std::stop_source stop_;
  std::vector<RoleThread> workers_;
};

}  // namespace twinspan::s3
