#include "worker/kafka/second_thoughts.hpp"

#include <gtest/gtest.h>

#include "unit/worker_kafka/given.hpp"

namespace twinspan::worker_kafka {
namespace {

using namespace std::chrono_literals;
using kafka_engine::Halt;
BootTime at(std::chrono::nanoseconds since) { return BootTime(since); }

CarrierLook carrier(uint64_t attempt = 0) {
  CarrierLook look;
  auto order = std::make_shared<LaneOrder>();
  order->spec = *carry_spec_of(given::link());
  order->partitions = {{{"t", 0}, "t"}, {{"t", 1}, "t"}};
  order->attempt = attempt;
  look.order = order;
  look.running = look.lane.following = true;
  look.lane.partitions[{"t", 0}];
  return look;
}

CarrierLook taken_over(const std::string& holder) {
  CarrierLook look = carrier();
  look.running = look.lane.following = false;
  look.ended = Error{Code::kConflict, "carried by another process now", false};
  look.lane.holder = holder;
  return look;
}

TEST(SecondThoughts, APodThatWasReplacedEndsAndThePresentOneTakesItsLaneBack_KF12) {
  const CarrierLook look = taken_over("link-uid/another-pod/1");
  {
    SecondThoughts thoughts;
    EXPECT_TRUE(thoughts.look(look, {}, at(1s)).ask_owner);
    EXPECT_TRUE(thoughts.look(look, PodOwner::kAnothers, at(1s)).end);
    EXPECT_EQ(thoughts.attempt(), 0u);
  }
  SecondThoughts thoughts;
  for (const auto now : {at(1s), at(1000s)}) {
    EXPECT_FALSE(thoughts.look(look, PodOwner::kUnknown, now).end);
    EXPECT_EQ(thoughts.attempt(), 0u) << "what is not known is no leave";
  }
  EXPECT_FALSE(thoughts.look(look, PodOwner::kOurs, at(2000s)).end);
  EXPECT_EQ(thoughts.attempt(), 0u);
  thoughts.look(look, PodOwner::kOurs, at(2001s));
  EXPECT_EQ(thoughts.attempt(), 1u);
}

TEST(SecondThoughts, ALinkOfTheSameNameElsewhereIsNotFoughtWith) {
  SecondThoughts thoughts;
  const auto verdict = thoughts.look(taken_over("another-link/pod/1"), {}, at(1s));
  ASSERT_TRUE(verdict.stall);
  EXPECT_EQ(verdict.stall->reason, "TakenOver");
  EXPECT_NE(verdict.stall->message.find("(another-link)"), std::string::npos) << verdict.stall->message;
  EXPECT_FALSE(verdict.ask_owner);
  thoughts.look(taken_over("another-link/pod/1"), PodOwner::kOurs, at(1000s));
  EXPECT_EQ(thoughts.attempt(), 0u);
}

TEST(SecondThoughts, WhatMayHaveBeenPutRightIsTriedAgainEverLessOften) {
  SecondThoughts thoughts;
  std::vector<int> tried;
  for (int second = 0; second < 2000; ++second) {
    CarrierLook look = carrier(thoughts.attempt());
    look.lane.partitions[{"t", 0}].halt = Halt{Halt::Reason::kTooLarge, 4, "too large"};
    const uint64_t before = thoughts.attempt();
    thoughts.look(look, {}, at(std::chrono::seconds(second)));
    if (thoughts.attempt() != before) tried.push_back(second);
  }
  ASSERT_GE(tried.size(), 4u);
  EXPECT_EQ(tried[0], 60);
  EXPECT_NEAR(tried[1] - tried[0], 120, 2);
  EXPECT_NEAR(tried.back() - tried[tried.size() - 2], 600, 2);
}

TEST(SecondThoughts, WhatNobodyCanPutRightIsLeft) {
  for (const auto reason : {Halt::Reason::kGap, Halt::Reason::kTruncated, Halt::Reason::kRecreated,
                            Halt::Reason::kOldFormat, Halt::Reason::kExisting, Halt::Reason::kTargetLost}) {
    SecondThoughts thoughts;
    CarrierLook look = carrier();
    look.lane.partitions[{"t", 0}].halt = Halt{reason, 4, ""};
    for (int second = 0; second < 3000; second += 10) thoughts.look(look, {}, at(std::chrono::seconds(second)));
    EXPECT_EQ(thoughts.attempt(), 0u);
  }
}

TEST(SecondThoughts, ALaneThatCannotGoOnSaysSoAndIsTriedAgain) {
  SecondThoughts thoughts;
  CarrierLook look = carrier();
  look.running = false;
  look.ended = Error{Code::kInvalid, "the state cannot be read", false};
  EXPECT_EQ(thoughts.look(look, {}, at(1s)).stall->reason, "CannotGoOn");
  EXPECT_EQ(thoughts.attempt(), 0u);
  thoughts.look(look, {}, at(6s));
  EXPECT_EQ(thoughts.attempt(), 1u);
  thoughts.look(look, {}, at(600s));
  EXPECT_EQ(thoughts.attempt(), 1u) << "the lane of before is not looked at twice";
}

}  // namespace
}  // namespace twinspan::worker_kafka
