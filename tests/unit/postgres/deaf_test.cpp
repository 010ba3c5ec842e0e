#include "engines/postgres/deaf.hpp"

#include <gtest/gtest.h>

namespace twinspan::postgres {
namespace {

BootTime at(int64_t milliseconds) { return BootTime(std::chrono::milliseconds(milliseconds)); }

Observation::Sender sender(uint64_t flushed, const char* told_at) {
  Observation::Sender one;
  one.application = "west";
  one.state = "streaming";
  one.pid = 7;
  one.sent = Position{200};
  one.flushed = Position{flushed};
  one.told_at = told_at;
  return one;
}

bool deaf(DeafSenders& watch, int64_t now, Observation::Sender one, uint64_t end = 300) {
  std::vector<Observation::Sender> senders{std::move(one)};
  watch.measure(at(now), Position{end}, 5, senders);
  return senders[0].deaf;
}

TEST(DeafSenders, AreThoseThatStandStillForTwiceTheirTimeOutWhileLogWaits) {
  DeafSenders watch;
  EXPECT_FALSE(deaf(watch, 0, sender(100, "t1")));
  EXPECT_FALSE(deaf(watch, 10'000, sender(100, "t1")));
  EXPECT_TRUE(deaf(watch, 10'001, sender(100, "t1")));
  EXPECT_TRUE(deaf(watch, 60'000, sender(100, "t1"))) << "until it is gone";
}

TEST(DeafSenders, AnythingThatMovesIsLife) {
  DeafSenders watch;
  EXPECT_FALSE(deaf(watch, 0, sender(100, "t1")));
  EXPECT_FALSE(deaf(watch, 11'000, sender(100, "t2"))) << "it told the same, but it told";
  EXPECT_FALSE(deaf(watch, 22'000, sender(101, "t2")));
  EXPECT_FALSE(deaf(watch, 32'000, sender(101, "t2")));
  Observation::Sender other = sender(101, "t2");
  other.pid = 8;
  EXPECT_FALSE(deaf(watch, 40'000, other)) << "another connection";
}

TEST(DeafSenders, NobodyIsDeafWhoHasEverythingOrOnlyTakesABackup) {
  DeafSenders watch;
  Observation::Sender backup = sender(100, "");
  backup.sent.reset();
  for (int64_t now : {0, 3'600'000}) {
    EXPECT_FALSE(deaf(watch, now, sender(300, "t1")));
    EXPECT_FALSE(deaf(watch, now, backup));
  }
}

TEST(DeafSenders, WithoutATimeOutAMinuteIsAllowed) {
  EXPECT_EQ(stillness_allowed(0), std::chrono::seconds(60));
  EXPECT_EQ(stillness_allowed(1), std::chrono::seconds(10));
  EXPECT_EQ(stillness_allowed(30), std::chrono::seconds(60));
}

TEST(ReceiverSilence, CountsByTheObserversClockFromTheLastMessageOn) {
  ReceiverSilence silence;
  const auto measured = [&](int64_t now, const char* heard_at) {
    std::optional<Observation::Receiver> receiver{{"streaming", {1}, heard_at, 0, 5}};
    silence.measure(at(now), receiver);
    return receiver->silent_seconds;
  };
  EXPECT_EQ(measured(0, "a"), 0);
  EXPECT_EQ(measured(7'000, "a"), 7);
  EXPECT_EQ(measured(8'000, "b"), 0);
  std::optional<Observation::Receiver> none;
  silence.measure(at(9'000), none);
  EXPECT_EQ(measured(10'000, "b"), 0);
}

TEST(ReceiverHangs, OnlyWhereItsTimeOutShouldHaveEndedIt) {
  const auto hangs = [](double silent, double timeout) {
    return receiver_hangs(Observation::Receiver{"streaming", {1}, "a", silent, timeout});
  };
  EXPECT_FALSE(hangs(10, 5));
  EXPECT_TRUE(hangs(10.5, 5));
  EXPECT_FALSE(hangs(100, 60));
  EXPECT_TRUE(hangs(121, 60));
  EXPECT_FALSE(hangs(1e9, 0)) << "it may wait for ever";
}

}  // namespace
}  // namespace twinspan::postgres
