#include "worker/s3/share_leases.hpp"

#include <gtest/gtest.h>

#include <condition_variable>

#include "unit/kube/fake_api.hpp"

namespace twinspan::worker_s3 {
namespace {

using kube::testing::eventually;
using std::chrono::milliseconds;
using std::chrono::seconds;

// One worker's leases, and what it does with its shares: what may be copied, is.
struct Worker {
  Worker(kube::Client& client, const Clock& clock, int ordinal, const std::string& life = "x")
      : leases(
            client, clock, config(ordinal, life), [] {},
            [this](const std::string& lease) {
              std::lock_guard lock(mutex);
              lost_lease = lease;
            }) {}
  ~Worker() { stop(); }

  static ShareLeasesConfig config(int ordinal, const std::string& life) {
    ShareLeasesConfig config{"ns", "b", "b-s3-" + std::to_string(ordinal),
                             "b-s3-" + std::to_string(ordinal) + "/" + life};
    config.retry = milliseconds(2);
    config.patience = {seconds(3), seconds(12)};
    return config;
  }
  void start(const Division& division) {
    leases.divide(division);
    thread = std::jthread([this](const std::stop_token& stop) { leases.run(stop); });
  }
  void stop() {
    leases.in_use({});
    thread = {};
  }
  // A turn of the main loop.
  std::set<int> copy(const Division& division) {
    leases.divide(division);
    const std::set<int> shares = leases.use(division);
    leases.in_use(shares);
    return shares;
  }
  bool copies(const Division& division, const std::set<int>& shares) {
    return eventually([&] { return copy(division) == shares; });
  }

  std::string lost() {
    std::lock_guard lock(mutex);
    return lost_lease;
  }

  std::mutex mutex;
  std::string lost_lease;
  ShareLeases leases;
  std::jthread thread;
};

class ShareLeasesTest : public ::testing::Test {
 protected:
  explicit ShareLeasesTest(int count = 3) {
    for (int i = 0; i < count; ++i) put(i, {{"leaseTransitions", 0}, {"leaseDurationSeconds", 1}});
    api.put("leases", "ns", "b-primary", {{"spec", {{"holderIdentity", "else"}}}});
  }
  void put(int share, Json spec) { api.put("leases", "ns", name(share), {{"spec", std::move(spec)}}); }
  static std::string name(int share) { return "b-s3-" + std::to_string(share); }
  Json spec(int share) const { return api.object("leases", "ns", name(share)).value("spec", Json::object()); }
  std::string note(int share, const std::string& key) const {
    return text_of(member_of(member_of(api.object("leases", "ns", name(share)), "metadata"), "annotations"), key);
  }

  kube::testing::FakeApi api;
  kube::testing::FakeClock clock;
  kube::Client client{api.config()};
  const Division alone{}, three{1, 3}, one{2, 1};
};

// Emptied by a hand, or deleted and made anew by the operator: who held it may not know, and goes on for its time.
TEST_F(ShareLeasesTest, ALeaseThatNobodyReleasedIsWaitedFor) {
  for (const Json& spec : {Json{{"leaseTransitions", 0}}, Json{{"holderIdentity", ""}, {"leaseDurationSeconds", 15}}}) {
    put(0, spec);
    Worker worker(client, clock, 0);
    worker.start(alone);
    const size_t before = api.count("get");
    ASSERT_TRUE(eventually([&] { return api.count("get") >= before + 3; }));
    clock.advance(milliseconds(14'999));
    const size_t then = api.count("get");
    ASSERT_TRUE(eventually([&] { return api.count("get") >= then + 3; }));
    EXPECT_TRUE(worker.copy(alone).empty());
    clock.advance(milliseconds(1));
    EXPECT_TRUE(worker.copies(alone, {0}));
    worker.stop();
  }
}

TEST_F(ShareLeasesTest, AWorkerAloneAsksForNothingButItsLease) {
  Worker worker(client, clock, 0);
  worker.start(alone);
  ASSERT_TRUE(worker.copies(alone, {0}));
  EXPECT_EQ(spec(0)["holderIdentity"], "b-s3-0/x");
  EXPECT_EQ(spec(0)["leaseTransitions"], 1);
  EXPECT_EQ(spec(0)["acquireTime"], spec(0)["renewTime"]);
  EXPECT_FALSE(api.object("leases", "ns", "b-s3-0")["metadata"].contains("annotations"));
  for (int i = 0; i < 3; ++i) {
    const Json before = spec(0);
    clock.advance(seconds(2));
    ASSERT_TRUE(eventually([&] { return spec(0) != before; }));
  }
  EXPECT_EQ(api.count("list"), 0u);
  EXPECT_EQ(api.count("get"), 1u);
  worker.stop();
  EXPECT_EQ(spec(0)["holderIdentity"], "");
  EXPECT_EQ(spec(0)["leaseDurationSeconds"], 1);
  EXPECT_EQ(worker.lost(), "");
}

TEST_F(ShareLeasesTest, ALeaseThatIsAnothersOrCantBeRenewedIsLost) {
  for (const bool silent : {false, true}) {
    put(0, {{"leaseTransitions", 0}, {"leaseDurationSeconds", 1}});
    Worker worker(client, clock, 0);
    worker.start(alone);
    ASSERT_TRUE(worker.copies(alone, {0}));
    if (silent) {
      api.intercept = [](const auto&) -> std::optional<net::OutgoingResponse> {
        net::OutgoingResponse out;
        out.status = 500;
        return out;
      };
      clock.advance(seconds(10));
    } else {
      put(0, {{"holderIdentity", "thief"}, {"leaseDurationSeconds", 15}});
      clock.advance(seconds(2));
    }
    EXPECT_TRUE(eventually([&] { return worker.lost() == "b-s3-0"; })) << silent;
  }
}

TEST_F(ShareLeasesTest, EachHasItsOwnShareAndADeadOnesIsCarriedOnUntilItAsks) {
  auto first = std::make_unique<Worker>(client, clock, 0), second = std::make_unique<Worker>(client, clock, 1),
       third = std::make_unique<Worker>(client, clock, 2);
  for (auto* worker : {&first, &second, &third}) (*worker)->start(three);
  ASSERT_TRUE(eventually([&] {
    return first->copy(three) == std::set{0} && second->copy(three) == std::set{1} && third->copy(three) == std::set{2};
  }));
  EXPECT_EQ(note(1, "twinspan.dev/division"), "1");
  // The third dies: its lease stands as it is.
  const Json held = spec(2);
  third->stop();
  third.reset();
  put(2, held);
  const auto step = [&](const std::function<bool()>& done) {
    for (int i = 0; i < 60; ++i) {
      if (done()) return true;
      clock.advance(milliseconds(500));
      for (auto* worker : {&first, &second})
        if (*worker) (*worker)->copy(three);
      const size_t writes = api.count("PUT");
      (void)eventually([&] { return api.count("PUT") >= writes + 2; }, seconds(1));
    }
    return done();
  };
  ASSERT_TRUE(step([&] { return first->copy(three).size() + second->copy(three).size() == 3; }));
  // It is back: it asks, is given its share once nothing of it runs, and copies.
  third = std::make_unique<Worker>(client, clock, 2, "y");
  third->start(three);
  ASSERT_TRUE(step([&] { return third->copy(three) == std::set{2}; }));
  EXPECT_EQ(first->copy(three), std::set{0});
  EXPECT_EQ(second->copy(three), std::set{1});
  EXPECT_EQ(note(2, "twinspan.dev/wanted-by"), "");
  EXPECT_EQ(first->lost() + second->lost(), "");
}

TEST_F(ShareLeasesTest, AShareThatIsStillCopiedIsNotLetGo) {
  Worker first(client, clock, 0);
  first.start(three);
  ASSERT_TRUE(first.copies(three, {0}));
  clock.advance(seconds(9));
  const Json before = spec(0);
  ASSERT_TRUE(eventually([&] { return spec(0) != before; }));
  clock.advance(seconds(9));
  ASSERT_TRUE(first.copies(three, {0, 1, 2}));
  Worker second(client, clock, 1);
  second.start(three);
  ASSERT_TRUE(eventually([&] { return note(1, "twinspan.dev/wanted-by") == "b-s3-1/x"; }));
  clock.advance(seconds(2));
  ASSERT_TRUE(eventually([&] { return !first.leases.use(three).contains(1); }));
  EXPECT_EQ(spec(1)["holderIdentity"], "b-s3-0/x");  // whoever copies has not said yet that it stopped
  ASSERT_TRUE(eventually([&] {
    first.copy(three);
    return second.copy(three) == std::set{1};
  }));
}

TEST_F(ShareLeasesTest, ANewDivisionBeginsOnlyWhenTheOldOneHasEnded) {
  Worker first(client, clock, 0), second(client, clock, 1), third(client, clock, 2);
  first.start(alone);
  ASSERT_TRUE(first.copies(alone, {0}));
  second.start(three);
  third.start(three);
  ASSERT_TRUE(
      eventually([&] { return spec(1)["holderIdentity"] == "b-s3-1/x" && spec(2)["holderIdentity"] == "b-s3-2/x"; }));
  EXPECT_EQ(second.copy(three), std::set<int>{});
  first.leases.divide(three);  // heard of, but it copies still
  clock.advance(seconds(2));
  ASSERT_TRUE(eventually([&] { return first.leases.use(three).empty() && first.leases.use(alone).empty(); }));
  EXPECT_EQ(note(0, "twinspan.dev/division"), "");
  EXPECT_EQ(second.copy(three), std::set<int>{});
  ASSERT_TRUE(eventually([&] {
    return first.copy(three) == std::set{0} && second.copy(three) == std::set{1} && third.copy(three) == std::set{2};
  }));
  // And back to one.
  ASSERT_TRUE(eventually([&] {
    second.copy(one);
    third.copy(one);
    return first.copy(one) == std::set{0};
  }));
  EXPECT_EQ(spec(1)["holderIdentity"], "");
  EXPECT_EQ(spec(2)["holderIdentity"], "");
  EXPECT_EQ(note(0, "twinspan.dev/division"), "2");
  EXPECT_EQ(first.lost() + second.lost() + third.lost(), "");
}

// A list that hangs: whoever has a share renews it all the same, and where it can't, it stops by its own clock.
TEST_F(ShareLeasesTest, NoRequestThatHangsKeepsTheCheckFromEndingWhatCantBeRenewed) {
  Worker worker(client, clock, 0);
  worker.start(three);
  ASSERT_TRUE(worker.copies(three, {0}));
  std::mutex mutex;
  std::condition_variable_any released;
  bool hang = true;
  std::atomic<bool> hung{false};
  api.intercept = [&](const net::IncomingRequest&) -> std::optional<net::OutgoingResponse> {
    hung = true;
    std::unique_lock lock(mutex);
    released.wait(lock, [&] { return !hang; });
    return std::nullopt;
  };
  clock.advance(seconds(5));  // it looks again
  ASSERT_TRUE(eventually([&] { return hung.load(); }));
  clock.advance(seconds(6));  // the last renewal that arrived was sent 11 s ago
  const bool lost = eventually([&] { return worker.lost() == "b-s3-0"; });
  {
    std::lock_guard lock(mutex);
    hang = false;
  }
  released.notify_all();
  EXPECT_TRUE(lost);
}

TEST_F(ShareLeasesTest, RenewalsGoOnWhileListsHang) {
  std::atomic<bool> hang{false};
  std::mutex mutex;
  std::condition_variable_any released;
  api.intercept = [&](const net::IncomingRequest& request) -> std::optional<net::OutgoingResponse> {
    if (request.method != "GET" || !hang) return std::nullopt;
    std::unique_lock lock(mutex);
    // Longer than anybody waits, and not for ever: the server has so many threads only.
    released.wait_for(lock, milliseconds(300), [&] { return !hang.load(); });
    return std::nullopt;
  };
  ShareLeasesConfig config = Worker::config(0, "x");
  config.renew_deadline = milliseconds(400);  // so that a look may take 100 ms
  std::atomic<bool> lost{false};
  ShareLeases leases(
      client, clock, config, [] {}, [&](const std::string&) { lost = true; });
  leases.divide(three);
  std::jthread thread([&](const std::stop_token& stop) { leases.run(stop); });
  ASSERT_TRUE(eventually([&] { return leases.use(three) == std::set{0}; }));
  hang = true;
  for (int i = 0; i < 3; ++i) {
    const Json before = spec(0);
    clock.advance(milliseconds(50));
    EXPECT_TRUE(eventually([&] { return spec(0) != before; })) << i;
  }
  EXPECT_FALSE(lost);
  {
    std::lock_guard lock(mutex);
    hang = false;
  }
  released.notify_all();
  leases.in_use({});
}

}  // namespace
}  // namespace twinspan::worker_s3
