// Watches: events in order, selectors, bookmarks, time-outs, versions that are gone.
#include "core/wait.hpp"
#include "suite.hpp"

namespace twinspan::kube::conformance {
namespace {

struct Event {
  WatchType type;
  std::string name, version;
  bool operator==(const Event&) const = default;
};

class Watch : public Suite {
 protected:
  // Watches until `enough` says so or two minutes have passed; meanwhile runs `act` (once the watch is open).
  std::vector<Event> watch(WatchOptions options, const std::function<bool(const std::vector<Event>&)>& enough,
                           const std::function<void()>& act, Status* ended = nullptr) {
    std::vector<Event> events;
    std::stop_source stop;
    Signal open;
    options.on_open = [&] { open.raise(); };
    std::jthread actor([&](const std::stop_token& token) {
      if (open.wait(seconds(60), token)) act();
    });
    std::jthread limit([&](const std::stop_token& token) {
      if (wait_for(seconds(120), token)) stop.request_stop();
    });
    const auto result = client.watch(
        kConfigMaps, ns, options,
        [&](WatchType type, Json&& object) {
          EXPECT_EQ(object.value("kind", ""), "ConfigMap");
          const Json& metadata = object["metadata"];
          events.push_back({type, metadata.value("name", ""), metadata.value("resourceVersion", "")});
          if (enough(events)) stop.request_stop();
        },
        stop.get_token());
    limit.request_stop();
    if (ended) *ended = result;
    return events;
  }
  std::string now() {  // the newest version
    return client.list(kConfigMaps, ns, {}, [](Json&&) {}).value();
  }
};

TEST_F(Watch, ShowsWhatHappenedSinceAVersion) {
  ASSERT_TRUE(ok(client.create(kConfigMaps, config_map("before"))));
  const std::string from = now();
  ASSERT_TRUE(ok(client.create(kConfigMaps, config_map("a"))));  // before the watch begins, after its version
  std::string updated;
  const auto events = watch(
      {.resource_version = from}, [](const auto& seen) { return seen.size() == 3; },
      [&] {
        const auto patched = client.merge_patch(kConfigMaps, key("a"), {{"data", {{"x", "1"}}}});
        ASSERT_TRUE(ok(patched));
        updated = patched->at("metadata").at("resourceVersion");
        ASSERT_TRUE(ok(client.remove(kConfigMaps, key("a"))));
      });
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].type, WatchType::kAdded);
  EXPECT_EQ(events[1].type, WatchType::kModified);
  EXPECT_EQ(events[1].version, updated);
  EXPECT_EQ(events[2].type, WatchType::kDeleted);
  for (const Event& event : events) EXPECT_EQ(event.name, "a");
  EXPECT_LT(std::stoull(events[0].version), std::stoull(events[1].version));
  EXPECT_LT(std::stoull(events[1].version), std::stoull(events[2].version));  // a deletion has a version of its own
}

TEST_F(Watch, AWriteThatChangesNothingIsNoEvent) {
  ASSERT_TRUE(ok(client.create(kConfigMaps, config_map("a", {{"x", "1"}}))));
  const auto events = watch(
      {.resource_version = now()}, [](const auto& seen) { return !seen.empty(); },
      [&] {
        ASSERT_TRUE(ok(client.merge_patch(kConfigMaps, key("a"), {{"data", {{"x", "1"}}}})));
        ASSERT_TRUE(ok(client.create(kConfigMaps, config_map("b"))));
      });
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].name, "b");
}

TEST_F(Watch, LeavingTheSelectionIsADeletionAndEnteringAnAddition) {
  Json object = config_map("a");
  object["metadata"]["labels"]["in"] = "yes";
  ASSERT_TRUE(ok(client.create(kConfigMaps, object)));
  const auto events = watch(
      {.label_selector = "in=yes", .resource_version = now()}, [](const auto& seen) { return seen.size() == 3; },
      [&] {
        const auto label = [&](const char* value) {
          ASSERT_TRUE(ok(client.merge_patch(kConfigMaps, key("a"), {{"metadata", {{"labels", {{"in", value}}}}}})));
        };
        label("no");
        label("never");
        label("yes");
        ASSERT_TRUE(ok(client.merge_patch(kConfigMaps, key("a"), {{"data", {{"x", "1"}}}})));
      });
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[0].type, WatchType::kDeleted);
  EXPECT_EQ(events[1].type, WatchType::kAdded);
  EXPECT_EQ(events[2].type, WatchType::kModified);
}

TEST_F(Watch, FieldSelectorsNarrowItToOneObject) {
  const auto events = watch(
      {.field_selector = "metadata.name=mine", .resource_version = now()},
      [](const auto& seen) { return !seen.empty(); },
      [&] {
        ASSERT_TRUE(ok(client.create(kConfigMaps, config_map("other"))));
        ASSERT_TRUE(ok(client.create(kConfigMaps, config_map("mine"))));
      });
  ASSERT_EQ(events.size(), 1u);
  EXPECT_EQ(events[0].name, "mine");
}

TEST_F(Watch, AFinalizerTurnsDeletionIntoAModificationFirst) {
  Json object = config_map("a");
  object["metadata"]["finalizers"] = {"twinspan.dev/held"};
  ASSERT_TRUE(ok(client.create(kConfigMaps, object)));
  const auto events = watch(
      {.resource_version = now()}, [](const auto& seen) { return seen.size() == 2; },
      [&] {
        ASSERT_TRUE(ok(client.remove(kConfigMaps, key("a"))));
        ASSERT_TRUE(
            ok(client.merge_patch(kConfigMaps, key("a"), Json::parse(R"({"metadata": {"finalizers": null}})"))));
      });
  ASSERT_EQ(events.size(), 2u);
  EXPECT_EQ(events[0].type, WatchType::kModified);
  EXPECT_EQ(events[1].type, WatchType::kDeleted);
}

TEST_F(Watch, EndsAfterItsTimeWithABookmarkBefore) {
  Status ended;
  const auto start = std::chrono::steady_clock::now();
  const auto events = watch(
      {.resource_version = now(), .timeout = seconds(5)}, [](const auto&) { return false; },
      [&] { ASSERT_TRUE(ok(client.create(kConfigMaps, config_map("a")))); }, &ended);
  EXPECT_TRUE(ok(ended));
  EXPECT_GE(std::chrono::steady_clock::now() - start, seconds(4));
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(60));
  ASSERT_GE(events.size(), 2u);
  EXPECT_EQ(events[0].type, WatchType::kAdded);
  for (size_t i = 1; i < events.size(); ++i) {
    EXPECT_EQ(events[i].type, WatchType::kBookmark);
    EXPECT_GE(std::stoull(events[i].version), std::stoull(events[0].version));
  }
}

TEST_F(Watch, AVersionLongGoneIsGone) {
  ASSERT_TRUE(ok(client.create(kConfigMaps, config_map("a"))));
  Status ended;
  watch(
      {.resource_version = "1", .timeout = seconds(5)}, [](const auto&) { return false; }, [] {}, &ended);
  EXPECT_TRUE(refused(ended, Code::kGone));
}

// With 400 or 500: kube-apiserver 1.34 answers 500.
TEST_F(Watch, ANonsensicalVersionIsRefused) {
  Status ended;
  watch(
      {.resource_version = "yesterday"}, [](const auto&) { return false; }, [] {}, &ended);
  EXPECT_FALSE(ended);
  EXPECT_NE(ended.error().code, Code::kGone);
}

TEST_F(Watch, StopsAtOnceWhenTold) {
  const std::string from = now();
  Status ended;
  std::chrono::steady_clock::time_point told;
  watch(
      {.resource_version = from}, [&](const auto&) { return told = std::chrono::steady_clock::now(), true; },
      [&] { ASSERT_TRUE(ok(client.create(kConfigMaps, config_map("a")))); }, &ended);
  EXPECT_TRUE(refused(ended, Code::kCancelled));
  EXPECT_LT(std::chrono::steady_clock::now() - told, seconds(10));
}

}  // namespace
}  // namespace twinspan::kube::conformance
