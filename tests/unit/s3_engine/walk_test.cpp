#include "engines/s3/walk.hpp"

#include <gtest/gtest.h>

#include "engines/s3/ranges.hpp"
#include "fake_bucket.hpp"

namespace twinspan::s3 {
namespace {

struct Seen {
  std::mutex mutex;
  std::multiset<std::string> both, missing, extra;
  Walk::Visit visit() {
    return [this](const Listed* source, const Listed* target) -> Status {
      std::lock_guard lock(mutex);
      (source && target ? both : source ? missing : extra).insert(source ? source->key : target->key);
      return {};
    };
  }
};

Settings small_pages(int listers) {
  Settings settings;
  settings.listers = listers;
  settings.page_keys = 7;
  settings.retries.backoff_base = std::chrono::milliseconds(1);
  return settings;
}

std::string numbered(int i) { return fmt::format("data/{}/{:05}", i % 3 ? "a" : "ü", i); }

TEST(Walk, SeesEveryKeyOnceHoweverManyList) {
  for (int listers : {1, 2, 5}) {
    FakeBucket source("source"), target("target");
    std::multiset<std::string> both, missing, extra;
    for (int i = 0; i < 1000; ++i) {
      if (i % 10 != 3) source.add("from/" + numbered(i), "x");
      if (i % 10 != 7) target.add(numbered(i), "x");
      (i % 10 == 3 ? extra : i % 10 == 7 ? missing : both).insert(numbered(i));
    }
    target.add(".twinspan/state", "ours");
    Seen seen;
    const Settings settings = small_pages(listers);
    ASSERT_TRUE(Walk(settings, {source, "from/"}, {target}).run({{}}, seen.visit(), {}));
    EXPECT_EQ(seen.both, both);
    EXPECT_EQ(seen.missing, missing);
    EXPECT_EQ(seen.extra, extra);
  }
}

TEST(Walk, WhoIsIdleTakesOverHalfOfTheRest) {
  FakeBucket source("source"), target("target");
  for (int i = 0; i < 1000; ++i) source.add(fmt::format("{:05}", i), "x");
  std::mutex mutex;
  std::set<std::thread::id> threads;
  Seen seen;
  const auto visit = seen.visit();
  const Settings settings = small_pages(4);
  source.fault = [](const FakeBucket::Call&) {
    std::this_thread::yield();
    return std::nullopt;
  };
  ASSERT_TRUE(Walk(settings, {source}, {target})
                  .run({{}},
                       [&](const Listed* ours, const Listed* theirs) {
                         {
                           std::lock_guard lock(mutex);
                           threads.insert(std::this_thread::get_id());
                         }
                         return visit(ours, theirs);
                       },
                       {}));
  EXPECT_EQ(seen.missing.size(), 1000u);
  EXPECT_GT(threads.size(), 1u);
}

TEST(Walk, AListingThatFailsIsTakenUpWhereItWas) {
  FakeBucket source("source"), target("target");
  for (int i = 0; i < 200; ++i) source.add(numbered(i), "x");
  source.fault = [](const FakeBucket::Call& call) -> std::optional<Error> {
    if (call.index % 3 == 0) return Error{Code::kUnavailable, "cut", true};
    return std::nullopt;
  };
  Seen seen;
  const Settings settings = small_pages(1);
  ASSERT_TRUE(Walk(settings, {source}, {target}).run({{}}, seen.visit(), {}));
  EXPECT_EQ(seen.missing.size(), 200u);
}

TEST(Walk, AListingThatStaysCutIsNotComplete) {
  FakeBucket source("source"), target("target");
  for (int i = 0; i < 200; ++i) source.add(numbered(i), "x"), target.add(numbered(i), "x");
  source.fault = [](const FakeBucket::Call& call) -> std::optional<Error> {
    if (call.index > 5) return Error{Code::kUnavailable, "cut", true};
    return std::nullopt;
  };
  Seen seen;
  const Settings settings = small_pages(1);
  Walk walk(settings, {source}, {target});
  EXPECT_FALSE(walk.run({{}}, seen.visit(), {}));
  EXPECT_EQ(seen.extra.size(), 0u);
  ASSERT_EQ(walk.rest().size(), 1u);
  EXPECT_EQ(walk.rest().front().after, *seen.both.rbegin());

  source.fault = nullptr;  // and may be continued
  ASSERT_TRUE(Walk(settings, {source}, {target}).run(walk.rest(), seen.visit(), {}));
  EXPECT_EQ(seen.both.size(), 200u);
}

TEST(Ranges, CoverEverythingOnceHighestPriorityFirst) {
  const auto ranges = ranges_by_priority({{"daily/", 100}, {"daily/tmp/", -5}, {"z", 7}});
  ASSERT_EQ(ranges.size(), 7u);
  EXPECT_TRUE(ranges[0].after < "daily/" && "daily/" <= ranges[0].upto && ranges[0].upto < "daily/tmp/");
  EXPECT_TRUE(ranges.back().after < "daily/tmp/" && "daily/tmp/x" <= ranges.back().upto);
  for (const char* key :
       {"", "a", "daily", "daily/", "daily/a", "daily/tmp/", "daily/tmp/x", "daily/zz", "e", "z", "zz", "ü"}) {
    int in = 0;
    for (const KeyRange& range : ranges)
      in += (range.after.empty() || key > range.after) && (range.upto.empty() || key <= range.upto);
    EXPECT_EQ(in, 1) << key;
  }
  EXPECT_EQ(ranges_by_priority({}), std::vector<KeyRange>{{}});
}

// A border goes to the server as text: half a character would be none.
TEST(Ranges, NoneBeginsInsideACharacter) {
  for (const char* prefix : {"caf\u00e9", "\u00c0", "daily/\u4e00", "\U0001f600"})
    EXPECT_EQ(ranges_by_priority({{prefix, 5}}), std::vector<KeyRange>{{}}) << prefix;
}

TEST(Ranges, ASplitLeavesSomethingOnBothSides) {
  FakeBucket bucket("b");
  for (int i = 0; i < 1000; ++i) bucket.add(fmt::format("p/x/{:04}", i), "");
  const auto border = split_point({bucket, "p/"}, "x/0013", "", {});
  ASSERT_TRUE(border && *border);
  EXPECT_GT(**border, "x/0013");
  EXPECT_LT(**border, "x/0999");
  EXPECT_EQ(*split_point({bucket, "p/"}, "x/0999", "", {}), std::nullopt);
  EXPECT_EQ(*split_point({bucket, "p/"}, "x/0013", "x/0014", {}) > "x/0014", false);
}

}  // namespace
}  // namespace twinspan::s3
