#include "worker/postgres/backup/restore_plan.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "backup/pgbackrest.hpp"
#include "backup/reach.hpp"
#include "engines/postgres/archive/follow.hpp"
#include "engines/postgres/archive/lineage_store.hpp"
#include "engines/postgres/archive/mark_store.hpp"
#include "engines/postgres/archive/tail_store.hpp"
#include "engines/postgres/timeline.hpp"
#include "worker/postgres/backup/log_search.hpp"

namespace twinspan::worker {
namespace {

using backup::Goal;

struct Archive {
  std::set<backup::Timeline> timelines;
  std::string listing;
};

Result<std::string> list(const PgBackRest& program, std::vector<std::string> arguments, const std::stop_token& stop) {
  auto listing = program.run_checked(std::move(arguments), {}, stop);
  if (!listing) return std::unexpected(listing.error());
  return std::move(listing->out);
}

// A repository without this stanza is another one than was meant, or its path is.
Status exists(const PgBackRest& program, const backup::StanzaInfo& info, const Goal& goal, const std::string& stanza,
              const std::stop_token& stop) {
  if (info.exists) return {};
  const auto there = list(program, {"repo-ls", "archive"}, stop);
  if (!there) return std::unexpected(there.error());
  std::string names = *there;
  while (names.ends_with('\n')) names.pop_back();
  std::replace(names.begin(), names.end(), '\n', ' ');
  return std::unexpected(backup::never(
      goal, fmt::format("the repository has no stanza {}. It has: {}", stanza, names.empty() ? "none" : names)));
}

// The first timeline has none; nor has one whose history nobody stored.
Result<std::vector<backup::Departure>> history_of(const PgBackRest& program, const std::string& folder,
                                                  const Archive& archive, backup::Timeline timeline,
                                                  const std::stop_token& stop) {
  const std::string name = postgres::history_file_name(timeline);
  if (archive.listing.find(name) == std::string::npos) return std::vector<backup::Departure>{};
  const auto text = list(program, {"repo-get", folder + "/" + name}, stop);
  if (!text) return std::unexpected(text.error());
  const auto history = postgres::parse_history(*text);
  if (!history) return std::unexpected(history.error());
  return backup::departures_of(*history);
}

Result<backup::LineageNotes> lineage_of(const PgBackRest& program, const std::string& stanza, const Clock& clock,
                                        const std::stop_token& stop) {
  auto lineage = postgres::LineageStore::open(program.config(), stanza, clock);
  return lineage ? lineage->list(stop) : std::unexpected(lineage.error());
}

// A later timeline that came from the newest noted one, and that nobody noted, is a failed promotion's, or that of a
// primary whose agent was older: a person has to say.
Status no_later_one(const PgBackRest& program, const std::string& folder, const Archive& archive, const Goal& goal,
                    backup::Timeline newest, const backup::LineageNotes& noted, const std::stop_token& stop) {
  for (const backup::Timeline one : archive.timelines) {
    if (one <= newest || backup::newest_folder(archive.listing, one).empty()) continue;
    std::optional<std::vector<backup::Departure>> known;
    if (archive.listing.find(postgres::history_file_name(one)) != std::string::npos) {
      auto history = history_of(program, folder, archive, one, stop);
      if (!history) return std::unexpected(history.error());
      known = std::move(*history);
    }
    if (!backup::needs_a_word(one, known, newest, noted)) continue;
    return std::unexpected(backup::never(
        goal, fmt::format("log of timeline {} is stored, {} {}, and nobody noted whose it is: name the one that is "
                          "meant, target.timeline: {} or {}. Noted are: {}",
                          one, known ? "it came from" : "its history is not, so that it may have come from", newest,
                          one, newest, backup::words_of(noted))));
  }
  return {};
}

// One that the archive has as a whole by now says nothing more.
Result<std::optional<postgres::TailHead>> newest_tail(const std::string& config, const std::string& stanza,
                                                      const RestorePlan& plan, const Clock& clock,
                                                      const std::stop_token& stop) {
  auto tails = postgres::TailStore::open(config, stanza, clock);
  if (!tails) return std::unexpected(tails.error());
  auto head = tails->newest(plan.timeline, stop);
  if (head && *head && (*head)->name.segment <= plan.newest_segment) return std::nullopt;
  return head;
}

Status within_reach(const PgBackRest& program, const Clock& clock, const api::RestoreAssignment& from,
                    RestorePlan& plan, backup::Timeline later, const Exhausted& exhausted,
                    const std::stop_token& stop) {
  backup::ReachSeen seen;
  seen.goal = plan.goal;
  seen.newest_segment = plan.newest_segment;
  if (plan.goal.kind == Goal::Kind::kTime && !plan.newest_segment.empty()) {
    const auto listing = list(program,
                              {"--output=json", "--filter=^" + plan.newest_segment + "-", "repo-ls",
                               fmt::format("archive/{}/{}", from.stanza, backup::folder_of(plan.newest_segment))},
                              stop);
    if (!listing) return std::unexpected(listing.error());
    seen.newest_stored_at = backup::stored_at(*listing, plan.newest_segment);
  }
  if (plan.goal.kind == Goal::Kind::kTime || plan.goal.kind == Goal::Kind::kLsn) {
    const auto tail = newest_tail(program.config(), from.stanza, plan, clock, stop);
    if (!tail) return std::unexpected(tail.error());
    if (*tail) {
      seen.tail_end = Position{(*tail)->name.end};
      seen.tail_at = (*tail)->at;
    }
  }
  if (plan.goal.kind == Goal::Kind::kTime) {
    auto marks = postgres::MarkStore::open(program.config(), from.stanza, clock);
    if (!marks) return std::unexpected(marks.error());
    const auto mark = marks->newest(plan.timeline, stop);
    if (!mark) return std::unexpected(mark.error());
    seen.mark = *mark;
  }
  plan.frontier = backup::frontier_of(seen.newest_segment, seen.tail_end);
  seen.exhausted = exhausted.frontier;
  seen.whole_until = exhausted.whole_until;
  seen.later = later;
  seen.timeline = plan.timeline;
  seen.waits = from.until.has_value();
  seen.now = clock.wall_now();
  seen.until = parse_rfc3339(from.until.value_or("")).value_or(seen.now);  // an operator that knows of no waiting
  plan.whole_if_read = backup::whole_if_read(seen);
  const backup::ReachVerdict verdict = backup::judge_reach(seen);
  switch (verdict.reach) {
    case backup::Reach::kTry: break;
    case backup::Reach::kWait: return fail(Code::kUnavailable, verdict.words);
    case backup::Reach::kNever: return fail(Code::kInvalid, verdict.words);
  }
  // A backup that is whole only later is none of before the time.
  if (verdict.end && plan.backup.stop <= *verdict.end) plan.end = verdict.end;
  return {};
}

// The newest segment that is stored of a timeline; where there is none, the one before it was left for it.
Result<std::string> newest_of(const PgBackRest& program, const std::string& folder, const Archive& archive,
                              const postgres::Followed& lineage, const std::stop_token& stop) {
  const std::string newest = backup::newest_folder(archive.listing, lineage.timeline);
  if (newest.empty()) {
    const uint64_t left = lineage.history.empty() ? 0 : backup::segment_number(lineage.history.back().position);
    return left == 0 ? std::string() : backup::segment_name(lineage.timeline, left - 1);
  }
  const auto listing = list(program, {"repo-ls", folder + "/" + newest}, stop);
  if (!listing) return std::unexpected(listing.error());
  return backup::newest_segment(*listing);
}

// Of a transaction or a restore point: PostgreSQL would replay all the log before it finds that it is not there.
Result<backup::Found> look_for(const PlanNeeds& needs, const Goal& goal, const std::string& folder,
                               const Archive& archive, const postgres::Followed& lineage,
                               const std::vector<backup::BackupSet>& backups, const std::stop_token& stop) {
  const auto newest = newest_of(needs.program, folder, archive, lineage, stop);
  if (!newest) return std::unexpected(newest.error());
  Position oldest{UINT64_MAX};
  for (const backup::BackupSet& one : backups)
    if (goal.label.empty() || one.label == goal.label) oldest = std::min(oldest, one.stop);
  const auto look = search_log(
      {needs.children, needs.program, needs.place, backups.back().system_id},
      backup::Walk(lineage.timeline, lineage.history, *newest, backup::segment_number(oldest.value)), goal, stop);
  if (!look) return std::unexpected(look.error());
  return backup::found_in(*look, goal);
}

Error not_found(const Goal& goal, const backup::Found& found, const api::RestoreAssignment& from, WallTime now) {
  const auto until = parse_rfc3339(from.until.value_or(""));
  if (found.ambiguous || !until || now >= *until) return backup::never(goal, found.words);
  return fail(Code::kUnavailable, fmt::format("{} is not stored yet: {}; it is waited for until {}",
                                              backup::words_of(goal), found.words, to_rfc3339(*until)))
      .error();
}

}  // namespace

Result<Goal> goal_of(const api::RestoreAssignment& from) {
  Goal goal;
  goal.exclusive = from.exclusive;
  goal.label = from.label.value_or("");
  if (from.time) {
    const auto moment = parse_rfc3339(*from.time);
    if (!moment) return std::unexpected(moment.error());
    goal.kind = Goal::Kind::kTime;
    goal.moment = *moment;
  } else if (from.lsn) {
    const auto position = parse_position(*from.lsn);
    if (!position) return fail(Code::kInvalid, fmt::format("{} is no position such as 0/5F0139A0", *from.lsn));
    goal.kind = Goal::Kind::kLsn;
    goal.position = *position;
  } else if (from.transaction) {
    const std::string& text = *from.transaction;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), goal.number);
    if (error != std::errc() || end != text.data() + text.size())
      return fail(Code::kInvalid, fmt::format("{} is no number of a transaction", text));
    goal.kind = Goal::Kind::kTransaction;
  } else if (from.restore_point) {
    goal.kind = Goal::Kind::kRestorePoint;
    goal.name = *from.restore_point;
  } else if (from.immediate) {
    goal.kind = Goal::Kind::kImmediate;
  }
  return goal;
}

Result<RestorePlan> plan_restore(const PlanNeeds& needs, const api::RestoreAssignment& from, const Exhausted& exhausted,
                                 const std::stop_token& stop) {
  const PgBackRest& program = needs.program;
  const auto goal = goal_of(from);
  if (!goal) return std::unexpected(goal.error());
  const auto told = list(program, {"--output=json", "info"}, stop);
  if (!told) return std::unexpected(told.error());
  const auto info = backup::parse_info(*told, from.stanza);
  if (!info) return std::unexpected(info.error());
  if (auto there = exists(program, *info, *goal, from.stanza, stop); !there) return std::unexpected(there.error());
  RestorePlan plan{*goal, {}, 0, info->newest_segment, {}};

  const std::string folder = fmt::format("archive/{}/{}", from.stanza, backup::kArchiveId);
  auto listing = list(program, {"repo-ls", folder}, stop);
  if (!listing) return std::unexpected(listing.error());
  Archive archive{backup::timelines_in(*listing), std::move(*listing)};
  for (const backup::BackupSet& one : info->backups) archive.timelines.insert(one.timeline);
  const auto noted = lineage_of(program, from.stanza, needs.clock, stop);
  if (!noted) return std::unexpected(noted.error());
  const auto newest = backup::newest_of(*noted, archive.timelines);
  if (newest && from.timeline == 0)
    if (auto clear = no_later_one(program, folder, archive, *goal, *newest, *noted, stop); !clear)
      return std::unexpected(clear.error());
  const auto timeline =
      backup::choose_timeline(*goal, from.timeline == 0 && newest ? *newest : from.timeline, archive.timelines);
  if (!timeline) return std::unexpected(timeline.error());
  const auto history = history_of(program, folder, archive, *timeline, stop);
  if (!history) return std::unexpected(history.error());
  // One that came from the newest is a later primary's, of an agent that knew of no notes.
  if (newest && *timeline != *newest &&
      std::ranges::find(*history, *newest, &backup::Departure::timeline) == history->end()) {
    const auto before = history_of(program, folder, archive, *newest, stop);
    if (!before) return std::unexpected(before.error());
    if (!backup::is_of_lineage(*timeline, *noted, *before))
      return std::unexpected(backup::never(
          *goal, fmt::format("timeline {} was never this link's: what is stored of it is a failed promotion's. These "
                             "were: {}",
                             *timeline, backup::words_of(*noted))));
  }
  plan.timeline = *timeline;
  if (!archive.timelines.empty()) plan.highest = *archive.timelines.rbegin();
  const auto its_newest = newest_of(program, folder, archive, {*timeline, *history}, stop);
  if (!its_newest) return std::unexpected(its_newest.error());
  // Before there were notes the higher number was the later one.
  const backup::Timeline highest =
      backup::is_segment(info->newest_segment) ? backup::timeline_of(info->newest_segment) : 0;
  const backup::Timeline later =
      noted->begun.empty() ? (highest > *timeline ? highest : 0) : backup::later_than(*timeline, *noted).value_or(0);
  plan.newest_segment = *its_newest;
  backup::Choice choice{info->backups, *timeline, *history, std::nullopt};
  auto chosen = backup::choose_backup(*goal, choice);
  if (chosen && (goal->kind == Goal::Kind::kTransaction || goal->kind == Goal::Kind::kRestorePoint)) {
    const auto found = look_for(needs, *goal, folder, archive, {*timeline, *history}, info->backups, stop);
    if (!found) return std::unexpected(found.error());
    if (!found->where) return std::unexpected(not_found(*goal, *found, from, needs.clock.wall_now()));
    choice.where = found->where;
    chosen = backup::choose_backup(*goal, choice);
  }
  if (!chosen) return std::unexpected(chosen.error());
  plan.backup = *chosen;
  plan.cut = backup::taken_from(*history, chosen->stop, *noted);
  if (goal->kind == Goal::Kind::kImmediate) plan.timeline = chosen->timeline;
  if (auto reached = within_reach(program, needs.clock, from, plan, later, exhausted, stop); !reached)
    return std::unexpected(reached.error());
  return plan;
}

}  // namespace twinspan::worker
