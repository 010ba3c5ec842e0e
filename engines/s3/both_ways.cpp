#include "engines/s3/both_ways.hpp"

#include <fmt/format.h>

#include "core/log.hpp"
#include "engines/s3/conflict_copy.hpp"
#include "engines/s3/probe.hpp"

namespace twinspan::s3 {
namespace {

// nullopt: there is no such object.
Result<std::optional<Head>> look(const Side& side, const std::string& key, const std::stop_token& stop) {
  auto head = side.bucket.head(side.prefix + key, stop);
  if (!head && head.error().code == Code::kNotFound) return std::optional<Head>();
  if (!head) return std::unexpected(head.error());
  head->object.key = key;
  return std::optional<Head>(std::move(*head));
}

// What was begun is of use only for the same bytes, the same way.
bool still_wanted(const Work& work, const std::optional<Course>& before) {
  return before && work.course && before->back == work.course->back && work.upload &&
         work.upload->source_etag() == work.object.etag;
}

}  // namespace

Present present_of(const Head& head, const Side& other, const std::string& key) {
  return {head.object.etag, head.object.size_bytes, std::chrono::floor<std::chrono::seconds>(head.object.last_modified),
          claim_of(head.metadata, place_of(other), key, head.object.etag)};
}

Status BothWays::probe(const std::stop_token& stop) {
  if (probed) return {};
  for (auto [to, from] : {std::pair{&there, &back}, {&back, &there}}) {
    const auto traits =
        probe_bucket(to->target.bucket, name_of_share(to->settings.link, to->settings.share), to->settings, stop);
    if (!traits) return std::unexpected(traits.error());
    to->conditional_puts = traits->conditional_puts;
    to->conditional_completes = traits->conditional_completes;
    to->target_etags_opaque = traits->etags_opaque;
    from->source_etags_opaque = traits->etags_opaque;
  }
  probed = true;
  return {};
}

Result<Outcome> Reconciler::carry(Work& work, const std::stop_token& stop) {
  // What a listing found on one side only needs no look: the other's precondition is that nothing be there.
  if (!work.course || work.tries > 0) {
    const auto decided = decide(work, stop);
    if (!decided || *decided != Outcome::kReplicated) return decided;
  }
  Result<Outcome> carried = way(work).carry(work, stop);
  const bool gone = carried && *carried == Outcome::kGone;
  if (gone || (!carried && carried.error().code == Code::kAlreadyExists))
    return fail(Code::kConflict, fmt::format("\"{}\" has changed since it was looked at", work.object.key));
  return carried;
}

// kReplicated: it is to be carried, the way that work.course says.
Result<Outcome> Reconciler::decide(Work& work, const std::stop_token& stop) {
  const std::string key = work.object.key;
  const Side &source = both_.there.source, &target = both_.there.target;
  const auto ours = look(source, key, stop);
  if (!ours) return std::unexpected(ours.error());
  const auto theirs = look(target, key, stop);
  if (!theirs) return std::unexpected(theirs.error());
  const std::optional<Course> before = work.course;
  Ruling ruling{*ours ? Newer::kSource : *theirs ? Newer::kTarget : Newer::kNeither};
  if (*ours && *theirs) {
    const Listed &a = (*ours)->object, &b = (*theirs)->object;
    ruling = rule_on(present_of(**ours, target, key), present_of(**theirs, source, key), both_.memory.since(key, a, b),
                     turned(a, b));
    if (before && !work.wrote.empty() && (before->back ? a : b).etag == work.wrote)
      ruling = {before->back ? Newer::kTarget : Newer::kSource};
    if (ruling.newer == Newer::kNeither) both_.memory.remember(key, a, b);
  }
  if (!*ours && *theirs && deleted_at_source(**theirs, key)) ruling.newer = Newer::kNeither;
  if (ruling.newer == Newer::kNeither) {
    if (Status discarded = discard(work, stop); !discarded) return std::unexpected(discarded.error());
    return *ours ? Outcome::kEqual : Outcome::kGone;
  }
  const bool back = ruling.newer == Newer::kTarget;
  const std::optional<Head>&winner = back ? *theirs : *ours, &loser = back ? *ours : *theirs;
  Work next = work;
  next.object = winner->object;
  next.course = Course{back, loser ? loser->object.etag : ""};
  if (!still_wanted(next, before)) {
    if (Status discarded = discard(work, stop); !discarded) return std::unexpected(discarded.error());
    next.upload.reset();
    next.odd_md5.clear();
  }
  work = std::move(next);
  if (!ruling.conflict) return Outcome::kReplicated;
  if (Status kept = keep_loser(back ? source : target, loser->object, stop); !kept)
    return std::unexpected(kept.error());
  if (!std::exchange(work.conflict_counted, true)) ++both_.conflicts;
  log::warn("conflict: both sides wrote, the newest wins, the other is kept",
            {{"link", both_.there.settings.link},
             {"key", key},
             {"wins", back ? "target" : "source"},
             {"kept", conflict_name((back ? source : target).prefix + key, loser->object.etag)}});
  return Outcome::kReplicated;
}

std::optional<Turned> Reconciler::turned(const Listed& ours, const Listed& theirs) const {
  const Settings& settings = both_.there.settings;
  if (!settings.source_leads) return std::nullopt;
  Turned turned{std::chrono::floor<std::chrono::seconds>(ours.last_modified) <= settings.led_since};
  if (settings.late_since > WallTime{}) turned.target_since = theirs.last_modified >= settings.late_since;
  return turned;
}

// It was there when both sides were last the same, or is a copy of what the source had.
bool Reconciler::deleted_at_source(const Head& theirs, const std::string& key) const {
  const WallTime since = both_.there.settings.late_since;
  if (since == WallTime{}) return false;
  return theirs.object.last_modified < since || present_of(theirs, both_.there.source, key).claim.proof != Proof::kNone;
}

Result<Outcome> Reconciler::refresh(Work&, const std::stop_token&) { return Outcome::kReplicated; }  // carry() looks

Status Reconciler::discard(Work& work, const std::stop_token& stop) { return way(work).discard(work, stop); }

}  // namespace twinspan::s3
