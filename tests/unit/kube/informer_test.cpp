#include "kube/informer.hpp"

#include "fake_api.hpp"

namespace twinspan::kube::testing {
namespace {

struct Thing {
  std::string text;
};

class InformerTest : public ::testing::Test {
 protected:
  static Result<Thing> decode(const Json& object) {
    if (object.contains("refuse")) return fail(Code::kInvalid, "refused");
    return Thing{object.at("text").get<std::string>()};  // throws where it is no text
  }
  Json object(const std::string& name, const std::string& version, const std::string& text) {
    return {{"metadata", {{"name", name}, {"namespace", "ns"}, {"resourceVersion", version}}}, {"text", text}};
  }
  std::string value(const std::string& name) {
    const auto found = informer.find({"ns", name});
    return found ? found->text : "";
  }
  bool becomes(const std::string& name, const std::string& wanted) {
    return eventually([&] { return value(name) == wanted; });
  }
  void SetUp() override {
    informer.add_handler([this](const Key& key, const auto& before, const auto& after) {
      std::lock_guard lock(mutex);
      changes.push_back(key.name + ":" + (before ? before->text : "-") + ">" + (after ? after->text : "-"));
    });
  }
  std::vector<std::string> told() {
    std::lock_guard lock(mutex);
    return changes;
  }

  FakeApi api;
  Client client{api.config()};
  std::mutex mutex;
  std::vector<std::string> changes;
  Informer<Thing> informer{client, kConfigMaps, {.ns = "ns", .backoff_initial = milliseconds(5)}, decode};
};

TEST_F(InformerTest, FollowsAndTellsBeforeAndAfter) {
  api.put("configmaps", "ns", "a", {{"text", "1"}});
  EXPECT_FALSE(informer.synced());
  informer.start();
  ASSERT_TRUE(becomes("a", "1"));
  api.put("configmaps", "ns", "a", {{"text", "2"}});
  ASSERT_TRUE(becomes("a", "2"));
  api.erase("configmaps", "ns", "a");
  ASSERT_TRUE(becomes("a", ""));
  EXPECT_TRUE(informer.synced());
  informer.stop();
  EXPECT_EQ(told(), (std::vector<std::string>{"a:->1", "a:1>2", "a:2>-"}));
}

// An API restored from an older backup: a watch at a version it has yet to reach would bring nothing for hours.
TEST_F(InformerTest, WhatIsOlderCountsOnceHistoryIsProvenToHaveGoneBack) {
  std::atomic<int> went_back{0};
  informer.on_history_went_back([&] { ++went_back; });
  for (int i = 0; i < 60; ++i) api.put("configmaps", "elsewhere", "x");
  api.put("configmaps", "ns", "kept", {{"text", "new"}});
  api.put("configmaps", "ns", "gone", {{"text", "new"}});
  informer.start();
  ASSERT_TRUE(becomes("kept", "new"));
  ASSERT_TRUE(becomes("gone", "new"));
  api.stop();
  api.erase("configmaps", "ns", "gone");
  api.rewind();
  api.put("configmaps", "ns", "kept", {{"text", "restored"}});
  // Longer than a question that was answered before it stopped is acted upon: a watch that is begun on such an answer
  // brings nothing until the server ends it.
  std::this_thread::sleep_for(milliseconds(500));
  api.restart();
  EXPECT_TRUE(becomes("kept", "restored"));
  EXPECT_TRUE(becomes("gone", ""));
  EXPECT_EQ(went_back, 1);
  api.put("configmaps", "ns", "kept", {{"text", "goes on"}});
  EXPECT_TRUE(becomes("kept", "goes on"));
}

// Nor is it seen by its versions alone: whoever comes late finds one that is beyond what was known.
TEST_F(InformerTest, WhatIsOlderCountsAlsoWhereTheOtherHistoryHasComeFurther) {
  std::atomic<int> went_back{0};
  informer.on_history_went_back([&] { ++went_back; });
  for (int i = 0; i < 60; ++i) api.put("configmaps", "elsewhere", "x");
  api.put("configmaps", "ns", "quiet", {{"text", "new"}});
  api.put("configmaps", "ns", "gone", {{"text", "new"}});
  informer.start();
  ASSERT_TRUE(becomes("quiet", "new"));
  ASSERT_TRUE(becomes("gone", "new"));
  api.stop();
  api.erase("configmaps", "ns", "gone");
  api.rewind();
  api.put("configmaps", "ns", "quiet", {{"text", "restored"}});
  for (int i = 0; i < 200; ++i) api.put("configmaps", "elsewhere", "x");
  std::this_thread::sleep_for(milliseconds(500));
  api.restart();
  EXPECT_TRUE(becomes("quiet", "restored"));
  EXPECT_TRUE(becomes("gone", ""));
  EXPECT_EQ(went_back, 1);
  api.put("configmaps", "ns", "quiet", {{"text", "goes on"}});
  EXPECT_TRUE(becomes("quiet", "goes on"));
}

TEST_F(InformerTest, AWriteIsReadAtOnceAndTheWatchDoesNotRepeatIt) {
  api.put("configmaps", "ns", "a", {{"text", "1"}});
  informer.start();
  ASSERT_TRUE(becomes("a", "1"));
  auto written = client.merge_patch(kConfigMaps, {"ns", "a"}, Json::parse(R"({"text": "mine"})"));
  ASSERT_TRUE(written) << written.error().message;
  informer.wrote(*written);
  EXPECT_EQ(value("a"), "mine");
  api.put("configmaps", "ns", "b", {{"text", "after"}});
  ASSERT_TRUE(becomes("b", "after"));
  informer.stop();  // a value can be found before its handlers have been told
  EXPECT_EQ(told(), (std::vector<std::string>{"a:->1", "a:1>mine", "b:->after"}));
}

TEST_F(InformerTest, AListThatTellsWhatIsKnownDeletesNothing) {
  for (const char* name : {"a", "b"}) api.put("configmaps", "ns", name, {{"text", "1"}});
  informer.start();
  ASSERT_TRUE(becomes("b", "1"));
  api.erase("configmaps", "ns", "a");
  ASSERT_TRUE(becomes("a", ""));
  api.expire_watches();
  api.put("configmaps", "ns", "c", {{"text", "1"}});
  ASSERT_TRUE(becomes("c", "1"));
  EXPECT_EQ(value("b"), "1");
  EXPECT_EQ(informer.size(), 2u);
  informer.stop();
  EXPECT_EQ(told(), (std::vector<std::string>{"a:->1", "b:->1", "a:1>-", "c:->1"}));
}

TEST_F(InformerTest, AnOlderAnswerNeverReplacesANewerEvent) {
  const std::string first = api.put("configmaps", "ns", "a", {{"text", "1"}});
  informer.start();
  ASSERT_TRUE(becomes("a", "1"));
  api.put("configmaps", "ns", "a", {{"text", "2"}});
  ASSERT_TRUE(becomes("a", "2"));
  informer.wrote(object("a", first, "late"));
  EXPECT_EQ(value("a"), "2");
}

TEST_F(InformerTest, ALateAnswerDoesNotReviveWhatWasDeleted) {
  const std::string first = api.put("configmaps", "ns", "a", {{"text", "1"}});
  informer.start();
  ASSERT_TRUE(becomes("a", "1"));
  api.erase("configmaps", "ns", "a");
  ASSERT_TRUE(becomes("a", ""));
  informer.wrote(object("a", first, "late"));
  EXPECT_EQ(value("a"), "");
  api.put("configmaps", "ns", "a", {{"text", "again"}});  // created anew: it has a newer version
  EXPECT_TRUE(becomes("a", "again"));
}

TEST_F(InformerTest, WhatAListNoLongerHoldsIsDeletedButNotWhatCameAfterIt) {
  api.put("configmaps", "ns", "a", {{"text", "1"}});
  api.put("configmaps", "ns", "b", {{"text", "1"}});
  api.fail_next("watch", {.events_before = 0, .then_cut = true}, 3);
  informer.start();
  ASSERT_TRUE(becomes("b", "1"));
  informer.wrote(object("new", "999999", "written"));  // by a request that the list did not see yet
  api.erase("configmaps", "ns", "a");
  api.compact();
  EXPECT_TRUE(becomes("a", ""));
  EXPECT_EQ(value("b"), "1");
  EXPECT_EQ(value("new"), "written");
}

TEST_F(InformerTest, AnObjectThatCannotBeReadIsKeptOutAndDeletesNothing) {
  api.put("configmaps", "ns", "a", {{"text", "1"}});
  api.put("configmaps", "ns", "bad", {{"refuse", true}});
  api.put("configmaps", "ns", "worse", {{"text", 5}});
  informer.start();
  ASSERT_TRUE(eventually([&] { return informer.synced(); }));
  EXPECT_EQ(informer.all().size(), 1u);
  api.put("configmaps", "ns", "a", {{"refuse", true}});
  api.put("configmaps", "ns", "b", {{"text", "after"}});
  ASSERT_TRUE(becomes("b", "after"));
  EXPECT_EQ(value("a"), "1");
  api.put("configmaps", "ns", "bad", {{"text", "mended"}});
  EXPECT_TRUE(becomes("bad", "mended"));
}

TEST_F(InformerTest, ReadersAndWritersMeetOnlyWholeValues) {
  informer.start();
  std::atomic<bool> done{false}, torn{false};
  std::jthread reader([&] {
    while (!done)
      for (const auto& [key, value] : informer.all())
        if (value->text != std::string(value->text.size(), 'x')) torn = true;
  });
  for (int i = 1; i <= 200; ++i)
    api.put("configmaps", "ns", "a" + std::to_string(i % 3), {{"text", std::string(static_cast<size_t>(i), 'x')}});
  EXPECT_TRUE(becomes("a2", std::string(200, 'x')));
  done = true;
  reader.join();
  EXPECT_FALSE(torn);
}

}  // namespace
}  // namespace twinspan::kube::testing
