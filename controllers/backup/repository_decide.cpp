#include "controllers/backup/repository_decide.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "controllers/backup/dropped_log.hpp"

namespace twinspan::controllers {
namespace {

using api::ConditionStatus;
using std::chrono::minutes, std::chrono::seconds;

constexpr size_t kWindowsShownMost = 100;
constexpr const char* kNotStored = "not in the repository";

// nullopt: a line can't be read, so that nothing is known.
std::optional<backup::Listing> listing_of(const BackupReport::Repository& told) {
  backup::Listing listing;
  listing.listed_at = WallTime(seconds(told.listed));
  listing.trouble = told.trouble;
  for (const std::string& line : told.backups) {
    auto backup = backup::backup_of_line(line);
    if (!backup) return std::nullopt;
    listing.backups.push_back(std::move(*backup));
  }
  backup::complete_needs(listing.backups);
  for (const std::string& line : told.log) {
    const auto run = backup::run_of_line(line);
    if (!run) return std::nullopt;
    listing.log.push_back(*run);
  }
  for (const std::string& line : told.lineage) {
    const auto one = backup::lineage_of_line(line);
    if (!one) return std::nullopt;
    listing.lineage.push_back(*one);
  }
  if (const auto run = backup::run_of_line(told.commit_log); run && told.commit > 0)
    listing.commit = backup::SeenCommit{run->timeline, run->first, WallTime(seconds(told.commit))};
  if (told.clock_ahead) listing.clock_ahead = seconds(*told.clock_ahead);
  return listing;
}

// "2026-10-27 02:04 UTC", as people read it.
std::string minute_of(const std::string& rfc3339) {
  return rfc3339.size() < 16 ? rfc3339 : rfc3339.substr(0, 10) + " " + rfc3339.substr(11, 5) + " UTC";
}

// The first that is not there and the last, of what [from, until) touches.
api::LogGap shown(const backup::Gap& gap) {
  const uint64_t last = std::max(gap.until.value, gap.from.value + 1) - 1;
  return {gap.timeline, backup::segment_name(gap.timeline, backup::segment_number(gap.from.value)),
          backup::segment_name(gap.timeline, backup::segment_number(last)), kNotStored, std::nullopt};
}

// A gap that was told of before keeps its date, and the cause that whoever made it gave.
void keep_what_was_said(const std::vector<api::LogGap>& before, api::LogGap& gap, WallTime now) {
  const auto same = std::find_if(before.begin(), before.end(), [&](const api::LogGap& one) {
    return one.timeline == gap.timeline && one.from == gap.from && one.to == gap.to;
  });
  gap.at = same != before.end() && same->at ? same->at : std::optional(to_rfc3339(now));
  if (same != before.end() && gap.cause == kNotStored) gap.cause = same->cause;
}

const api::LogGap* newest_gap(const api::BackupScheduleStatus& status) {
  return status.gaps.empty() ? nullptr : &status.gaps.back();
}

api::Condition condition(const char* type, ConditionStatus status, const char* reason, std::string message) {
  return {type, status, std::nullopt, "", reason, std::move(message)};
}

}  // namespace

RepositoryView view_of_repository(const BackupReport* archiver, const std::string& stanza,
                                  const std::string& repository, WallTime now) {
  RepositoryView view;
  // An agent of before places are told lists what it is assigned.
  const bool its = archiver && archiver->stanza == stanza && archiver->repository &&
                   (archiver->repository->place.empty() || archiver->repository->place == repository);
  if (!its) {
    view.doubt = "what the repository holds was not listed yet";
    return view;
  }
  view.listing = listing_of(*archiver->repository);
  if (!view.listing) {
    view.doubt = "the listing of the repository can't be read: operator and agent are of versions too far apart";
    return view;
  }
  // What was let go is not there, whatever lies under its name.
  for (const DroppedLog& one : archiver->dropped) {
    const auto first = backup::number_of(one.from), last = backup::number_of(one.to);
    if (first && last)
      view.listing->log = backup::without(view.listing->log, {backup::timeline_of(one.from), *first, *last});
  }
  const auto age = now - view.listing->listed_at;
  if (age > kListingStale || age < -minutes(5))
    view.doubt = fmt::format("what the repository holds was last listed at {}, and it is {}",
                             to_rfc3339(view.listing->listed_at), to_rfc3339(now));
  else if (!view.listing->trouble.empty())
    view.doubt = "the listing of the repository is not whole: " + view.listing->trouble;
  else if (view.listing->lineage.empty())
    view.doubt = "the history of the database's timelines is not known";
  view.restorable = backup::restorable(backup::stored_of(*view.listing));
  return view;
}

void note_repository(const RepositoryView& view, const std::optional<Position>& log_from, WallTime now,
                     api::BackupScheduleStatus& status) {
  if (!view.listing || !view.doubt.empty() || !view.restorable.windows || !view.restorable.gaps) return;
  const backup::Listing& listing = *view.listing;
  api::RepositoryStatus& repository = status.repository.emplace();
  repository.listed_at = to_rfc3339(listing.listed_at);
  repository.backups = static_cast<int64_t>(listing.backups.size());
  for (const backup::BackupSet& backup : listing.backups) repository.stored_bytes += backup.stored_bytes;
  if (!listing.backups.empty()) {
    repository.oldest = listing.backups.front().label;
    repository.newest = listing.backups.back().label;
  }
  status.windows.clear();
  const auto& windows = *view.restorable.windows;
  for (const backup::Window& one : windows) {
    api::RecoveryWindow window{to_rfc3339(one.from), std::nullopt, one.timeline, false};
    if (one.to) window.to = to_rfc3339(*one.to);
    status.windows.push_back(std::move(window));
  }
  // The newest goes on where the database did not leave it, and no log is missing behind it.
  if (!windows.empty())
    status.windows.back().open = backup::goes_on(windows.back(), listing.lineage) &&
                                 std::none_of(view.restorable.gaps->begin(), view.restorable.gaps->end(),
                                              [&](const auto& gap) { return gap.from >= windows.back().end; });
  if (status.windows.size() > kWindowsShownMost)
    status.windows.erase(status.windows.begin(), status.windows.end() - kWindowsShownMost);
  const std::vector<api::LogGap> before = std::exchange(status.gaps, {});
  for (const backup::Gap& one : *view.restorable.gaps) {
    if (log_from && one.until <= *log_from) continue;
    api::LogGap gap = shown(one);
    keep_what_was_said(before, gap, now);
    status.gaps.push_back(std::move(gap));
  }
  if (status.gaps.size() > kGapsShownMost) status.gaps.erase(status.gaps.begin(), status.gaps.end() - kGapsShownMost);
}

api::Condition restorable_condition(const RepositoryView& view, const api::BackupScheduleStatus& status) {
  const auto say = [](ConditionStatus holds, const char* reason, std::string words) {
    return condition("Restorable", holds, reason, std::move(words));
  };
  if (!view.doubt.empty()) return say(ConditionStatus::kUnknown, "NotListed", view.doubt);
  if (view.listing->backups.empty()) return say(ConditionStatus::kFalse, "NoBackup", "there is no backup yet");
  if (status.windows.empty())
    return say(ConditionStatus::kFalse, "NothingRestorable",
               fmt::format("none of {} backups can be restored: what they need is not all in the repository",
                           view.listing->backups.size()));
  const api::RecoveryWindow& newest = status.windows.back();
  if (!newest.open) {
    const std::string until = newest.to ? " up to " + minute_of(*newest.to) : "";
    const api::LogGap* gap = newest_gap(status);
    return say(ConditionStatus::kFalse, "LogMissing",
               fmt::format("from {}{} can be restored, and nothing after it until there is another full backup{}",
                           minute_of(newest.from), until, gap ? fmt::format(": {} is {}", gap->from, gap->cause) : ""));
  }
  return say(ConditionStatus::kTrue, "Restorable",
             fmt::format("any time since {} can be restored", minute_of(newest.from)));
}

api::Condition continuous_condition(const StoringView& storing, const RepositoryView& view,
                                    const api::BackupScheduleStatus& status) {
  const auto say = [](ConditionStatus holds, const char* reason, std::string words) {
    return condition("Continuous", holds, reason, std::move(words));
  };
  switch (storing.cause) {
    case BackupReport::Cause::kConflict: return say(ConditionStatus::kFalse, "WalConflict", storing.trouble);
    case BackupReport::Cause::kUnreachable:
      return say(ConditionStatus::kFalse, "RepositoryUnreachable", storing.trouble);
    case BackupReport::Cause::kBehind: return say(ConditionStatus::kFalse, "WalBehind", storing.trouble);
    case BackupReport::Cause::kNone: break;
  }
  if (!storing.heard || !storing.stores)
    return say(ConditionStatus::kUnknown, "Waiting",
               fmt::format("{} has not said yet that it stores the log", storing.archiver));
  if (!view.doubt.empty()) return say(ConditionStatus::kUnknown, "NotListed", view.doubt);
  if (const api::LogGap* gap = newest_gap(status))
    return say(ConditionStatus::kFalse, "WalGap",
               gap->from == gap->to ? fmt::format("{} is {}", gap->from, gap->cause)
                                    : fmt::format("{} to {}: {}", gap->from, gap->to, gap->cause));
  return say(ConditionStatus::kTrue, "Continuous", fmt::format("{} stores the log without a gap", storing.archiver));
}

}  // namespace twinspan::controllers
