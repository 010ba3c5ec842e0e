#include "engines/s3/sync.hpp"

#include "core/log.hpp"
#include "engines/s3/likeness.hpp"
#include "engines/s3/ranges.hpp"

namespace twinspan::s3 {

SyncProgress SyncRun::run(std::stop_token stop) {
  {
    std::lock_guard lock(mutex_);
    fixed_.started_at = route_.clock.wall_now();
  }
  transfers_.reset_tally();
  const Status walked = walk_and_carry(stop);
  std::unique_lock lock(mutex_);
  fixed_.complete = walked.has_value();
  if (!walked) fixed_.error = walked.error().message;
  fixed_.completed_at = route_.clock.wall_now();
  lock.unlock();
  return progress();
}

Status SyncRun::walk_and_carry(const std::stop_token& stop) {
  if (Status recovered = records_.recover(stop); !recovered) return recovered;
  Walk walk(route_.settings, route_.source, route_.target);
  const Status walked = walk.run(
      ranges_by_priority(route_.settings.priorities),
      [&](const Listed* source, const Listed* target) { return visit(source, target, stop); }, stop);
  if (!transfers_.wait_idle(stop)) return fail(Code::kCancelled, "stopped");
  // What was found half done and not missed any more. After half a listing it may be missed still.
  if (walked)
    if (Status abandoned = records_.abandon(stop); !abandoned) return abandoned;
  const Status removed = remove_extra(walked.has_value(), stop);
  return walked ? removed : walked;
}

Status SyncRun::visit(const Listed* source, const Listed* target, const std::stop_token& stop) {
  if (!source) {
    std::lock_guard lock(mutex_);
    ++extra_.count;
    // One more than the cap is not needed: the count tells.
    if (extra_.keys.size() < route_.settings.deletes.max_per_sync &&
        route_.settings.deletes.mode == DeleteMode::kReplicate)
      extra_.keys.push_back(target->key);
    return {};
  }
  if (source->key.empty() && route_.target.prefix.empty()) return {};  // has no name there
  total_.fetch_add(1, std::memory_order_relaxed);
  const Likeness alike = target ? likeness(*source, *target) : Likeness::kDifferent;
  if (alike == Likeness::kEqual) {
    equal_.fetch_add(1, std::memory_order_relaxed);
    return {};
  }
  if (!transfers_.submit(*source, alike == Likeness::kUnsure ? target->etag : "", stop))
    return fail(Code::kCancelled, "stopped");
  return {};
}

Status SyncRun::remove_extra(bool listing_complete, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  extra_.listing_complete = listing_complete;
  extra_.source_objects = total_;
  DeletePlan plan = plan_deletes(route_.settings.deletes, extra_);
  fixed_.deletes_withheld = to_string(plan.withheld);
  lock.unlock();
  if (plan.withheld != DeletesWithheld::kNo)
    log::warn("extra keys of the target are kept",
              {{"link", route_.settings.link}, {"reason", to_string(plan.withheld)}, {"extra", extra_.count}});
  return plan.keys.empty() ? Status{} : remove_confirmed(std::move(plan.keys), stop);
}

// A listing may lag behind, and the object may have come back since: the source is asked for each key once more.
Status SyncRun::remove_confirmed(std::vector<std::string> keys, const std::stop_token& stop) {
  std::vector<std::string> gone;
  for (std::string& key : keys) {
    const auto head = route_.source.bucket.head(route_.at_source(key), stop);
    if (head) continue;
    if (head.error().code != Code::kNotFound) return std::unexpected(head.error());
    gone.push_back(route_.at_target(key));
  }
  // "Not found" is also what a bucket answers that is gone itself.
  ListRequest request;
  request.prefix = route_.source.prefix;
  request.max_keys = 1;
  const auto page = route_.source.bucket.list(request, stop);
  if (!page) return std::unexpected(page.error());
  if (page->objects.empty()) {
    std::lock_guard lock(mutex_);
    fixed_.deletes_withheld = to_string(DeletesWithheld::kSourceEmpty);
    return {};
  }
  constexpr size_t kBatch = 1000;
  for (size_t at = 0; at < gone.size(); at += kBatch) {
    const std::vector<std::string> batch(gone.begin() + static_cast<ptrdiff_t>(at),
                                         gone.begin() + static_cast<ptrdiff_t>(std::min(at + kBatch, gone.size())));
    const auto removed = route_.target.bucket.remove(batch, stop);
    if (!removed) return std::unexpected(removed.error());
    for (const DeleteResult& result : *removed) {
      if (!result.outcome) return std::unexpected(result.outcome.error());
      deleted_.fetch_add(1, std::memory_order_relaxed);
    }
  }
  return {};
}

SyncProgress SyncRun::progress() const {
  const Tally tally = transfers_.tally();
  std::lock_guard lock(mutex_);
  SyncProgress progress = fixed_;
  progress.total = total_ - std::min<uint64_t>(total_, tally.gone);
  progress.replicated = tally.replicated;
  progress.skipped = equal_ + tally.skipped;
  progress.failed = tally.failed;
  progress.extra = extra_.count;
  progress.deleted = deleted_;
  progress.bytes = tally.bytes;
  return progress;
}

}  // namespace twinspan::s3
