#include "backup/goal.hpp"

#include <gtest/gtest.h>

#include <algorithm>

namespace twinspan::backup {
namespace {

using std::chrono::seconds;
using Kind = Goal::Kind;

const WallTime kNoon{std::chrono::hours(500000)};

// At 100, 200 … of the log, and so many seconds after noon.
BackupSet backup(const std::string& label, Timeline timeline, uint64_t stop) {
  BackupSet one;
  one.label = label;
  one.timeline = timeline;
  one.stop = {stop};
  one.stopped_at = kNoon + seconds(stop);
  return one;
}

// The second timeline left the first at 250; at 300 there is a backup of the first that nobody follows any more.
Choice choice(Timeline timeline) {
  return {{backup("D", 2, 400), backup("A", 1, 100), backup("B", 1, 200), backup("C", 1, 300)},
          timeline,
          timeline == 2 ? std::vector<Departure>{{1, 250}} : std::vector<Departure>{},
          std::nullopt};
}

Goal goal(Kind kind, uint64_t at) {
  Goal one;
  one.kind = kind;
  one.moment = kNoon + seconds(at);
  one.position = {at};
  one.number = at;
  one.name = "before";
  return one;
}

std::string label_of(const Goal& one, const Choice& from) {
  const auto chosen = choose_backup(one, from);
  if (chosen) return chosen->label;
  EXPECT_FALSE(chosen.error().retryable);
  EXPECT_NE(chosen.error().message.find("can't be restored"), std::string::npos) << chosen.error().message;
  return "";
}

// Whatever the order: what is chosen lies on the way, is whole before the goal, and nothing newer is both.
TEST(Goal, BeginsWithTheNewestBackupOnTheWayThatIsWholeBeforeIt) {
  const std::map<Timeline, std::vector<std::string>> on_the_way{{1, {"A", "B", "C"}}, {2, {"A", "B", "D"}}, {3, {}}};
  for (const auto& [timeline, labels] : on_the_way)
    for (const Kind kind :
         {Kind::kLatest, Kind::kImmediate, Kind::kTime, Kind::kLsn, Kind::kTransaction, Kind::kRestorePoint})
      for (const uint64_t at : {99u, 100u, 101u, 200u, 201u, 301u, 400u, 401u})
        for (const bool found : {false, true}) {
          Choice from = choice(timeline);
          if (found) from.where = Position{at};
          std::string expected;
          for (const BackupSet& one : from.backups) {
            if (std::ranges::find(labels, one.label) == labels.end()) continue;
            const bool before = kind == Kind::kTime           ? one.stop.value < at
                                : kind == Kind::kLsn || found ? one.stop.value <= at
                                                              : true;
            if (before) expected = std::max(expected, one.label);
          }
          EXPECT_EQ(label_of(goal(kind, at), from), expected)
              << timeline << ' ' << words_of(goal(kind, at)) << ' ' << at << found;
        }
}

TEST(Goal, BeginsWithTheBackupThatIsNamedOrSaysWhyItCanNot) {
  for (const Timeline timeline : {1u, 2u})
    for (const std::string label : {"A", "B", "C", "D", "E"})
      for (const uint64_t at : {100u, 150u, 250u, 350u, 450u}) {
        Goal named = goal(Kind::kLsn, at);
        named.label = label;
        const bool on_the_way = label < "C" || label == (timeline == 1 ? "C" : "D");
        const uint64_t stop = (label[0] - 'A' + 1) * 100;
        EXPECT_EQ(label_of(named, choice(timeline)), label != "E" && on_the_way && stop <= at ? label : "")
            << timeline << label << at;
      }
  EXPECT_EQ(label_of(goal(Kind::kLatest, 0), {}), "");
  Goal early = goal(Kind::kLsn, 99);
  EXPECT_EQ(choose_backup(early, choice(1)).error().message,
            "position 0/63 can't be restored: the first backup was whole at " + to_rfc3339(kNoon + seconds(100)) +
                ", at 0/64, not before it");
  early.label = "X";
  EXPECT_EQ(choose_backup(early, choice(1)).error().message,
            "position 0/63 can't be restored: backup X is not in the repository. These are: D, A, B, C");
}

TEST(Goal, ATimelineIsKnownByItsHistoryOrItsLog) {
  EXPECT_EQ(timelines_in("0000000100000000\n0000000100000001\n00000003.history\n00000002.partial\nx\n"),
            (std::set<Timeline>{1, 3}));
  EXPECT_TRUE(timelines_in("").empty());
  for (const int64_t wanted : {-1, 0, 1, 2, 3, 4}) {
    const auto chosen = choose_timeline({}, wanted, {1, 3});
    if (wanted == 0 || wanted == 1 || wanted == 3) {
      ASSERT_TRUE(chosen);
      EXPECT_EQ(*chosen, wanted == 1 ? 1u : 3u);
    } else {
      ASSERT_FALSE(chosen);
      EXPECT_NE(chosen.error().message.find("These are: 1, 3"), std::string::npos) << chosen.error().message;
    }
  }
  EXPECT_FALSE(choose_timeline({}, 0, {}));
}

TEST(Goal, TheNewestOfATimelineIsFoundInListings) {
  const std::string folders =
      "0000000100000001\n0000000100000000\n0000000200000003\n00000002.history\n0000000300000003x\n";
  EXPECT_EQ(newest_folder(folders, 1), "0000000100000001");
  EXPECT_EQ(newest_folder(folders, 2), "0000000200000003");
  EXPECT_EQ(newest_folder(folders, 3), "");
  const std::string digest(40, 'a');
  EXPECT_EQ(newest_segment("000000010000000100000002-" + digest + ".zst\n000000010000000100000001-" + digest +
                           "\n000000010000000100000003.partial-" + digest +
                           ".zst\n000000010000000100000000.00000028.backup\n"),
            "000000010000000100000002");
  EXPECT_EQ(newest_segment(""), "");
}

TEST(Goal, IsToldToPgBackRest) {
  using Options = std::vector<std::string>;
  const auto options = [](Kind kind, bool exclusive) {
    Goal one = goal(kind, 0x5000028);
    one.exclusive = exclusive;
    return options_of(one, 3, "L");
  };
  const auto all = [](Options more) {
    more.insert(more.begin(), {"--set=L", "--target-timeline=3"});
    return more;
  };
  EXPECT_EQ(options(Kind::kLatest, false), all({"--type=default"})) << "promote goes with no default";
  EXPECT_EQ(options(Kind::kImmediate, false), (Options{"--set=L", "--type=immediate", "--target-action=promote"}));
  for (const bool exclusive : {false, true}) {
    const auto to = [&](const std::string& type, const std::string& target) {
      Options some{"--type=" + type, "--target=" + target};
      if (exclusive) some.push_back("--target-exclusive");
      some.push_back("--target-action=promote");
      return all(some);
    };
    EXPECT_EQ(options(Kind::kLsn, exclusive), to("lsn", "0/5000028"));
    EXPECT_EQ(options(Kind::kTransaction, exclusive), to("xid", "83886120"));
    EXPECT_EQ(options(Kind::kTime, exclusive).at(3).substr(0, 9), "--target=");
  }
  Goal point = goal(Kind::kRestorePoint, 0);
  EXPECT_EQ(options_of(point, 3, "L"), all({"--type=name", "--target=before", "--target-action=promote"}));
  Goal epoch = goal(Kind::kTransaction, (uint64_t{1} << 32) + 731);
  EXPECT_EQ(options_of(epoch, 3, "L").at(3), "--target=731") << "the log holds 32 bits of it";
}

}  // namespace
}  // namespace twinspan::backup
