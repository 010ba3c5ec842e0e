#include "controllers/backup/expiry_decide.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "backup/expiry.hpp"
#include "contract/names.hpp"
#include "failover/names.hpp"

namespace twinspan::controllers {
namespace {

using api::ConditionStatus;
using backup::Refusal;
using std::chrono::hours, std::chrono::minutes;

constexpr minutes kAgain{10};  // after one that failed
constexpr hours kLogAgain{1};  // of log alone
constexpr hours kLongest{3};   // then nobody does it any more
constexpr minutes kClockSlack{5};

constexpr Names<Refusal, 11> kReasons{{{Refusal::kListingNotWhole, "ListingNotWhole"},
                                       {Refusal::kClocksDiffer, "ClocksDiffer"},
                                       {Refusal::kClockSuspect, "ClockSuspect"},
                                       {Refusal::kBackupRuns, "BackupRuns"},
                                       {Refusal::kInUse, "InUse"},
                                       {Refusal::kTooManyAtOnce, "TooManyAtOnce"},
                                       {Refusal::kTooFewFulls, "TooFewFulls"},
                                       {Refusal::kNotThere, "NotThere"},
                                       {Refusal::kNeeded, "Needed"},
                                       {Refusal::kNewest, "Newest"},
                                       {Refusal::kForever, "KeptForever"}}};

backup::RetentionRules rules_of(const api::BackupScheduleSpec& spec, TimeZone zone) {
  backup::RetentionRules rules;
  const auto& its = spec.retention;
  if (its.days) rules.days = static_cast<int>(*its.days);
  rules.minimum_full = static_cast<int>(its.minimum_full);
  rules.daily = static_cast<int>(its.daily);
  rules.weekly = static_cast<int>(its.weekly);
  rules.monthly = static_cast<int>(its.monthly);
  rules.max_delete_percent = static_cast<int>(its.max_delete_percent);
  rules.zone = std::move(zone);
  return rules;
}

backup::RetentionSeen facts_of(const ExpirySeen& seen) {
  backup::RetentionSeen facts;
  facts.now = seen.now;
  facts.backup_runs = seen.backup_runs;
  facts.clock_suspect = seen.clock_suspect;
  if (!seen.view->listing) return facts;
  facts.listing_whole = seen.view->doubt.empty() && seen.view->restorable.windows.has_value();
  facts.clocks_differ_by = seen.view->listing->clock_ahead;
  for (const backup::BackupSet& one : seen.view->listing->backups) {
    facts.clock_suspect |= one.stopped_at > seen.now + kClockSlack;
    facts.backups.push_back(
        {one, seen.view->restorable.backups.at(one.label), seen.forever.contains(one.label), !seen.reader.empty()});
  }
  return facts;
}

// Of one that a person names; empty: nobody does.
std::string named(const api::BackupSchedule& schedule) {
  const auto found = schedule.metadata.annotations.find(std::string(kDeleteDataAnnotation));
  return found == schedule.metadata.annotations.end() ? "" : found->second;
}

std::string words_of(const backup::Kept& kept) {
  std::string why;
  for (const backup::Why one : kept.why) why += fmt::format("{}{}", why.empty() ? "" : ", ", to_string(one));
  return fmt::format("{} ({})", kept.label, why);
}

// The oldest are what goes next.
std::string next_words(const backup::RetentionPlan& plan) {
  if (!plan.going.empty())
    return fmt::format("{} go now, {} stay; the first to go is {}", plan.going.size(), plan.kept.size(),
                       plan.going.front());
  if (plan.kept.empty()) return "there is no backup";
  return fmt::format("all {} stay; the oldest is {}", plan.kept.size(), words_of(plan.kept.back()));
}

struct Wish {
  std::vector<std::string> labels;
  std::optional<std::string> keep_log_from;
  std::optional<backup::Refused> refused;  // for people; may be of a label that is named, while rules delete others
  bool against = false;                    // nothing may be deleted now
};

Wish wish_of(const ExpirySeen& seen, const backup::RetentionRules& rules, const backup::RetentionSeen& facts,
             const backup::RetentionPlan& plan) {
  Wish wish;
  const std::string label = named(*seen.schedule);
  if (rules.any() || !label.empty()) wish.refused = plan.refused;
  wish.against = plan.refused.has_value();
  if (!label.empty()) {
    const auto refused = backup::judge_deletion(label, rules, facts);
    if (!refused) return {{label}, std::nullopt, std::nullopt, false};
    // What a person named is gone once the repository does not have it.
    if (refused->reason != Refusal::kNotThere && !wish.refused) wish.refused = refused;
  }
  if (plan.refused || !rules.any()) return wish;
  wish.labels = plan.going;
  if (seen.view->listing && plan.wal.newest_fulls > 0) wish.keep_log_from = plan.wal.from_label;
  return wish;
}

api::Condition possible(const std::optional<backup::Refused>& refused, const backup::RetentionRules& rules,
                        const ExpirySeen& seen) {
  api::Condition said;
  said.type = "ExpiryPossible";
  if (!seen.view->doubt.empty() || (refused && seen.view->listing && !seen.view->listing->clock_ahead)) {
    said.status = ConditionStatus::kUnknown;
    said.reason = seen.view->doubt.empty() ? "ClocksNotCompared" : "NotListed";
    said.message = seen.view->doubt.empty() ? refused->message : seen.view->doubt;
  } else if (refused) {
    said.status = ConditionStatus::kFalse;
    said.reason = name_of(kReasons, refused->reason);
    said.message = refused->message;
  } else {
    said.status = ConditionStatus::kTrue;
    said.reason = rules.any() ? "Possible" : "NoRule";
    said.message = rules.any() ? "nothing stands against deleting what no rule keeps"
                               : "everything is kept: spec.retention has neither days nor daily, weekly or monthly";
  }
  return said;
}

// Whether what was ordered is still what is wanted: rules change, and so do marks of what is kept.
bool is_wanted(const api::ExpireAssignment& asked, const Wish& wish, const ExpirySeen& seen) {
  if (wish.against || !seen.view->listing) return false;
  const auto& backups = seen.view->listing->backups;  // oldest first
  const auto listed = [&](const std::string& label) {
    return std::ranges::find(backups, label, &backup::BackupSet::label);
  };
  // More of the log may be kept than is wanted by now, and never less.
  if (asked.keep_log_from && (!wish.keep_log_from || listed(*asked.keep_log_from) > listed(*wish.keep_log_from)))
    return false;
  return std::ranges::all_of(asked.labels, [&](const std::string& label) {
    return std::ranges::find(wish.labels, label) != wish.labels.end() || listed(label) == backups.end();
  });
}

// What came of the one that the link's status has. True: it goes on.
bool follow(const ExpirySeen& seen, const Wish& wish, api::ExpiryStatus& expiry) {
  const api::ExpireAssignment& asked = *seen.outstanding;
  const auto& said = seen.archiver ? seen.archiver->expired : std::nullopt;
  const bool its = said && said->asked == asked.asked;
  if (its && !said->runs) {
    if (!said->gone.empty()) expiry.last = said->gone;
    if (!said->gone.empty() || said->message.empty()) expiry.last_at = to_rfc3339(seen.now);
    return false;
  }
  const auto at = parse_rfc3339(asked.asked);
  const auto age = at ? seen.now - *at : std::chrono::microseconds::max();
  return age < (its ? std::chrono::microseconds(kLongest) : std::chrono::microseconds(backup::kExpiryAskedMax)) &&
         is_wanted(asked, wish, seen);
}

// Whether the archiver said not long ago that it could not: its words.
std::string failure_of(const ExpirySeen& seen) {
  const auto& said = seen.archiver ? seen.archiver->expired : std::nullopt;
  if (!said || said->runs || said->message.empty()) return "";
  const auto at = parse_rfc3339(said->asked);
  return at && seen.now - *at < kAgain ? said->message : "";
}

bool log_is_due(const ExpirySeen& seen, const Wish& wish, const backup::RetentionPlan& plan,
                const api::ExpiryStatus& expiry) {
  if (!wish.keep_log_from || !backup::has_spare_log(plan.wal, *seen.view->listing)) return false;
  const auto last = expiry.last_at ? parse_rfc3339(*expiry.last_at) : fail(Code::kNotFound, "");
  return !last || seen.now - *last >= kLogAgain || *last > seen.now;
}

}  // namespace

ExpiryLook decide_expiry(const ExpirySeen& seen, api::BackupScheduleStatus& status) {
  ExpiryLook look;
  auto zone = load_zone(seen.schedule->spec.time_zone);
  if (!zone) return look;
  const backup::RetentionRules rules = rules_of(seen.schedule->spec, std::move(*zone));
  const backup::RetentionSeen facts = facts_of(seen);
  const backup::RetentionPlan plan = plan_retention(rules, facts);
  if (plan.wal.newest_fulls > 0) look.log_from = plan.wal.from;
  Wish wish = wish_of(seen, rules, facts, plan);
  if (!seen.reader.empty() && (!wish.labels.empty() || wish.keep_log_from))
    wish = {{}, std::nullopt, backup::Refused{Refusal::kInUse, seen.reader + " reads the repository"}, true};
  look.possible = possible(wish.refused, rules, seen);

  api::ExpiryStatus expiry = status.expiry.value_or(api::ExpiryStatus{});
  const std::vector<std::string> intended = std::exchange(expiry.intent, {});
  expiry.refused.reset();
  if (seen.view->doubt.empty()) expiry.next = rules.any() ? next_words(plan) : look.possible.message;
  if (wish.refused) expiry.refused = wish.refused->message;
  if (const std::string failure = failure_of(seen); !failure.empty()) {
    expiry.refused = failure;
    wish = {{}, std::nullopt, wish.refused, wish.against};
  }
  if (seen.outstanding && follow(seen, wish, expiry)) {
    look.assignment = seen.outstanding;
    expiry.intent = intended;
    look.busy = true;
  } else if (!seen.outstanding) {
    expiry.intent = wish.labels;
    const bool stored = !wish.labels.empty() && intended == wish.labels;
    if (stored || (wish.labels.empty() && log_is_due(seen, wish, plan, expiry)))
      look.assignment = api::ExpireAssignment{to_rfc3339_micro(seen.now), wish.labels, wish.keep_log_from};
    look.busy = !wish.labels.empty();
  }
  if (status.expiry || expiry != api::ExpiryStatus{}) status.expiry = std::move(expiry);
  return look;
}

}  // namespace twinspan::controllers
