// The workers that carry objects, and what came of them.
#pragma once
#include <atomic>
#include <string>
#include <thread>
#include <vector>

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

  // `slot`: where it is noted that the copy was made. `of_sync`: a full sync found it, and counts it.
  bool submit(Listed object, std::string target_etag, const std::stop_token& stop,
              std::shared_ptr<CopySlot> slot = nullptr, bool of_sync = true);
  // Of a link that carries all versions: the key's, as they are by then.
  bool submit_versions(Listed object, bool may_delete, const std::stop_token& stop, bool of_sync = true);
  // nullptr where only what is there now is carried.
  const VersionCarrier* versions() const { return versions_ ? &*versions_ : nullptr; }
  // Of a two-way link. Without a course both sides are looked at first.
  bool submit_key(Listed object, std::optional<Course> course, const std::stop_token& stop);
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
  void give_up(Work work, const Error& error, const std::stop_token& stop);

  Route& route_;
  WorkQueue queue_;
  Transfer there_;
  std::optional<Transfer> back_;  // these two of a two-way link
  std::optional<Reconciler> reconciler_;
  std::optional<VersionCarrier> versions_;  // of a link that carries all versions
  Carrier& carrier_;
  mutable std::mutex mutex_;
  Tally tally_, lifetime_;
  std::vector<DeadLetter> dead_letters_;
  std::stop_source stop_;
  std::vector<std::jthread> workers_;
};

}  // namespace twinspan::s3
