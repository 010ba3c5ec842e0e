#include "kube/election.hpp"

#include "core/wait.hpp"
#include "fake_api.hpp"
#include "kube/events.hpp"
#include "kube/metrics.hpp"

namespace twinspan::kube::testing {
namespace {

class ElectionTest : public ::testing::Test {
 protected:
  ElectionConfig config(const std::string& identity) const {
    return {.lease = {"ns", "leader"},
            .identity = identity,
            .duration = seconds(15),
            .renew_deadline = seconds(10),
            .retry = milliseconds(2)};
  }
  Json spec() const { return api.object("leases", "ns", "leader").value("spec", Json::object()); }
  void hold_by(const std::string& holder, const std::string& renewed) {
    api.put("leases", "ns", "leader",
            {{"spec",
              {{"holderIdentity", holder},
               {"leaseDurationSeconds", 15},
               {"leaseTransitions", 3},
               {"renewTime", renewed}}}});
  }
  size_t reads() const { return api.count("get"); }
  // The candidate has read the lease at least twice more: what it could do by now it has done.
  bool looked_again() {
    const size_t before = reads();
    return eventually([&] { return reads() >= before + 2; });
  }
  // And not before: by its own observation of a lease that `other` holds.
  void expect_elected_after_fifteen_seconds() {
    Election election(client, clock, config("me"));
    std::atomic<bool> elected{false};
    std::jthread candidate([&](const std::stop_token& stop) { elected = election.acquire(stop); });
    ASSERT_TRUE(looked_again());
    clock.advance(milliseconds(14'999));
    ASSERT_TRUE(looked_again());
    EXPECT_FALSE(elected);
    EXPECT_EQ(election.leader(), "other");
    clock.advance(milliseconds(1));
    EXPECT_TRUE(eventually([&] { return elected.load(); }));
  }

  FakeApi api;
  Client client{api.config()};
  FakeClock clock;
};

TEST_F(ElectionTest, CreatesTheLeaseAndLeads) {
  Election election(client, clock, config("me"));
  EXPECT_FALSE(election.is_leader());
  ASSERT_TRUE(election.acquire({}));
  EXPECT_TRUE(election.is_leader());
  EXPECT_EQ(election.leader(), "me");
  EXPECT_EQ(spec()["holderIdentity"], "me");
  EXPECT_EQ(spec()["leaseDurationSeconds"], 15);
  EXPECT_EQ(spec()["leaseTransitions"], 0);
  EXPECT_EQ(spec()["acquireTime"], spec()["renewTime"]);
  EXPECT_NE(metrics_text().find("leader_election_master_status{name=\"leader\"} 1"), std::string::npos);
}

TEST_F(ElectionTest, ExpiryIsJudgedByOwnObservationWhateverTheHoldersClockSays) {
  for (const char* renewed : {"2000-01-01T00:00:00.000000Z", "2100-01-01T00:00:00.000000Z"}) {
    hold_by("other", renewed);
    expect_elected_after_fifteen_seconds();
    EXPECT_EQ(spec()["holderIdentity"], "me");
    EXPECT_EQ(spec()["leaseTransitions"], 4);
  }
}

// Shortened by a hand, or without a duration: its holder may not know of that.
TEST_F(ElectionTest, AHolderActsForAsLongAsThisProgramPromises) {
  for (const Json& duration : {Json(nullptr), Json(0), Json(1)}) {
    api.put("leases", "ns", "leader",
            {{"spec", {{"holderIdentity", "other"}, {"leaseDurationSeconds", duration}, {"leaseTransitions", 3}}}});
    SCOPED_TRACE(duration.dump());
    expect_elected_after_fifteen_seconds();
  }
}

TEST_F(ElectionTest, ARenewalSeenStartsTheTimeAgain) {
  hold_by("other", "2026-01-01T00:00:00.000000Z");
  Election election(client, clock, config("me"));
  std::atomic<bool> elected{false};
  std::jthread candidate([&](const std::stop_token& stop) { elected = election.acquire(stop); });
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(looked_again());
    clock.advance(seconds(14));
    hold_by("other", "2026-01-01T00:00:00.000000Z");  // the same words, another version
  }
  ASSERT_TRUE(looked_again());
  EXPECT_FALSE(elected);
}

TEST_F(ElectionTest, AReleasedLeaseIsTakenAtOnce) {
  hold_by("", "2026-01-01T00:00:00.000000Z");
  Election election(client, clock, config("me"));
  ASSERT_TRUE(election.acquire({}));
  EXPECT_EQ(spec()["leaseTransitions"], 4);
}

TEST_F(ElectionTest, StoppingReleasesWithADurationOfOneSecond) {
  Election election(client, clock, config("me"));
  ASSERT_TRUE(election.acquire({}));
  std::jthread holder([&](const std::stop_token& stop) { election.hold(stop); });
  ASSERT_TRUE(eventually([&] { return api.count("PUT") >= 2; }));
  holder.request_stop();
  holder.join();
  EXPECT_FALSE(election.is_leader());
  EXPECT_EQ(spec()["holderIdentity"], "");
  EXPECT_EQ(spec()["leaseDurationSeconds"], 1);
  EXPECT_EQ(spec()["leaseTransitions"], 0);
}

TEST_F(ElectionTest, AReleaseThatMeetsOurOwnLostRenewalIsRepeatedAndAThiefIsLeftAlone) {
  for (const std::string holder : {"me", "thief"}) {
    ElectionConfig patient = config("me");
    patient.retry = seconds(60);  // no renewal comes by itself
    Election election(client, clock, patient);
    hold_by("", "2026-01-01T00:00:00.000000Z");
    ASSERT_TRUE(election.acquire({}));
    hold_by(holder, "2026-01-01T00:00:01.000000Z");
    std::jthread([&](const std::stop_token& stop) { election.hold(stop); }).request_stop();
    EXPECT_FALSE(election.is_leader());
    EXPECT_EQ(spec()["holderIdentity"], holder == "me" ? "" : holder);
  }
}

TEST_F(ElectionTest, RenewalsKeepTheTermAndNeedNoRead) {
  Election election(client, clock, config("me"));
  ASSERT_TRUE(election.acquire({}));
  const Json acquired = spec()["acquireTime"];
  const size_t before = reads();
  clock.advance(seconds(1));
  std::jthread holder([&](const std::stop_token& stop) { election.hold(stop); });
  ASSERT_TRUE(eventually([&] { return api.count("PUT") >= 3; }));
  EXPECT_EQ(reads(), before);
  EXPECT_EQ(spec()["acquireTime"], acquired);
  EXPECT_NE(spec()["renewTime"], acquired);
}

TEST_F(ElectionTest, FailingRenewalsLoseItAtTheDeadlineAndNotBefore) {
  Election election(client, clock, config("me"));
  ASSERT_TRUE(election.acquire({}));
  api.fail_next("PUT", {.status = 500, .reason = "InternalError"}, 100'000);
  std::atomic<bool> lost{false};
  std::jthread holder([&](const std::stop_token& stop) {
    election.hold(stop);
    lost = true;
  });
  ASSERT_TRUE(eventually([&] { return api.count("PUT") >= 3; }));
  clock.advance(milliseconds(9'999));
  const size_t before = api.count("PUT");
  ASSERT_TRUE(eventually([&] { return api.count("PUT") >= before + 3; }));
  EXPECT_FALSE(lost);
  EXPECT_TRUE(election.is_leader());
  clock.advance(milliseconds(1));
  EXPECT_TRUE(eventually([&] { return lost.load(); }));
  EXPECT_FALSE(election.is_leader());
  EXPECT_EQ(spec()["holderIdentity"], "me");  // nothing was released: it may still be ours in others' eyes
}

TEST_F(ElectionTest, AnotherHolderMeansItIsLostAtOnce) {
  Election election(client, clock, config("me"));
  ASSERT_TRUE(election.acquire({}));
  std::atomic<bool> lost{false};
  std::jthread holder([&](const std::stop_token& stop) {
    election.hold(stop);
    lost = true;
  });
  hold_by("thief", "2026-01-01T00:00:00.000000Z");
  EXPECT_TRUE(eventually([&] { return lost.load(); }));
  EXPECT_EQ(spec()["holderIdentity"], "thief");
}

TEST_F(ElectionTest, AnAnswerThatGotLostIsNoLostLease) {
  Election election(client, clock, config("me"));
  ASSERT_TRUE(election.acquire({}));
  std::jthread holder([&](const std::stop_token& stop) { election.hold(stop); });
  Json ours = api.object("leases", "ns", "leader");
  api.put("leases", "ns", "leader",
          {{"spec", ours["spec"]}});  // as if a renewal of ours had arrived and its answer not
  const size_t before = api.count("PUT");
  EXPECT_TRUE(eventually([&] { return api.count("PUT") >= before + 4; }));
  EXPECT_TRUE(election.is_leader());
}

TEST_F(ElectionTest, OfManyCandidatesExactlyOneLeads) {
  std::vector<std::unique_ptr<Election>> elections;
  std::atomic<int> leaders{0};
  std::vector<std::jthread> candidates;
  for (int i = 0; i < 6; ++i) {
    elections.push_back(std::make_unique<Election>(client, clock, config("c" + std::to_string(i))));
    candidates.emplace_back([&, election = elections.back().get()](const std::stop_token& stop) {
      if (election->acquire(stop)) ++leaders;
    });
  }
  EXPECT_TRUE(eventually([&] { return leaders == 1; }));
  ASSERT_TRUE(looked_again());
  EXPECT_EQ(leaders, 1);
  for (auto& candidate : candidates) candidate.request_stop();
}

TEST(Events, RecordingNeverBlocksAndGivesUpInASecond) {
  FakeApi api;
  std::stop_source over;
  api.intercept = [&](const net::IncomingRequest&) -> std::optional<net::OutgoingResponse> {
    wait_for(seconds(30), over.get_token());
    return std::nullopt;
  };
  Client client(api.config());
  SystemClock clock;
  const auto start = std::chrono::steady_clock::now();
  {
    EventRecorder recorder(client, clock, "c", "i");
    for (int i = 0; i < 2000; ++i) recorder.normal({"v1", "ConfigMap", "ns", "a", "u"}, "Reason", std::to_string(i));
    EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(10));
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, seconds(10));
  over.request_stop();
}

TEST(Events, RepeatsWithinTenMinutesRaiseTheCountOfOneObject) {
  FakeApi api;
  Client client(api.config());
  FakeClock clock;
  {
    EventRecorder recorder(client, clock, "c", "i");
    const ObjectRef object{"v1", "ConfigMap", "ns", "a", "u"};
    for (int i = 0; i < 3; ++i) recorder.normal(object, "Same", "words");
    recorder.warning(object, "Same", "words");
    ASSERT_TRUE(eventually([&] { return api.count("POST") + api.count("PATCH") == 4; }));
    clock.advance(std::chrono::minutes(11));
    recorder.normal(object, "Same", "words");
  }
  EXPECT_EQ(api.count("POST"), 3u);
  EXPECT_EQ(api.count("PATCH"), 2u);
}

}  // namespace
}  // namespace twinspan::kube::testing
