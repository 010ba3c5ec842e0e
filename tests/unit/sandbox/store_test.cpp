#include "sandbox/api/store.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace twinspan::sandbox {
namespace {

const ResourceName kThings{"test", "things"};

Json thing(const std::string& name, int size) { return {{"metadata", {{"name", name}}}, {"size", size}}; }

TEST(Store, EveryWriteHasARevisionOfItsOwn) {
  Store store;
  const auto a = store.create(kThings, {"ns", "a"}, thing("a", 1));
  const auto b = store.create({"test", "others"}, {"ns", "a"}, thing("a", 1));
  ASSERT_TRUE(a && b);
  EXPECT_LT(revision_of(**a), revision_of(**b));
  EXPECT_EQ(store.create(kThings, {"ns", "a"}, thing("a", 2)).error(), StoreError::kExists);
}

TEST(Store, UpdatesNeedTheRevisionTheyWereBasedOn) {
  Store store;
  const auto first = store.create(kThings, {"ns", "a"}, thing("a", 1));
  const auto second = store.update(kThings, {"ns", "a"}, thing("a", 2), revision_of(**first));
  ASSERT_TRUE(second);
  EXPECT_EQ(store.update(kThings, {"ns", "a"}, thing("a", 3), revision_of(**first)).error(), StoreError::kChanged);
  EXPECT_EQ(store.update(kThings, {"ns", "b"}, thing("b", 3), 1).error(), StoreError::kMissing);
  EXPECT_EQ((*store.find(kThings, {"ns", "a"}))["size"], 2);
}

TEST(Store, ListsThePastUntilItIsCompacted) {
  Store store;
  store.create(kThings, {"ns", "a"}, thing("a", 1));
  const auto b = store.create(kThings, {"ns", "b"}, thing("b", 1));
  const uint64_t then = store.revision();
  store.update(kThings, {"ns", "b"}, thing("b", 2), revision_of(**b));
  store.create(kThings, {"ns", "c"}, thing("c", 1));
  store.erase(kThings, {"ns", "a"}, thing("a", 1), revision_of(*store.find(kThings, {"ns", "a"})));
  const auto past = store.list(kThings, "", then);
  ASSERT_TRUE(past);
  ASSERT_EQ(past->items.size(), 2u);
  EXPECT_EQ((*past->items[0].second)["metadata"]["name"], "a");
  EXPECT_EQ((*past->items[1].second)["size"], 1);
  store.compact();
  EXPECT_EQ(store.list(kThings, "", then).error(), StoreError::kCompacted);
  EXPECT_EQ(store.list(kThings, "", store.revision() + 1).error(), StoreError::kFuture);
  EXPECT_EQ(store.list(kThings, "")->items.size(), 2u);
}

TEST(Store, AFullHistoryForgetsItsOldest) {
  Store store(4);
  const uint64_t before = store.revision();
  for (int i = 0; i < 6; ++i) store.create(kThings, {"ns", std::to_string(i)}, thing("x", i));
  EXPECT_EQ(store.events(kThings, before).error(), StoreError::kCompacted);
  const auto events = store.events(kThings, store.revision() - 4);
  ASSERT_TRUE(events);
  EXPECT_EQ(events->size(), 4u);
}

TEST(Store, DeletionIsAnEventWithARevisionOfItsOwn) {
  Store store;
  const auto made = store.create(kThings, {"ns", "a"}, thing("a", 1));
  const auto gone = store.erase(kThings, {"ns", "a"}, **made, revision_of(**made));
  ASSERT_TRUE(gone);
  const auto events = store.events(kThings, revision_of(**made));
  ASSERT_EQ(events->size(), 1u);
  EXPECT_EQ(events->front().change, Change::kDeleted);
  EXPECT_GT(revision_of(*events->front().object), revision_of(**made));
  EXPECT_TRUE(events->front().before);
}

TEST(Store, AWriteWakesWhoeverWaitsForItsResource) {
  Store store;
  const uint64_t before = store.revision();
  std::jthread writer([&] { store.create(kThings, {"ns", "a"}, thing("a", 1)); });
  store.wait(kThings, before, std::chrono::seconds(20), {});
  EXPECT_EQ(store.revision(), before + 1);
}

}  // namespace
}  // namespace twinspan::sandbox
