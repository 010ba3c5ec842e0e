#include "engines/s3/sync.hpp"

#include <fmt/format.h>

#include "core/log.hpp"
#include "core/role_thread.hpp"
#include "engines/s3/likeness.hpp"
#include "engines/s3/probe.hpp"
#include "engines/s3/ranges.hpp"
#include "engines/s3/removal.hpp"

namespace twinspan::s3 {

SyncProgress SyncRun::run(std::stop_token stop, const std::function<void(std::stop_token)>& beside) {
  {
    MutexLock lock(mutex_);
    fixed_.started_at = route_.clock.wall_now();
  }
  transfers_.reset_tally();
  if (const VersionCarrier* versions = transfers_.versions()) {
    MutexLock lock(mutex_);
    versions_before_ = versions->versions();
    unaligned_before_ = versions->unaligned();
  }
  const Status walked = walk_and_carry(stop, beside);
  MutexLock lock(mutex_);
  const uint64_t lost = transfers_.tally().lost;
  fixed_.tried = walked.has_value();
  fixed_.complete = fixed_.tried && lost == 0;
  if (!walked) fixed_.error = walked.error().message;
  if (walked && lost > 0)
    fixed_.error =
        fmt::format("{} listed by the source, which answers that {} not there",
                    lost == 1 ? "1 object is" : fmt::format("{} objects are", lost), lost == 1 ? "it is" : "they are");
  fixed_.completed_at = route_.clock.wall_now();
  lock.unlock();
  return progress();
}

Status SyncRun::recover(const std::stop_token& stop) {
  if (route_.settings.all_versions)
    if (Status kept = keep_versions(route_, stop); !kept) return kept;
  if (Status recovered = records_.recover(stop); !recovered) return recovered;
  if (!both_) return learn_traits(stop);
  if (Status recovered = both_->records.recover(stop); !recovered) return recovered;
  return both_->probe(stop);
}

// Nothing is written before it is known: a request without a precondition that arrives late may write over a client's.
Status SyncRun::learn_traits(const std::stop_token& stop) {
  if (!route_.settings.guarded || route_.traits_known) return {};
  const auto traits = probe_bucket(route_.target.bucket, name_of_share(route_.settings.link, route_.settings.share),
                                   route_.settings, stop);
  if (!traits) return std::unexpected(traits.error());
  route_.conditional_puts = traits->conditional_puts;
  route_.conditional_completes = traits->conditional_completes;
  route_.conditional_copies = traits->conditional_copies;
  route_.traits_known = true;
  return {};
}

Status SyncRun::abandon(const std::stop_token& stop) {
  if (Status abandoned = records_.abandon(stop); !abandoned || !both_) return abandoned;
  return both_->records.abandon(stop);
}

Status SyncRun::walk_and_carry(const std::stop_token& stop, const std::function<void(std::stop_token)>& beside) {
  if (Status recovered = recover(stop); !recovered) return recovered;
  Walk walk(route_.settings, route_.source, route_.target);
  if (!route_.settings.all_versions) walk.on_range([this](const std::string& after) { index_->begin_range(after); });
  RoleThread others("follower");
  if (beside) others.start(beside);
  const Status walked = walk.run(
      ranges_by_priority(route_.settings.priorities),
      [&](const Listed* source, const Listed* target) { return visit(source, target, stop); }, stop);
  others.stop();
  if (!transfers_.wait_idle(stop)) return fail(Code::kCancelled, "stopped");
  // What was found half done and not missed any more. After half a listing it may be missed still.
  if (walked)
    if (Status abandoned = abandon(stop); !abandoned) return abandoned;
  if (both_) return walked;
  if (walked && !route_.settings.all_versions)
    if (Status kept = index_->finish(stop); !kept)
      log::warn("index of copies not stored", {{"link", route_.settings.link}, {"error", kept.error().message}});
  const bool versions = route_.settings.all_versions;
  const Status removed = versions ? delete_marked(walked.has_value(), stop) : remove_extra(walked.has_value(), stop);
  return walked ? removed : walked;
}

// What is on one side only goes to the other. What differs is looked at on both sides, unless it is remembered.
Status SyncRun::visit_both_ways(const Listed* source, const Listed* target, const std::stop_token& stop) {
  const Listed& one = source ? *source : *target;
  const bool late = route_.settings.late_since > WallTime{};
  if (late && !source && target->last_modified < route_.settings.late_since) return {};
  if (one.key.empty() && (source ? route_.target : route_.source).prefix.empty()) return {};  // has no name there
  total_.fetch_add(1, std::memory_order_relaxed);
  if (source && target) {
    const auto since = both_->memory.since(one.key, *source, *target);
    const bool remembered = since && since->source_unchanged && since->target_unchanged;
    if (remembered || likeness(*source, *target) == Likeness::kEqual) {
      if (!remembered) both_->memory.remember(one.key, *source, *target);
      equal_.fetch_add(1, std::memory_order_relaxed);
      return {};
    }
  }
  Listed object = source && target && target->last_modified > source->last_modified ? *target : one;
  std::optional<Course> course;
  if (!target || (!source && !late)) course = Course{.back = !source};
  if (!transfers_.submit_key(std::move(object), std::move(course), stop)) return fail(Code::kCancelled, "stopped");
  return {};
}

Status SyncRun::visit(const Listed* source, const Listed* target, const std::stop_token& stop) {
  const bool ours = route_.settings.share.has(source ? source->key : target->key);
  if (both_) return ours ? visit_both_ways(source, target, stop) : Status{};
  if (route_.settings.all_versions) return visit_versions(source, target, stop);
  if (!source) {
    MutexLock lock(mutex_);
    if (target->last_modified < route_.settings.deletes.not_before) {
      extra_.older += ours;
      return {};
    }
    ++extra_.count;
    if (!ours) {
      ++extra_.others;
      return {};
    }
    // One more than the cap is not needed: the count tells.
    if (extra_.keys.size() < route_.settings.deletes.max_per_sync &&
        route_.settings.deletes.mode == DeleteMode::kReplicate)
      extra_.keys.push_back(target->key);
    return {};
  }
  if (source->key.empty() && route_.target.prefix.empty()) return {};  // has no name there
  if (!ours) {
    others_.fetch_add(1, std::memory_order_relaxed);
    return {};
  }
  total_.fetch_add(1, std::memory_order_relaxed);
  Likeness alike = target ? likeness(route_.settings, *source, *target) : Likeness::kDifferent;
  if (alike == Likeness::kEqual) {
    equal_.fetch_add(1, std::memory_order_relaxed);
    return {};
  }
  const auto slot = std::make_shared<CopySlot>(index_, index_->place(source->key, stop));
  if (alike == Likeness::kUnsure) {
    const Known known = index_->look(*source, *target, stop);
    if (known == Known::kSame) {
      slot->note(copy_mark(route_.settings, *source, target->etag, true));
      equal_.fetch_add(1, std::memory_order_relaxed);
      return {};
    }
    const bool digests = route_.settings.stored.plain() && !route_.settings.restore && !route_.source_etags_opaque &&
                         !route_.target_etags_opaque;
    if (known == Known::kOther || (digests && written_since(*source, *target))) alike = Likeness::kDifferent;
  }
  std::optional<Listed> foreign;
  if (target && is_foreign(route_.settings, *target)) foreign = *target;
  if (!transfers_.submit(*source, alike == Likeness::kUnsure ? target->etag : "", stop, slot, true,
                         target ? target->etag : "", std::move(foreign)))
    return fail(Code::kCancelled, "stopped");
  return {};
}

// A key whose histories differ, or can't be told to be the same by their listings, is looked at when its turn comes.
// What would hide an object that the target shows waits for the end of the walk; where the target shows none, nothing
// is lost by it.
Status SyncRun::visit_versions(const Listed* source, const Listed* target, const std::stop_token& stop) {
  const bool shown = target && !target->delete_marker;
  const bool ours = route_.settings.share.has(source ? source->key : target->key);
  if (!source) {
    MutexLock lock(mutex_);
    strange_ += shown && ours;
    return {};
  }
  if (source->key.empty() && route_.target.prefix.empty()) return {};  // has no name there
  if (!source->delete_marker) shown_.fetch_add(1, std::memory_order_relaxed);
  Histories both{history_of(source), history_of(target)};
  const DeletePolicy& deletes = route_.settings.deletes;
  const AppendPlan plan = plan_append(deletes.mode, both);
  const bool deleted = source->delete_marker && shown;
  if (deleted) {
    MutexLock lock(mutex_);
    ++extra_.count;
    extra_.others += !ours;
    if (ours && extra_.keys.size() <= deletes.max_per_sync && deletes.mode == DeleteMode::kReplicate)
      extra_.keys.push_back(source->key);
  }
  if (!ours) return {};
  total_.fetch_add(1, std::memory_order_relaxed);
  const size_t last = both.source.size() - (deleted && deletes.mode == DeleteMode::kReplicate ? 1 : 0);
  if (!plan.ask && plan.from >= last) {
    equal_.fetch_add(1, std::memory_order_relaxed);
    return {};
  }
  Listed object;
  object.key = source->key;
  object.last_modified = plan.ask ? source->last_modified : both.source[plan.from].last_modified;
  const bool may_delete = deletes.mode == DeleteMode::kReplicate && !shown;
  if (!transfers_.submit_versions(std::move(object), may_delete, stop)) return fail(Code::kCancelled, "stopped");
  return {};
}

DeletePlan SyncRun::plan_removal(bool listing_complete) {
  MutexLock lock(mutex_);
  extra_.listing_complete = listing_complete;
  extra_.source_objects = route_.settings.all_versions ? shown_.load() : total_ + others_;
  DeletePlan plan = plan_deletes(route_.settings.deletes, extra_);
  fixed_.deletes_withheld = to_string(plan.withheld);
  if (plan.withheld != DeletesWithheld::kNo && plan.withheld != DeletesWithheld::kNotOurs)
    log::warn("extra keys of the target are kept", {{"link", route_.settings.link},
                                                    {"reason", to_string(plan.withheld)},
                                                    {"extra", extra_.count},
                                                    {"older_than_link", extra_.older}});
  return plan;
}

// Markers at the end of what the source has, on what the target shows.
Status SyncRun::delete_marked(bool listing_complete, const std::stop_token& stop) {
  const DeletePlan plan = plan_removal(listing_complete);
  const uint64_t before = transfers_.versions()->markers();
  for (const std::string& key : plan.keys) {
    Listed object;
    object.key = key;
    object.last_modified = route_.clock.wall_now();
    if (!transfers_.submit_versions(std::move(object), true, stop, false)) return fail(Code::kCancelled, "stopped");
  }
  if (!transfers_.wait_idle(stop)) return fail(Code::kCancelled, "stopped");
  MutexLock lock(mutex_);
  fixed_.deleted = transfers_.versions()->markers() - before;
  return {};
}

Status SyncRun::remove_extra(bool listing_complete, const std::stop_token& stop) {
  const DeletePlan plan = plan_removal(listing_complete);
  if (plan.keys.empty()) return {};
  const auto removed = remove_confirmed(route_, plan.keys, stop);
  if (!removed) return std::unexpected(removed.error());
  for (const auto& [key, error] : removed->failed) transfers_.note_undeleted(key, error);
  MutexLock lock(mutex_);
  fixed_.deleted = removed->count;
  if (removed->older > 0) fixed_.deletes_withheld = to_string(DeletesWithheld::kNotOurs);
  if (removed->unmarked > 0) fixed_.deletes_withheld = to_string(DeletesWithheld::kNoMarker);
  if (removed->source_empty) fixed_.deletes_withheld = to_string(DeletesWithheld::kSourceEmpty);
  return {};
}

SyncProgress SyncRun::progress() const {
  const Tally tally = transfers_.tally();
  MutexLock lock(mutex_);
  SyncProgress progress = fixed_;
  progress.total = total_ - std::min<uint64_t>(total_, tally.gone);
  progress.replicated = tally.replicated;
  progress.skipped = equal_ + tally.skipped;
  progress.failed = tally.failed;
  progress.archived = tally.archived;
  progress.lost = tally.lost;
  progress.extra = extra_.count - extra_.others + extra_.older + strange_;
  progress.bytes = tally.bytes;
  if (both_) progress.conflicts = both_->conflicts - conflicts_before_;
  if (const VersionCarrier* versions = transfers_.versions()) {
    progress.versions = versions->versions() - versions_before_;
    progress.unaligned = versions->unaligned() - unaligned_before_;
  }
  return progress;
}

}  // namespace twinspan::s3
