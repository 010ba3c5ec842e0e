// List and watch under every fault an API server or a network can show.
#include "kube/reflector.hpp"

#include "core/wait.hpp"
#include "fake_api.hpp"
#include "kube/object.hpp"

namespace twinspan::kube::testing {
namespace {

class Reflection : public ::testing::Test, public ReflectorSink {
 protected:
  void TearDown() override { reflector.stop(); }
  void upsert(Json&& object) override {
    std::lock_guard lock(mutex);
    held[key_of(object).name] = resource_version_of(object);
  }
  void erase(const Key& key, uint64_t) override {
    std::lock_guard lock(mutex);
    held.erase(key.name);
  }
  void retain(const std::vector<Key>& keys, uint64_t) override {
    std::lock_guard lock(mutex);
    std::erase_if(held, [&](const auto& entry) {
      return std::find(keys.begin(), keys.end(), Key{"ns", entry.first}) == keys.end();
    });
    ++lists;
  }
  void went_back() override { ++back; }
  std::map<std::string, std::string> state() {
    std::lock_guard lock(mutex);
    return held;
  }
  std::vector<bool> connected() {
    std::lock_guard lock(mutex);
    return connections;
  }
  bool holds(const std::map<std::string, std::string>& wanted) {
    return eventually([&] { return state() == wanted; });
  }
  std::string put(const std::string& name) { return api.put("configmaps", "ns", name); }
  static ReflectorOptions options(Reflection* self) {
    return {.ns = "ns",
            .backoff_initial = milliseconds(5),
            .backoff_limit = milliseconds(50),
            .on_connection = [self](bool now) {
              std::lock_guard lock(self->mutex);
              self->connections.push_back(now);
            }};
  }
  bool watching(size_t times = 1) {
    return eventually([&] { return api.count("watch") >= times; });
  }

  FakeApi api;
  Client client{api.config()};
  std::mutex mutex;
  std::map<std::string, std::string> held;
  int lists = 0;
  std::atomic<int> back{0};
  std::vector<bool> connections;
  Reflector reflector{client, kConfigMaps, options(this), *this};
};

TEST_F(Reflection, ListsFromTheCacheThenWatchesFromTheListsVersion) {
  const std::string a = put("a");
  reflector.start();
  ASSERT_TRUE(holds({{"a", a}}));
  ASSERT_TRUE(watching());
  EXPECT_TRUE(reflector.synced());
  const std::string b = put("b");
  EXPECT_TRUE(holds({{"a", a}, {"b", b}}));
  api.erase("configmaps", "ns", "a");
  EXPECT_TRUE(holds({{"b", b}}));
  EXPECT_EQ(api.requests(), (std::vector<std::string>{"list?resourceVersion=0&limit=500",
                                                      "watch?resourceVersion=" + a + "&allowWatchBookmarks=true"}));
  EXPECT_EQ(connected(), std::vector<bool>{true});
}

TEST_F(Reflection, AWatchCutInTheMiddleOfALineLosesNothing) {
  put("a");
  api.fail_next("watch",
                {.events_before = 1, .then = R"({"type":"ADDED","object":{"metadata":{"na)", .then_cut = true});
  reflector.start();
  ASSERT_TRUE(watching());
  const std::string b = put("b"), c = put("c"), a = put("a");
  EXPECT_TRUE(holds({{"a", a}, {"b", b}, {"c", c}}));
  EXPECT_EQ(api.count("list"), 2u) << "who was cut off looks whether it is the same history still";
}

TEST_F(Reflection, AWatchThatEndsIsSimplyBegunAgain) {
  put("a");
  api.fail_next("watch", {.events_before = 1}, 3);
  reflector.start();
  for (size_t i = 1; i <= 4; ++i) {
    ASSERT_TRUE(watching(i));
    const std::string b = put("b");
    ASSERT_TRUE(eventually([&] { return state()["b"] == b; }));
  }
  EXPECT_EQ(api.count("list"), 1u);
}

TEST_F(Reflection, WatchesThatBringNothingAreNotHammered) {
  put("a");
  api.fail_next("watch", {.events_before = 0}, 1000);
  reflector.start();
  ASSERT_TRUE(watching(3));
  const size_t before = api.count("watch");
  wait_for(milliseconds(500), {});
  EXPECT_LE(api.count("watch") - before, 11u);  // at least 50 ms apart by then
  EXPECT_EQ(api.count("list"), 1u);
}

TEST_F(Reflection, GoneMeansListingAgainAtTheLastSeenVersion) {
  const std::string a = put("a");
  put("b");
  reflector.start();
  ASSERT_TRUE(watching());
  const std::string c = put("c");
  ASSERT_TRUE(eventually([&] { return state().contains("c"); }));
  api.expire_watches();
  EXPECT_TRUE(eventually([&] { return api.count("list") == 2; }));
  EXPECT_EQ(api.requests()[2], "list?resourceVersion=" + c);
  const std::string d = put("d");
  EXPECT_TRUE(eventually([&] { return state().contains("d") && state().size() == 4; }));
}

TEST_F(Reflection, WhatWasDeletedDuringAGapIsGoneAfterTheList) {
  put("a");
  const std::string b = put("b");
  api.fail_next("watch", {.events_before = 0, .then_cut = true});
  api.fail_next("watch", {.cut = true}, 2);
  reflector.start();
  ASSERT_TRUE(watching());
  api.erase("configmaps", "ns", "a");
  const std::string c = put("c");
  api.compact();
  EXPECT_TRUE(holds({{"b", b}, {"c", c}}));
}

TEST_F(Reflection, AnExpiredVersionIsListedWithoutOne) {
  put("a");
  reflector.start();
  ASSERT_TRUE(watching());
  const std::string b = put("b");
  ASSERT_TRUE(eventually([&] { return state().contains("b"); }));
  api.fail_next("list", {.status = 410, .reason = "Expired"});
  api.expire_watches();
  ASSERT_TRUE(eventually([&] { return api.count("list") == 3; }));
  const auto requests = api.requests();
  EXPECT_EQ(requests[2], "list?resourceVersion=" + b);
  EXPECT_EQ(requests[3], "list");
}

TEST_F(Reflection, AListCompactedBetweenItsPagesIsTakenInOnePiece) {
  put("a");
  api.fail_next("list", {.status = 410, .reason = "Expired"}, 2);
  reflector.start();
  ASSERT_TRUE(watching());
  EXPECT_EQ(api.requests()[1], "list?limit=500");
  EXPECT_EQ(api.requests()[2], "list");
}

TEST_F(Reflection, AStormOfGoneIsMetWithPatience) {
  put("a");
  reflector.start();
  ASSERT_TRUE(watching());
  for (size_t i = 0; i < 20; ++i) {
    const size_t watches = api.count("watch");
    api.expire_watches();
    ASSERT_TRUE(watching(watches + 1));
  }
  const std::string b = put("b");
  EXPECT_TRUE(eventually([&] { return state()["b"] == b; }));
  EXPECT_LE(api.count("list"), 21u);
}

TEST_F(Reflection, ThrottlingRetriesTheWatchAndWhoWasAwayIsListedAgain) {
  put("a");
  api.fail_next("watch", {.status = 429, .reason = "TooManyRequests"}, 3);
  api.fail_next("watch", {.status = 503, .reason = "ServiceUnavailable"}, 2);
  api.fail_next("watch", {.cut = true}, 2);
  reflector.start();
  ASSERT_TRUE(watching(8));
  const std::string b = put("b");
  EXPECT_TRUE(eventually([&] { return state()["b"] == b; }));
  EXPECT_EQ(api.count("list"), 1u + 2u + 2u);
}

TEST_F(Reflection, ADeniedWatchListsAgain) {
  put("a");
  api.fail_next("watch", {.status = 403, .reason = "Forbidden"});
  reflector.start();
  ASSERT_TRUE(watching(2));
  EXPECT_EQ(api.count("list"), 2u);
  EXPECT_TRUE(eventually([&] { return connected() == std::vector<bool>{true, false, true}; }));
}

TEST_F(Reflection, ListsThatFailAreRepeatedWithBackOff) {
  const std::string a = put("a");
  api.fail_next("list", {.status = 500, .reason = "InternalError"}, 2);
  api.fail_next("list", {.cut = true}, 4);
  reflector.start();
  EXPECT_TRUE(holds({{"a", a}}));
  EXPECT_EQ(connected().front(), false);
}

TEST_F(Reflection, BookmarksMoveTheVersionForward) {
  put("a");
  api.fail_next("watch", {.events_before = 1, .then_cut = true});
  reflector.start();
  ASSERT_TRUE(watching());
  const uint64_t before = version_number(put("elsewhere")) - 1;
  ASSERT_TRUE(watching(2));
  api.bookmark();
  const std::string b = put("b");
  ASSERT_TRUE(eventually([&] { return state().contains("b"); }));
  EXPECT_GT(version_number(b), before + 2);
  EXPECT_EQ(state().size(), 3u);  // a bookmark is no object
}

TEST_F(Reflection, AFreshVersionFromABookmarkSparesAQuorumReadAfterCompaction) {
  put("a");
  api.fail_next("watch", {.events_before = 1, .then_cut = true});
  reflector.start();
  ASSERT_TRUE(watching());
  api.compact();  // everything up to here
  api.bookmark();
  ASSERT_TRUE(watching(2));
  const std::string b = put("b");
  EXPECT_TRUE(eventually([&] { return state()["b"] == b; }));
  for (const std::string& asked : api.requests()) EXPECT_NE(asked, "list?limit=500") << "all of it, by a quorum read";
}

TEST_F(Reflection, AServerThatIsAwayIsFoundAgain) {
  put("a");
  reflector.start();
  ASSERT_TRUE(watching());
  api.stop();
  EXPECT_TRUE(eventually([&] { return connected().size() == 2 && !connected().back(); }));
  api.erase("configmaps", "ns", "a");
  const std::string b = put("b");
  api.restart();
  EXPECT_TRUE(holds({{"b", b}}));
  EXPECT_TRUE(eventually([&]() -> bool { return connected().back(); }));
}

TEST_F(Reflection, AVersionTheServerHasNotReachedIsListedWithoutOne) {
  const std::string a = put("a");
  reflector.start();
  ASSERT_TRUE(watching());
  api.rewind();
  api.expire_watches();
  ASSERT_TRUE(watching(2));
  const auto requests = api.requests();
  EXPECT_EQ(requests[2], "list?limit=500") << "a quorum read, in pages";
  EXPECT_TRUE(holds({{"a", a}}));
  EXPECT_EQ(back, 1);
}

TEST_F(Reflection, StopEndsItAtOnce) {
  put("a");
  reflector.start();
  ASSERT_TRUE(watching());
  const auto start = std::chrono::steady_clock::now();
  reflector.stop();
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(10));
}

}  // namespace
}  // namespace twinspan::kube::testing
