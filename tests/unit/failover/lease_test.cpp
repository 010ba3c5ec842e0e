#include "failover/lease.hpp"

#include <gtest/gtest.h>

namespace twinspan {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

BootTime at(milliseconds time) { return BootTime(std::chrono::hours(5) + time); }

TEST(LeaseTenure, IsCountedFromWhenTheRenewalWasSent) {
  LeaseTenure tenure({seconds(5), seconds(1), seconds(1)}, Epoch{3}, at(milliseconds(0)));
  EXPECT_FALSE(tenure.expired(at(milliseconds(3999))));
  EXPECT_TRUE(tenure.expired(at(milliseconds(4000))));
  tenure.renewed(at(milliseconds(1000)));
  EXPECT_FALSE(tenure.expired(at(milliseconds(4999))));
  EXPECT_TRUE(tenure.expired(at(milliseconds(5000))));
  EXPECT_EQ(tenure.renew_at(), at(milliseconds(2000)));
}

TEST(LeaseTenure, AnAnswerThatComesLateNeverShortensIt) {
  LeaseTenure tenure({seconds(5), seconds(1), seconds(1)}, Epoch{3}, at(milliseconds(0)));
  tenure.renewed(at(milliseconds(2000)));
  tenure.renewed(at(milliseconds(1000)));
  EXPECT_EQ(tenure.fence_at(), at(milliseconds(6000)));
}

// Its answer may be all that is lost: whoever sees the shorter lease takes it when that is over.
TEST(LeaseTenure, ARequestForAShorterOneCountsFromWhenItWasSent) {
  LeaseTenure tenure({seconds(10), seconds(1), seconds(1)}, Epoch{3}, at(milliseconds(0)));
  tenure.sent(at(milliseconds(1000)), seconds(10));
  EXPECT_EQ(tenure.fence_at(), at(milliseconds(9000))) << "a longer right is had only once it is granted";
  tenure.sent(at(milliseconds(1000)), seconds(3));
  EXPECT_EQ(tenure.fence_at(), at(milliseconds(3000)));
}

LeaseRecord held(const std::string& version) {
  LeaseRecord record;
  record.version = version;
  record.holder_endpoint = "east";
  record.epoch = {1};
  return record;
}

TEST(LeaseObservation, MayBeTakenOnlyAfterItStoodUnchangedForItsWholeDuration) {
  LeaseObservation seen({seconds(5), seconds(1), seconds(1)});
  EXPECT_FALSE(seen.stood(at(seconds(100)), {})) << "nothing was observed yet";
  seen.observe(held("7"), at(seconds(0)), seconds(5));
  seen.observe(held("7"), at(seconds(3)), seconds(5));  // the same record read again changes nothing
  EXPECT_FALSE(seen.stood(at(milliseconds(4999)), {}));
  EXPECT_TRUE(seen.stood(at(seconds(5)), {}));
  seen.observe(held("8"), at(seconds(5)), seconds(5));
  EXPECT_FALSE(seen.stood(at(seconds(9)), {}));
}

// Whatever a version promised, its holder acts on until then: it may be cut off from every later one.
TEST(LeaseObservation, NoLaterVersionTakesAPromiseBack) {
  for (const int first : {0, 2, 5, 30})
    for (const int second : {0, 2, 5, 30})
      for (const bool emptied : {false, true})
        for (const int remembered : {0, 12}) {
          LeaseObservation seen({seconds(5), seconds(1), seconds(1)});
          seen.observe(held("7"), at(seconds(0)), seconds(first));
          LeaseRecord edited = held("8");
          if (emptied) edited.holder_endpoint.clear();
          seen.observe(edited, at(seconds(1)), seconds(second));
          const int from = std::max({first, 1 + second, 1 + 5, emptied ? 1 + remembered : remembered});
          const auto what = testing::PrintToString(std::vector<int>{first, second, emptied, remembered});
          EXPECT_FALSE(seen.stood(at(milliseconds(from * 1000 - 1)), seconds(remembered))) << what;
          EXPECT_TRUE(seen.stood(at(seconds(from)), seconds(remembered))) << what;
          seen.forget();
          EXPECT_FALSE(seen.stood(at(seconds(100)), {})) << what;
        }
}

// A free lease whose last holder did not say so itself may have one that does not know of it yet.
TEST(Lease, IsFreeAtOnceOnlyByItsHoldersWordOrWhereNobodyEverHeldIt) {
  const std::vector<std::optional<Release>> notes{std::nullopt, Release{"east", Cause::kShutdown, std::nullopt},
                                                  Release{"", Cause::kShutdown, std::nullopt}};
  for (bool is_held : {false, true})
    for (int64_t epoch : {0, 1, 4})
      for (size_t note = 0; note < notes.size(); ++note)
        for (int64_t assigned : {0, 1, 2, 5, 6})
          for (Cause cause : {Cause::kInitial, Cause::kProcessDied})
            for (int64_t remembered : {0, 1, 4, 5})
              for (std::optional<Epoch> data : {std::optional<Epoch>{}, {Epoch{0}}, {Epoch{remembered}}}) {
                LeaseRecord lease = held("7");
                if (!is_held) lease.holder_endpoint.clear();
                lease.epoch = {epoch};
                lease.release = notes[note];
                const bool told = epoch > 0 && note == 1;
                const bool first = epoch == 0 && cause == Cause::kInitial && data == Epoch{0};
                EXPECT_EQ(free_at_once(lease, {{assigned}, "west", "", cause},
                                       {{remembered}, data, DataPart::kSome, std::chrono::seconds(5)}),
                          !is_held && assigned == epoch + 1 && remembered <= epoch && (told || first));
              }
}

// A policy can ask for 300 s at most: more was written by a hand, and holds up nobody for years once it is corrected.
TEST(LeaseObservation, NoHolderPromisesMoreThanAPolicyCanAskFor) {
  for (const bool emptied : {false, true}) {
    LeaseObservation seen({seconds(5), seconds(1), seconds(1)});
    seen.observe(held("7"), at(seconds(0)), seconds(2147483647));
    LeaseRecord corrected = held("8");
    if (emptied) corrected.holder_endpoint.clear();
    seen.observe(corrected, at(seconds(1)), seconds(5));
    EXPECT_FALSE(seen.stood(at(milliseconds(299'999)), {}));
    EXPECT_TRUE(seen.stood(at(seconds(300)), {}));
    EXPECT_TRUE(seen.stood(at(seconds(301)), seconds(2147483647))) << "nor does a volume remember more";
  }
}

// Whoever restarts waits for what is remembered: what was promised is outwaited, whatever was remembered and when.
TEST(LeaseObservation, WhatIsForgottenOfAPromiseWasOutwaited) {
  for (const int first : {2, 5, 30})
    for (const int second : {2, 5, 30})
      for (const int remembered : {0, 5, 12, 30})
        for (const int now : {1, 2, 6, 10, 24, 25, 26, 31, 60}) {
          LeaseObservation seen({seconds(5), seconds(1), seconds(1)});
          seen.observe(held("7"), at(seconds(0)), seconds(first));
          seen.observe(held("8"), at(seconds(1)), seconds(second));
          const int ends = std::max({first, 1 + second, remembered});
          EXPECT_EQ(seen.outlived(at(seconds(now)), seconds(remembered), seconds(second)), ends <= now + second)
              << testing::PrintToString(std::vector<int>{first, second, remembered, now});
        }
  EXPECT_FALSE(LeaseObservation({seconds(5), seconds(1), seconds(1)}).outlived(at(seconds(100)), {}, seconds(5)))
      << "nothing was observed";
}

TEST(LeaseObservation, ForgettingMeansWaitingAFullDurationAgain) {
  LeaseObservation seen({seconds(5), seconds(1), seconds(1)});
  seen.observe(held("7"), at(seconds(0)), seconds(5));
  seen.forget();
  EXPECT_FALSE(seen.stood(at(seconds(9)), {}));
  seen.observe(held("7"), at(seconds(9)), seconds(5));
  EXPECT_FALSE(seen.stood(at(seconds(13)), {}));
  EXPECT_TRUE(seen.stood(at(seconds(14)), {}));
}

}  // namespace
}  // namespace twinspan
