// One full sync: both sides listed, what differs carried over, what is extra removed where that was asked for.
#pragma once
#include <atomic>
#include <functional>

#include "core/guarded.hpp"
#include "core/json.hpp"
#include "engines/s3/copy_index.hpp"
#include "engines/s3/deletes.hpp"
#include "engines/s3/transfers.hpp"
#include "engines/s3/walk.hpp"

namespace twinspan::s3 {

struct SyncProgress {
  uint64_t total = 0;  // objects of the source seen so far; of a two-way link, keys of either side
  uint64_t replicated = 0, skipped = 0, failed = 0;
  uint64_t extra = 0;              // keys of the target that the source lacks
  uint64_t deleted = 0;            // of them
  uint64_t conflicts = 0;          // keys of a two-way link that both sides had written
  uint64_t versions = 0;           // carried, of a link that carries all of them; the other counters are of keys
  uint64_t unaligned = 0;          // keys whose target ended with a version that the source doesn't have
  uint64_t archived = 0;           // objects of the source that can't be read until they are restored
  uint64_t lost = 0;               // of `failed`: the source lists them, and answers that they are not there
  int64_t bytes = 0;               // replicated
  std::string deletes_withheld{};  // why nothing was deleted although deletes are replicated
  bool tried = false;              // both sides were listed to their ends and everything was tried
  bool complete = false;           // that, and the source gave what it listed
  std::string error{};             // why not
  WallTime started_at{};
  std::optional<WallTime> completed_at{};
  bool operator==(const SyncProgress&) const = default;
};

// Once. Nothing else may submit to `transfers` meanwhile, but for `beside`.
class SyncRun {
 public:
  // `both`: of a two-way link, else null; what `transfers` was made with.
  SyncRun(Route& route, UploadRecords& records, Transfers& transfers, BothWays* both = nullptr)
      : route_(route),
        records_(records),
        transfers_(transfers),
        both_(both),
        conflicts_before_(both ? both->conflicts.load() : 0),
        index_(std::make_shared<CopyIndex>(route)) {}

  // Ends early only by `stop` or where a side can't be listed. Objects that failed are counted, and named by
  // transfers.dead_letters().
  // `beside` runs in a thread of its own while both sides are listed, and only then may anything else be submitted:
  // what was found half done is put away afterwards, and that must not meet what has just begun.
  SyncProgress run(std::stop_token stop, const std::function<void(std::stop_token)>& beside = nullptr);
  SyncProgress progress() const;  // any thread

 private:
  Status walk_and_carry(const std::stop_token& stop, const std::function<void(std::stop_token)>& beside);
  Status recover(const std::stop_token& stop);
  Status learn_traits(const std::stop_token& stop);
  Status abandon(const std::stop_token& stop);
  Status visit_both_ways(const Listed* source, const Listed* target, const std::stop_token& stop);
  Status visit(const Listed* source, const Listed* target, const std::stop_token& stop);
  Status visit_versions(const Listed* source, const Listed* target, const std::stop_token& stop);
  Status remove_extra(bool listing_complete, const std::stop_token& stop);
  Status delete_marked(bool listing_complete, const std::stop_token& stop);
  DeletePlan plan_removal(bool listing_complete);

  Route& route_;
  UploadRecords& records_;
  Transfers& transfers_;
  BothWays* const both_;
  const uint64_t conflicts_before_;
  const std::shared_ptr<CopyIndex> index_;
  std::atomic<uint64_t> total_{0}, equal_{0};  // of our share
  std::atomic<uint64_t> others_{0};            // objects of the source that are other shares'
  std::atomic<uint64_t> shown_{0};             // keys of the source, of all shares, whose latest is no delete marker
  mutable Mutex mutex_;
  ExtraKeys extra_ GUARDED_BY(mutex_);
  uint64_t strange_ GUARDED_BY(mutex_) =
      0;  // keys of the target that the source never had, where all versions are carried
  uint64_t versions_before_ GUARDED_BY(mutex_) = 0, unaligned_before_ GUARDED_BY(mutex_) = 0;
  SyncProgress fixed_ GUARDED_BY(mutex_);  // what counters don't tell
};

}  // namespace twinspan::s3
