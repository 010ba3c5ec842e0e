// Random histories of a link: backups by hand and by plan, failovers, promotions that failed, log that is lost, rules,
// expiry as pgBackRest does it. An oracle of its own knows what is there: whatever a status claims can be restored, and
// no expiry takes a moment of the days, what is kept forever, or the newest that can be restored. Planted mistakes are
// found.
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "backup/expiry.hpp"
#include "backup/listing.hpp"
#include "backup/retention.hpp"

namespace twinspan::backup {
namespace {

using std::chrono::hours, std::chrono::minutes;

// One segment an hour, a commit at its first and at its third quarter.
const WallTime kBegin = *parse_rfc3339("2026-01-01T00:00:00Z");
WallTime at(uint64_t hour, int minute) { return kBegin + hours(hour) + minutes(minute); }

enum class Mistake {
  kNone,
  kGapsIgnored,    // the log is what `info` says: from the first segment to the last
  kOneFullTooFew,  // of log
  kNeededIgnored,  // a backup goes while another one needs it
  kLogOfDaysOnly,  // the log begins with the days, and not with the backup before them
  kEveryTimeline,  // a failed promotion's is followed
  kNewestGoes,
  kForeverIgnored,
};

class Model {
 public:
  Model(uint64_t seed, Mistake mistake) : random_(seed), mistake_(mistake) {
    rules_.days = 1 + below(4);
    if (below(4) == 0) rules_.days.reset(), rules_.daily = 1 + below(3);
    rules_.minimum_full = 1 + below(2);
    rules_.weekly = below(3);
    rules_.max_delete_percent = 100;
  }

  // Empty: nothing was wrong.
  std::string run() {
    for (int step = 0; step < 40; ++step) {
      for (uint64_t passed = 1 + below(12); passed > 0; --passed) one_hour();
      switch (below(8)) {
        case 0: promote(); break;
        case 1: promote_in_vain(); break;
        case 2: lose(); break;
        default: break;
      }
      if (below(2) == 0) back_up();
      if (auto wrong = check("by listing"); !wrong.empty()) return wrong;
      if (below(2) == 0)
        if (auto wrong = expire(); !wrong.empty()) return wrong;
    }
    return "";
  }
  int expired() const { return expired_; }

 private:
  using Segment = std::pair<Timeline, uint64_t>;

  int below(int limit) { return static_cast<int>(random_() % static_cast<uint64_t>(limit)); }
  void one_hour() {
    log_.insert({path_.back().timeline, hour_});
    ++hour_;
  }
  // In the middle of an hour: the new timeline's first segment has the old one's bytes.
  void promote() {
    const Timeline before = path_.back().timeline;
    path_.push_back(
        {path_.back().epoch.next(), ++newest_timeline_, before, {hour_ * kSegmentBytes + kSegmentBytes / 2}});
    one_hour();
  }
  void promote_in_vain() {
    ++newest_timeline_;
    for (uint64_t hour = hour_ > 3 ? hour_ - 3 : 0; hour < hour_ + 2; ++hour) log_.insert({newest_timeline_, hour});
    vain_.push_back(
        {path_.back().epoch, newest_timeline_, path_.back().timeline, {(hour_ > 3 ? hour_ - 3 : 0) * kSegmentBytes}});
  }
  void lose() {
    if (hour_ < 3) return;
    log_.erase({path_.back().timeline, hour_ - 1 - static_cast<uint64_t>(below(2))});
  }
  void back_up() {
    BackupSet made;
    made.timeline = path_.back().timeline;
    made.start = {hour_ * kSegmentBytes + 40};
    made.stop = {hour_ * kSegmentBytes + 4000};
    made.started_at = at(hour_, 1);
    made.stopped_at = at(hour_, 6);
    made.label = std::to_string(++made_) + "F";
    const bool upon = !backups_.empty() && below(3) > 0;
    if (upon) {
      made.kind = Kind::kIncremental;
      made.label = std::to_string(made_) + "I";
      made.needs = backups_.back().needs;
      made.needs.push_back(backups_.back().label);
    }
    backups_.push_back(made);
    if (below(12) == 0) forever_.insert(made.label);
    one_hour();
  }

  // What is true.
  Timeline writer(uint64_t hour) const {  // of the last byte
    Timeline writer = path_.front().timeline;
    for (const Line& line : path_)
      if (line.fork.value / kSegmentBytes <= hour) writer = line.timeline;
    return writer;
  }
  // By hour: the last one up to then whose log is missing; -1: none is.
  std::vector<int64_t> missing() const {
    std::vector<int64_t> last;
    for (uint64_t hour = 0; hour < hour_ + 2; ++hour) {
      const bool there = log_.contains({writer(hour), hour});
      last.push_back(!there ? static_cast<int64_t>(hour) : last.empty() ? -1 : last.back());
    }
    return last;
  }
  bool restorable_at(const BackupSet& from, uint64_t hour, const std::vector<int64_t>& missing) const {
    for (const std::string& label : from.needs)
      if (std::none_of(backups_.begin(), backups_.end(), [&](const BackupSet& one) { return one.label == label; }))
        return false;
    return hour < missing.size() && missing[hour] < static_cast<int64_t>(from.start.value / kSegmentBytes);
  }
  bool is_whole(const BackupSet& one, const std::vector<int64_t>& missing) const {
    return restorable_at(one, one.stop.value / kSegmentBytes, missing);
  }
  // In the middle of an hour.
  bool restorable_at(uint64_t hour, const std::vector<int64_t>& missing) const {
    return std::any_of(backups_.begin(), backups_.end(), [&](const BackupSet& one) {
      return one.stopped_at <= at(hour, 30) && restorable_at(one, hour, missing);
    });
  }

  // What is listed, and claimed of it.
  Listing listing() const {
    Listing listing;
    listing.listed_at = at(hour_, 0);
    listing.backups = backups_;
    std::map<std::string, std::vector<uint64_t>> segments;
    for (const auto& [timeline, hour] : log_) segments[segment_name(timeline, hour).substr(0, 16)].push_back(hour);
    listing.log = runs_of(segments);
    if (mistake_ == Mistake::kGapsIgnored) {
      std::map<Timeline, SegmentRun> whole;
      for (const SegmentRun& run : listing.log) {
        const auto [known, added] = whole.emplace(run.timeline, run);
        known->second.last = run.last;
      }
      listing.log.clear();
      for (const auto& [timeline, run] : whole) listing.log.push_back(run);
    }
    listing.lineage = path_;
    if (mistake_ == Mistake::kEveryTimeline) listing.lineage.insert(listing.lineage.end(), vain_.begin(), vain_.end());
    for (const SegmentRun& run : listing.log)
      if (run.timeline == path_.back().timeline || mistake_ == Mistake::kEveryTimeline)
        listing.commit = SeenCommit{run.timeline, run.last, at(run.last, 45) - std::chrono::seconds(1)};
    return listing;
  }
  std::set<uint64_t> claimed(const Restorable& found) const {
    std::set<uint64_t> hours_claimed;
    for (const Window& window : *found.windows)
      for (uint64_t hour = 0; window.to && hour < hour_ + 2; ++hour)
        if (window.from <= at(hour, 30) && at(hour, 30) <= *window.to) hours_claimed.insert(hour);
    return hours_claimed;
  }
  std::string check(const std::string& when) const {
    const Restorable found = restorable(stored_of(listing()));
    const auto lost = missing();
    for (const uint64_t hour : claimed(found))
      if (!restorable_at(hour, lost)) return when + ": hour " + std::to_string(hour) + " was claimed";
    for (const BackupSet& one : backups_)
      if (found.backups.at(one.label) == Answer::kYes && !is_whole(one, lost))
        return when + ": " + one.label + " was claimed";
    return "";
  }

  std::string expire() {
    RetentionSeen seen;
    seen.now = at(hour_, 0);
    seen.listing_whole = true;
    seen.clocks_differ_by = std::chrono::seconds(1);
    const Listing listed = listing();
    const Restorable found = restorable(stored_of(listed));
    for (const BackupSet& one : backups_)
      seen.backups.push_back({one, found.backups.at(one.label),
                              mistake_ != Mistake::kForeverIgnored && forever_.contains(one.label), false});
    if (mistake_ == Mistake::kNeededIgnored)
      for (Held& held : seen.backups) held.backup.needs.clear();
    const RetentionPlan plan = plan_retention(rules_, seen);
    if (plan.refused) return "";
    std::vector<std::string> going = plan.going;
    if (mistake_ == Mistake::kNewestGoes && !plan.kept.empty() && plan.kept.size() < 4)
      going.push_back(plan.kept.front().label);
    auto lost = missing();
    const std::set<uint64_t> before = true_hours(lost);
    const auto newest =
        std::find_if(backups_.rbegin(), backups_.rend(), [&](const BackupSet& one) { return is_whole(one, lost); });
    const std::string newest_label = newest == backups_.rend() ? "" : newest->label;
    for (const std::string& label : going)
      std::erase_if(backups_, [&](const BackupSet& one) { return one.label == label; });
    int fulls = plan.wal.newest_fulls;
    if (mistake_ == Mistake::kOneFullTooFew && fulls > 1) --fulls;
    if (mistake_ == Mistake::kLogOfDaysOnly && fulls > 0)
      std::erase_if(log_, [&](const Segment& one) {
        return at(one.second, 0) < seen.now - std::chrono::days(rules_.days.value_or(1));
      });
    else
      expire_log(fulls);
    expired_ += static_cast<int>(going.size());
    if (fulls > 0 && has_spare_log(plan.wal, listing()) && mistake_ == Mistake::kNone)
      return "log stays that was to go";
    if (auto wrong = check("after expiry"); !wrong.empty()) return wrong;
    lost = missing();
    for (const uint64_t hour : before)
      if (rules_.days && at(hour, 30) >= seen.now - std::chrono::days(*rules_.days) && !restorable_at(hour, lost))
        return "hour " + std::to_string(hour) + " of the days is gone";
    for (const std::string& label : forever_)
      if (std::none_of(backups_.begin(), backups_.end(), [&](const BackupSet& one) { return one.label == label; }))
        return label + " was to be kept forever";
    for (const BackupSet& one : backups_) {
      const bool now = is_whole(one, lost);
      if (found.backups.at(one.label) == Answer::kYes && !now) return one.label + " is kept, and can't be restored";
      if (one.label == newest_label && now) return "";
    }
    return newest_label.empty() ? "" : "the newest that could be restored is gone";
  }
  std::set<uint64_t> true_hours(const std::vector<int64_t>& lost) const {
    std::set<uint64_t> all;
    for (uint64_t hour = 0; hour < hour_; ++hour)
      if (restorable_at(hour, lost)) all.insert(hour);
    return all;
  }
  // As pgBackRest does (README of the trials, row 6): by name, from the start of the n-th newest Full on; of older
  // backups what they need for themselves.
  void expire_log(int fulls) {
    const BackupSet* first = nullptr;
    for (auto one = backups_.rbegin(); one != backups_.rend() && fulls > 0; ++one)
      if (one->kind == Kind::kFull && --fulls == 0) first = &*one;
    if (!first) return;
    const Segment cut{first->timeline, first->start.value / kSegmentBytes};
    std::erase_if(log_, [&](const Segment& segment) {
      return segment < cut && std::none_of(backups_.begin(), backups_.end(), [&](const BackupSet& one) {
               return one.timeline == segment.first && one.start.value / kSegmentBytes <= segment.second &&
                      segment.second <= one.stop.value / kSegmentBytes;
             });
    });
  }

  std::mt19937_64 random_;
  const Mistake mistake_;
  RetentionRules rules_;
  uint64_t hour_ = 1;
  int made_ = 0, expired_ = 0;
  Timeline newest_timeline_ = 1;
  Lineage path_{{{0}, 1, 0, {}}};
  Lineage vain_;
  std::set<Segment> log_;
  std::vector<BackupSet> backups_;
  std::set<std::string> forever_;
};

TEST(RetentionModel, WhateverAStatusClaimsIsThereAfterAnyExpiry) {
  int expired = 0;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    Model model(seed, Mistake::kNone);
    ASSERT_EQ(model.run(), "") << "seed " << seed;
    expired += model.expired();
  }
  EXPECT_GT(expired, 60) << "a model in which nothing goes proves nothing";
}

TEST(RetentionModel, PlantedMistakesAreFound) {
  for (const Mistake mistake :
       {Mistake::kGapsIgnored, Mistake::kOneFullTooFew, Mistake::kNeededIgnored, Mistake::kLogOfDaysOnly,
        Mistake::kEveryTimeline, Mistake::kNewestGoes, Mistake::kForeverIgnored}) {
    bool found = false;
    for (uint64_t seed = 0; seed < 100 && !found; ++seed) found = !Model(seed, mistake).run().empty();
    EXPECT_TRUE(found) << static_cast<int>(mistake);
  }
}

}  // namespace
}  // namespace twinspan::backup
