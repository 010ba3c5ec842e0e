#include "backup/retention.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "failover/names.hpp"

namespace twinspan::backup {
namespace {

using std::chrono::days, std::chrono::local_days, std::chrono::minutes;

constexpr minutes kClocksMax{5};

constexpr Names<Why, 10> kWhys{{{Why::kNewest, "the newest that can be restored"},
                                {Why::kForever, "kept forever"},
                                {Why::kDays, "within the days"},
                                {Why::kWindowBegins, "where the days begin"},
                                {Why::kMinimumFull, "one of the fulls that always stay"},
                                {Why::kDaily, "of its day"},
                                {Why::kWeekly, "of its week"},
                                {Why::kMonthly, "of its month"},
                                {Why::kNeeded, "needed by another one"},
                                {Why::kNoRule, "no rule lets anything go"}}};

using Reasons = std::map<std::string, std::set<Why>>;
using Newest = std::vector<const Held*>;  // newest first

local_days day_of(const Held& held, const TimeZone& zone) {
  return std::chrono::floor<days>(zone.local(std::chrono::floor<std::chrono::seconds>(held.backup.stopped_at)));
}
local_days week_of(local_days day) { return day - (std::chrono::weekday(day) - std::chrono::Monday); }
local_days month_of(local_days day) {
  const std::chrono::year_month_day date(day);
  return local_days(date.year() / date.month() / 1);
}

// Keeps what `wanted` names, newest first, until so many of it are known to be restorable.
template <class Wanted>
void keep_newest(const Newest& backups, int count, Why why, Reasons& reasons, Wanted wanted) {
  for (const Held* held : backups) {
    if (count <= 0) return;
    if (held->restorable == Answer::kNo || !wanted(*held)) continue;
    reasons[held->backup.label].insert(why);
    if (held->restorable == Answer::kYes) --count;
  }
}

// The newest of each of the newest `count` periods.
template <class Period>
void keep_generations(const Newest& backups, int count, Why why, Reasons& reasons, Period period_of) {
  std::set<local_days> served;
  for (const Held* held : backups) {
    const local_days period = period_of(*held);
    if (held->restorable == Answer::kNo || served.contains(period)) continue;
    if (static_cast<int>(served.size()) >= count) return;
    reasons[held->backup.label].insert(why);
    if (held->restorable == Answer::kYes) served.insert(period);
  }
}

void keep_needed(const Newest& backups, Reasons& reasons) {
  for (bool more = true; more;) {
    more = false;
    for (const Held* held : backups)
      if (reasons.contains(held->backup.label))
        for (const std::string& label : held->backup.needs) more |= reasons[label].insert(Why::kNeeded).second;
  }
}

// Of the days; nullopt: there are none.
std::optional<WallTime> beginning_of(const RetentionRules& rules, const RetentionSeen& seen) {
  return rules.days ? std::optional<WallTime>(seen.now - days(*rules.days)) : std::nullopt;
}

Reasons by_rules(const RetentionRules& rules, const RetentionSeen& seen, const Newest& backups) {
  Reasons reasons;
  const auto begin = beginning_of(rules, seen);
  const auto any = [](const Held&) { return true; };
  for (const Held* held : backups) {
    if (held->forever) reasons[held->backup.label].insert(Why::kForever);
    if (begin && held->backup.stopped_at >= *begin) reasons[held->backup.label].insert(Why::kDays);
    if (!rules.any()) reasons[held->backup.label].insert(Why::kNoRule);
  }
  keep_newest(backups, 1, Why::kNewest, reasons, any);
  if (begin)
    keep_newest(backups, 1, Why::kWindowBegins, reasons,
                [&](const Held& held) { return held.backup.stopped_at < *begin; });
  keep_newest(backups, rules.minimum_full, Why::kMinimumFull, reasons,
              [](const Held& held) { return held.backup.kind == Kind::kFull; });
  keep_generations(backups, rules.daily, Why::kDaily, reasons,
                   [&](const Held& held) { return day_of(held, rules.zone); });
  keep_generations(backups, rules.weekly, Why::kWeekly, reasons,
                   [&](const Held& held) { return week_of(day_of(held, rules.zone)); });
  keep_generations(backups, rules.monthly, Why::kMonthly, reasons,
                   [&](const Held& held) { return month_of(day_of(held, rules.zone)); });
  keep_needed(backups, reasons);
  return reasons;
}

Newest::const_iterator log_begins(const RetentionRules& rules, const RetentionSeen& seen, const Newest& backups,
                                  const Reasons& reasons) {
  const auto begin = beginning_of(rules, seen);
  if (begin)
    return std::find_if(backups.begin(), backups.end(), [&](const Held* held) {
      return held->restorable == Answer::kYes && held->backup.stopped_at < *begin;
    });
  auto oldest = backups.end();
  for (auto one = backups.begin(); one != backups.end(); ++one)
    // One of which it is not known may need log from before it.
    if ((*one)->restorable != Answer::kNo && reasons.contains((*one)->backup.label)) oldest = one;
  return oldest;
}

WalKept wal_kept(const RetentionRules& rules, const RetentionSeen& seen, const Newest& backups,
                 const Reasons& reasons) {
  WalKept wal;
  if (!rules.any()) return wal;
  const auto base = log_begins(rules, seen, backups, reasons);
  if (base == backups.end()) return wal;
  const BackupSet& first = (*base)->backup;
  wal.from_label = first.label;
  wal.timeline = first.timeline;
  wal.from = first.start;
  for (auto older = base + 1; older != backups.end(); ++older)
    if (reasons.contains((*older)->backup.label))
      wal.older.push_back({(*older)->backup.timeline, (*older)->backup.start, (*older)->backup.stop});
  for (const Held* held : backups) {
    if (held->backup.kind != Kind::kFull || !reasons.contains(held->backup.label)) continue;
    ++wal.newest_fulls;
    const bool reached = held->backup.label == first.label ||
                         std::find(first.needs.begin(), first.needs.end(), held->backup.label) != first.needs.end();
    if (reached) break;
  }
  return wal;
}

std::optional<Refused> not_whole(const RetentionSeen& seen) {
  if (!seen.listing_whole) return Refused{Refusal::kListingNotWhole, "the listing of the repository is not whole"};
  std::set<std::string> labels;
  for (const Held& held : seen.backups) labels.insert(held.backup.label);
  for (const Held& held : seen.backups)
    for (const std::string& label : held.backup.needs)
      if (!labels.contains(label))
        return Refused{Refusal::kListingNotWhole,
                       fmt::format("{} needs {}, which is not listed", held.backup.label, label)};
  return std::nullopt;
}

std::optional<Refused> by_circumstances(const RetentionSeen& seen) {
  if (auto refused = not_whole(seen)) return refused;
  if (!seen.clocks_differ_by)
    return Refused{Refusal::kClocksDiffer, "the repository's clock was not compared with this one"};
  if (std::chrono::abs(*seen.clocks_differ_by) >= kClocksMax)
    return Refused{
        Refusal::kClocksDiffer,
        fmt::format("the repository's clock differs by {} s from this one, {} s and more are too much",
                    std::chrono::abs(*seen.clocks_differ_by).count(), std::chrono::seconds(kClocksMax).count())};
  if (seen.clock_suspect)
    return Refused{Refusal::kClockSuspect, "the last run lies in the future: this clock was set back"};
  if (seen.backup_runs) return Refused{Refusal::kBackupRuns, "a backup runs"};
  return std::nullopt;
}

std::optional<Refused> by_outcome(const RetentionRules& rules, const RetentionSeen& seen, const RetentionPlan& plan) {
  int fulls = 0;
  for (const Held& held : seen.backups) {
    const std::string& label = held.backup.label;
    const bool goes = std::find(plan.going.begin(), plan.going.end(), label) != plan.going.end();
    if (goes && held.in_use)
      return Refused{Refusal::kInUse, fmt::format("{} is read by a restore or a verification", label)};
    if (!goes && held.backup.kind == Kind::kFull && held.restorable == Answer::kYes) ++fulls;
  }
  const size_t total = seen.backups.size(), going = plan.going.size();
  if (going == 0) return std::nullopt;
  if (going * 100 > total * static_cast<size_t>(rules.max_delete_percent))
    return Refused{Refusal::kTooManyAtOnce, fmt::format("{} of {} backups would go, {} % at most may at once", going,
                                                        total, rules.max_delete_percent)};
  if (fulls < rules.minimum_full)
    return Refused{Refusal::kTooFewFulls, fmt::format("{} fulls that can be restored would stay, at least {} must",
                                                      fulls, rules.minimum_full)};
  return std::nullopt;
}

}  // namespace

std::optional<Refused> judge_deletion(const std::string& label, const RetentionRules& rules,
                                      const RetentionSeen& seen) {
  if (auto refused = by_circumstances(seen)) return refused;
  const Held *its = nullptr, *newest = nullptr;
  int fulls = 0;
  for (const Held& held : seen.backups) {
    if (held.backup.label == label) its = &held;
    if (held.restorable != Answer::kYes) continue;
    if (!newest || held.backup.stopped_at > newest->backup.stopped_at) newest = &held;
    fulls += held.backup.kind == Kind::kFull && held.backup.label != label;
  }
  if (!its) return Refused{Refusal::kNotThere, fmt::format("the repository has no backup {}", label)};
  for (const Held& held : seen.backups)
    if (std::find(held.backup.needs.begin(), held.backup.needs.end(), label) != held.backup.needs.end())
      return Refused{Refusal::kNeeded, fmt::format("{} is needed by {}", label, held.backup.label)};
  if (!newest || its == newest)
    return Refused{Refusal::kNewest, fmt::format("{} is the newest that can be restored", label)};
  if (its->forever) return Refused{Refusal::kForever, fmt::format("{} is kept forever by its Backup", label)};
  if (its->in_use) return Refused{Refusal::kInUse, fmt::format("{} is read by a restore or a verification", label)};
  if (its->backup.kind == Kind::kFull && fulls < rules.minimum_full)
    return Refused{Refusal::kTooFewFulls, fmt::format("{} fulls that can be restored would stay, at least {} must",
                                                      fulls, rules.minimum_full)};
  return std::nullopt;
}

std::string_view to_string(Why why) { return name_of(kWhys, why); }

RetentionPlan plan_retention(const RetentionRules& rules, const RetentionSeen& seen) {
  Newest backups;
  for (const Held& held : seen.backups) backups.push_back(&held);
  std::stable_sort(backups.begin(), backups.end(), [](const Held* a, const Held* b) {
    return std::tie(a->backup.stopped_at, a->backup.label) > std::tie(b->backup.stopped_at, b->backup.label);
  });
  const Reasons reasons = by_rules(rules, seen, backups);
  RetentionPlan plan;
  for (const Held* held : backups) {
    const auto found = reasons.find(held->backup.label);
    if (found == reasons.end())
      plan.going.push_back(held->backup.label);
    else
      plan.kept.push_back({held->backup.label, {found->second.begin(), found->second.end()}});
  }
  plan.wal = wal_kept(rules, seen, backups, reasons);
  plan.refused = by_circumstances(seen);
  if (!plan.refused) plan.refused = by_outcome(rules, seen, plan);
  return plan;
}

}  // namespace twinspan::backup
