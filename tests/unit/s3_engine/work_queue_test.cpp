#include "engines/s3/work_queue.hpp"

#include <gtest/gtest.h>

#include <future>

namespace twinspan::s3 {
namespace {

Work work(std::string key, int priority, int age) {
  Work work;
  work.object.key = std::move(key);
  work.object.last_modified = WallTime(std::chrono::hours(1000 - age));
  work.priority = priority;
  return work;
}

std::string key_of(const std::optional<Task>& task) { return std::get<Work>(*task).object.key; }

TEST(WorkQueue, HighestPriorityThenOldestGoesFirst) {
  SystemClock clock;
  WorkQueue queue(clock, {1, 1, 1, 100, 10}, 10);
  for (Work item : {work("new", 0, 1), work("old", 0, 2), work("urgent", 5, 0)}) queue.push(std::move(item), {});
  EXPECT_EQ(queue.load().queued, 3u);
  EXPECT_EQ(queue.load().oldest, WallTime(std::chrono::hours(998)));
  for (const char* key : {"urgent", "old", "new"}) EXPECT_EQ(key_of(queue.next(0, {})), key);
  EXPECT_EQ(queue.load().active, 3);
}

TEST(WorkQueue, WhatIsTriedAgainFindsWorkersThatWaitAlready) {
  SystemClock clock;
  WorkQueue queue(clock, {2, 2, 2, 100, 10}, 10);
  queue.push(work("a", 0, 0), {});
  auto task = queue.next(0, {});
  std::stop_source stop;
  auto other = std::async(std::launch::async, [&] { return queue.next(1, stop.get_token()); });
  EXPECT_EQ(other.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  queue.retry(std::get<Work>(std::move(*task)), std::chrono::milliseconds(1));  // and worker 0 takes nothing any more
  const bool found = other.wait_for(std::chrono::seconds(10)) == std::future_status::ready;
  stop.request_stop();
  ASSERT_TRUE(found);
  EXPECT_EQ(key_of(other.get()), "a");
}

TEST(WorkQueue, AFullQueueHoldsTheListingBack) {
  SystemClock clock;
  WorkQueue queue(clock, {1, 1, 1, 100, 10}, 1);
  queue.push(work("a", 0, 0), {});
  auto second = std::async(std::launch::async, [&] { return queue.push(work("b", 0, 0), {}); });
  EXPECT_EQ(second.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  EXPECT_EQ(key_of(queue.next(0, {})), "a");
  EXPECT_TRUE(second.get());
  EXPECT_EQ(queue.load().queued, 1u);
}

TEST(WorkQueue, IsIdleOnlyWhenEverythingIsDone) {
  SystemClock clock;
  WorkQueue queue(clock, {1, 1, 1, 100, 10}, 10);
  std::stop_source stop;
  EXPECT_TRUE(queue.wait_idle({}));
  queue.push(work("a", 0, 0), {});
  const auto task = queue.next(0, {});
  auto idle = std::async(std::launch::async, [&] { return queue.wait_idle({}); });
  EXPECT_EQ(idle.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  queue.done(std::get<Work>(*task));
  EXPECT_TRUE(idle.get());
  EXPECT_EQ(queue.load().oldest, std::nullopt);
}

}  // namespace
}  // namespace twinspan::s3
