#include "kube/queue.hpp"

#include "core/wait.hpp"
#include "fake_api.hpp"
#include "kube/controller.hpp"
#include "kube/metrics.hpp"

namespace twinspan::kube::testing {
namespace {

Key k(const std::string& name) { return {"ns", name}; }

TEST(Queue, HandsOutInOrderEachKeyOnce) {
  FakeClock clock;
  WorkQueue queue({.name = "q"}, clock);
  for (const char* name : {"a", "b", "a", "c", "b"}) queue.add(k(name));
  EXPECT_EQ(queue.try_take(), k("a"));
  EXPECT_EQ(queue.try_take(), k("b"));
  EXPECT_EQ(queue.try_take(), k("c"));
  EXPECT_EQ(queue.try_take(), std::nullopt);
}

TEST(Queue, LowPriorityWaitsBehindAndIsPromoted) {
  FakeClock clock;
  WorkQueue queue({.name = "q"}, clock);
  queue.add(k("list-1"), true);
  queue.add(k("list-2"), true);
  queue.add(k("list-3"), true);
  queue.add(k("changed"));
  queue.add(k("list-2"));         // it changed meanwhile
  queue.add(k("changed"), true);  // no demotion
  std::string order;
  while (const auto key = queue.try_take()) order += key->name + " ", queue.done(*key);
  EXPECT_EQ(order, "changed list-2 list-1 list-3 ");
}

TEST(Queue, RetriesDoubleUpToTheLimitAndForgetStartsOver) {
  FakeClock clock;
  WorkQueue queue({.name = "q", .backoff_base = milliseconds(10), .backoff_limit = milliseconds(60)}, clock);
  const auto expect_after = [&](int64_t delay) {
    queue.retry(k("a"));
    clock.advance(milliseconds(delay) - std::chrono::nanoseconds(1));
    EXPECT_EQ(queue.try_take(), std::nullopt) << delay;
    clock.advance(std::chrono::nanoseconds(1));
    EXPECT_EQ(queue.try_take(), k("a")) << delay;
    queue.done(k("a"));
  };
  for (const int64_t delay : {10, 20, 40, 60, 60, 60}) expect_after(delay);
  for (int i = 0; i < 100; ++i) queue.retry(k("b"));  // no overflow
  clock.advance(seconds(1));
  EXPECT_EQ(queue.try_take(), k("b"));
  queue.done(k("b"));
  queue.forget(k("a"));
  expect_after(10);
}

TEST(Queue, TheEarliestOfSeveralDelaysCounts) {
  FakeClock clock;
  WorkQueue queue({.name = "q"}, clock);
  queue.add_after(k("a"), seconds(30));
  queue.add_after(k("a"), seconds(10));
  queue.add_after(k("a"), seconds(20));
  clock.advance(seconds(10));
  EXPECT_EQ(queue.try_take(), k("a"));
  queue.done(k("a"));
  clock.advance(seconds(60));
  EXPECT_EQ(queue.try_take(), std::nullopt);
  queue.add_after(k("a"), milliseconds(0));
  EXPECT_EQ(queue.try_take(), k("a"));
}

// Every sequence of six operations on one key, against what the queue promises.
TEST(Queue, EverySequenceOfOperationsKeepsItsPromises) {
  constexpr int kOperations = 6, kLength = 6;
  int total = 1;
  for (int i = 0; i < kLength; ++i) total *= kOperations;
  FakeClock clock;
  for (int sequence = 0; sequence < total; ++sequence) {
    WorkQueue queue({.name = "enumerated", .backoff_base = milliseconds(10)}, clock);
    bool working = false;  // handed out
    bool owed = false;     // an addition that no later take has answered
    bool delayed = false;
    for (int i = 0, rest = sequence; i < kLength; ++i, rest /= kOperations) {
      switch (rest % kOperations) {
        case 0:
          queue.add(k("a"));
          owed = true;
          break;
        case 1:
          queue.add(k("a"), true);
          owed = true;
          break;
        case 2: {
          const auto taken = queue.try_take();
          ASSERT_EQ(taken.has_value(), owed && !working) << sequence;
          if (taken) working = true, owed = false;
          break;
        }
        case 3:
          queue.done(k("a"));
          working = false;
          break;
        case 4:
          queue.add_after(k("a"), milliseconds(5));
          delayed = true;
          break;
        case 5:
          clock.advance(milliseconds(5));
          if (std::exchange(delayed, false)) owed = true;
          break;
      }
    }
    // Nothing is lost: what is still owed comes once the worker is done.
    queue.done(k("a"));
    clock.advance(milliseconds(5));
    ASSERT_EQ(queue.try_take().has_value(), owed || delayed) << sequence;
    queue.done(k("a"));
    ASSERT_EQ(queue.try_take(), std::nullopt) << sequence;
  }
}

TEST(Queue, NoKeyIsEverWithTwoWorkersAndNoChangeIsMissed) {
  SystemClock clock;
  WorkQueue queue({.name = "q"}, clock);
  constexpr int kKeys = 5, kRounds = 400;
  std::array<std::atomic<int>, kKeys> inside{}, written{}, seen{};
  std::atomic<bool> overlapped{false};
  std::vector<std::jthread> workers;
  for (int w = 0; w < 4; ++w)
    workers.emplace_back([&](const std::stop_token& stop) {
      while (const auto key = queue.take(stop)) {
        const auto i = static_cast<size_t>(key->name[0] - '0');
        if (++inside[i] != 1) overlapped = true;
        seen[i] = written[i].load();
        std::this_thread::yield();
        --inside[i];
        queue.done(*key);
      }
    });
  {
    std::vector<std::jthread> writers;
    for (int w = 0; w < 3; ++w)
      writers.emplace_back([&] {
        for (int i = 0; i < kRounds; ++i) {
          ++written[static_cast<size_t>(i % kKeys)];
          queue.add(k(std::to_string(i % kKeys)), i % 3 == 0);
        }
      });
  }
  EXPECT_TRUE(eventually([&] {
    for (size_t i = 0; i < kKeys; ++i)
      if (seen[i] != written[i]) return false;
    return true;
  }));
  EXPECT_FALSE(overlapped);
}

TEST(Queue, TakeWakesForAnAdditionADelayAndTheStopToken) {
  SystemClock clock;
  WorkQueue queue({.name = "q"}, clock);
  queue.add_after(k("later"), seconds(60));
  std::atomic<int> taken{0};
  std::jthread taker([&](const std::stop_token& stop) {
    while (const auto key = queue.take(stop)) ++taken, queue.done(*key);
  });
  queue.add(k("now"));
  EXPECT_TRUE(eventually([&] { return taken == 1; }));
  queue.add_after(k("soon"), milliseconds(20));
  EXPECT_TRUE(eventually([&] { return taken == 2; }));
  taker.request_stop();
  taker.join();
  EXPECT_EQ(taken, 2);
}

TEST(Queue, CountsUnderTheNamesOfClientGo) {
  FakeClock clock;
  WorkQueue queue({.name = "counted"}, clock);
  queue.add(k("a"));
  queue.add(k("a"));
  queue.add(k("b"));
  clock.advance(seconds(2));
  queue.try_take();
  queue.done(k("a"));
  queue.retry(k("a"));
  const std::string text = metrics_text();
  EXPECT_NE(text.find("workqueue_depth{name=\"counted\"} 1"), std::string::npos) << text;
  EXPECT_NE(text.find("workqueue_adds_total{name=\"counted\"} 2"), std::string::npos);
  EXPECT_NE(text.find("workqueue_retries_total{name=\"counted\"} 1"), std::string::npos);
  EXPECT_NE(text.find("workqueue_queue_duration_seconds_sum{name=\"counted\"} 2"), std::string::npos);
  EXPECT_NE(text.find("workqueue_work_duration_seconds_count{name=\"counted\"} 1"), std::string::npos);
}

TEST(Controller, RetriesErrorsRequeuesOnRequestAndCounts) {
  SystemClock clock;
  std::mutex mutex;
  std::map<std::string, int> calls;
  Controller controller("tested", 2, clock, [&](const Key& key, const std::stop_token&) -> Result<Requeue> {
    std::lock_guard lock(mutex);
    const int call = ++calls[key.name];
    if (key.name == "fails" && call < 3) return fail(Code::kUnavailable, "not yet");
    if (key.name == "conflicts" && call < 3) return fail(Code::kConflict, "changed");
    if (key.name == "throws" && call < 3) throw std::runtime_error("bug");
    if (key.name == "again" && call < 3) return Requeue::after(milliseconds(5));
    return Requeue::none();
  });
  for (const char* name : {"fails", "conflicts", "throws", "again", "once"}) controller.queue().add(k(name));
  controller.start();
  EXPECT_TRUE(eventually([&] {
    std::lock_guard lock(mutex);
    return calls ==
           std::map<std::string, int>{{"again", 3}, {"conflicts", 3}, {"fails", 3}, {"once", 1}, {"throws", 3}};
  }));
  controller.stop();
  const std::string text = metrics_text();
  EXPECT_NE(text.find("controller_runtime_reconcile_errors_total{controller=\"tested\"} 4"), std::string::npos) << text;
  EXPECT_NE(text.find("controller_runtime_reconcile_total{controller=\"tested\",result=\"success\"} 5"),
            std::string::npos);
  EXPECT_NE(text.find("controller_runtime_reconcile_total{controller=\"tested\",result=\"error\"} 4"),
            std::string::npos);
  EXPECT_NE(text.find("controller_runtime_reconcile_total{controller=\"tested\",result=\"requeue\"} 2"),
            std::string::npos);
  EXPECT_NE(text.find("controller_runtime_reconcile_total{controller=\"tested\",result=\"requeue_after\"} 2"),
            std::string::npos);
  EXPECT_NE(text.find("controller_runtime_active_workers{controller=\"tested\"} 0"), std::string::npos);
}

// Looks find the object invalid as long as there are words for it.
class InvalidTest : public ::testing::Test {
 protected:
  void start(const char* given, ControllerConfig config) {
    name = given;
    controller.emplace(
        given, 1, clock,
        [this](const Key&, const std::stop_token&) -> Result<Requeue> {
          std::lock_guard lock(mutex);
          ++calls;
          if (error) return std::unexpected(*error);
          return Requeue::none();
        },
        config);
    controller->queue().add(k("a"));
    controller->start();
  }
  void find(std::optional<Error> now) {
    std::lock_guard lock(mutex);
    error = std::move(now);
  }
  bool looked(int count) {
    return eventually([&] { return calls >= count; });
  }
  bool given_up() {
    return metrics_text().find("controller_runtime_terminal_reconcile_errors_total{controller=\"" + name + "\"} 0") ==
           std::string::npos;
  }

  SystemClock clock;
  std::string name;
  std::mutex mutex;
  std::optional<Error> error = Error{Code::kInvalid, "spec.x: must not be"};
  std::atomic<int> calls{0};
  std::optional<Controller> controller;
};

// By the clock: news of a refused link's members may come many times a second, and uses up no patience.
TEST_F(InvalidTest, IsTriedForAWhileHoweverOftenNewsComes) {
  start("for-a-while", {});
  for (int news = 1; news <= 200; ++news) {
    controller->queue().add(k("a"));
    ASSERT_TRUE(looked(news));
  }
  EXPECT_FALSE(given_up());
}

TEST_F(InvalidTest, IsGivenUpThenAndTriedOnceWhateverBringsItBack) {
  start("given-up", {.patience_with_invalid = milliseconds(200), .look_again = milliseconds(1500)});
  ASSERT_TRUE(eventually([&] { return given_up(); }));
  for (int again = 0; again < 3; ++again) {
    const int before = calls;
    controller->queue().add(k("a"));
    ASSERT_TRUE(looked(before + 1));
    std::this_thread::sleep_for(milliseconds(60));  // a second try would come after 5 ms
    EXPECT_EQ(calls, before + 1);
  }
  // What refused it may be corrected without any news of ours: Services must not stay withdrawn for that.
  EXPECT_TRUE(looked(calls + 1));
}

TEST_F(InvalidTest, ForAnotherReasonItIsBegunAnew) {
  start("another-reason", {.patience_with_invalid = milliseconds(1000), .look_again = seconds(600)});
  ASSERT_TRUE(eventually([&] { return given_up(); }));
  for (const Error& other : {Error{Code::kInvalid, "spec.y: must not be"}, Error{Code::kUnavailable, "away"}}) {
    find(other);
    controller->queue().add(k("a"));
    ASSERT_TRUE(looked(calls + 3)) << other.message << ": retries come by themselves";
  }
}

// A write that is refused is retried with back-off, and yet keeps nobody from seeing that time has passed.
TEST(Controller, WhatWasDoneInPartIsLookedAtInTime) {
  SystemClock clock;
  std::atomic<int> calls{0};
  Controller controller("in-part", 1, clock, [&](const Key&, const std::stop_token&) -> Result<Requeue> {
    ++calls;
    return Requeue{milliseconds(100), Error{Code::kDenied, "a Service is refused"}};
  });
  controller.queue().add(k("a"));
  controller.start();
  EXPECT_TRUE(eventually([&] { return calls >= 16; })) << "by back-off alone the last comes after three minutes";
  EXPECT_NE(metrics_text().find("controller_runtime_reconcile_errors_total{controller=\"in-part\"} "),
            std::string::npos);
  controller.stop();
}

TEST(Controller, StoppingWaitsForWhatIsUnderWayAndTellsIt) {
  SystemClock clock;
  std::atomic<bool> entered{false}, left{false};
  Controller controller("stopped", 1, clock, [&](const Key&, const std::stop_token& stop) -> Result<Requeue> {
    entered = true;
    wait_for(seconds(60), stop);
    left = true;
    return fail(Code::kCancelled, "stopped");
  });
  controller.start();
  controller.queue().add(k("a"));
  ASSERT_TRUE(eventually([&] { return entered.load(); }));
  controller.stop();
  EXPECT_TRUE(left);
}

}  // namespace
}  // namespace twinspan::kube::testing
