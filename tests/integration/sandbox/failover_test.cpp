// The whole slice on the sandbox: operator and agents as processes, PostgreSQL for real, a client that writes all the
// while. Skipped where PostgreSQL 15 is not installed.
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "core/log.hpp"
#include "core/wait.hpp"
#include "sandbox/demo/cluster.hpp"
#include "sandbox/demo/progress.hpp"
#include "sandbox/demo/scenario.hpp"
#include "sandbox/demo/writer.hpp"
#include "tests/places.hpp"

namespace twinspan::sandbox {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

constexpr std::chrono::seconds kStart{120}, kRejoin{120};
constexpr uint64_t kWarm = 200;

class FailoverTest : public testing::Test {
 protected:
  void SetUp() override {
    if (access("/usr/lib/postgresql/15/bin/postgres", X_OK) != 0) GTEST_SKIP() << "PostgreSQL 15 is not installed";
    log::configure(log::Level::kError, {{"component", "test"}});
    DemoOptions options;
    options.crds = test::in_source("/crds");
    cluster_ = std::make_unique<DemoCluster>(options, clock_);
    expect(cluster_->start());
    expect(cluster_->start_operator());
    expect(cluster_->apply_file(test::in_source("/examples/postgres.yaml")));
    scenario_ = std::make_unique<Scenario>(*cluster_, progress_, kLink, std::stop_token{});
    expect(scenario_->wait_streaming(kStart));
    auto target = scenario_->writer_target(30s);
    ASSERT_TRUE(target) << target.error().message;
    target_ = *target;
    writer_ = std::make_unique<Writer>(target_, clock_);
    writer_->start();
    warm_up();
  }
  void TearDown() override {
    writer_.reset();
    if (HasFailure() && cluster_) {
      printf("operator:\n%s\n", cluster_->operator_log_tail(20).c_str());
      for (const char* endpoint : {"east", "west", "west-2"})
        printf("%s:\n%s\n", endpoint, cluster_->pod_log_tail(scenario_->pod(endpoint), 20).c_str());
    }
    scenario_.reset();
    cluster_.reset();
  }

  static void expect(const Status& status) { ASSERT_TRUE(status) << status.error().message; }
  void warm_up() {
    const auto warm = writer_->wait_for_acknowledged(writer_->figures().acknowledged + kWarm, 60s);
    ASSERT_TRUE(warm) << warm.error().message;
  }
  // Every acknowledged write is there, and the Service leads to a primary.
  void expect_nothing_lost() {
    writer_->stop();
    const auto missing = missing_writes(target_, writer_->acknowledged());
    ASSERT_TRUE(missing) << missing.error().message;
    EXPECT_TRUE(missing->empty()) << missing->size() << " of " << writer_->acknowledged().size()
                                  << " acknowledged writes are lost, the first is " << missing->front();
    EXPECT_EQ(query_value(target_, "SELECT pg_is_in_recovery()").value_or("no answer"), "f");
  }
  // Polls until the link's primary is another than `from` and its status is written.
  bool moves_from(const std::string& from) {
    const auto deadline = std::chrono::steady_clock::now() + 60s;
    while (std::chrono::steady_clock::now() < deadline) {
      if (const std::string now = scenario_->primary(); !now.empty() && now != from) return true;
      wait_for(20ms, {});
    }
    return false;
  }
  // A primary whose only complete replica is slow to answer starts in place, rightly: then it is killed once more.
  Result<FailoverFigures> fail_over() {
    auto moved = scenario_->fail_over(*writer_, target_);
    for (int tries = 1; tries < 3 && !moved; ++tries) {
      expect(scenario_->wait_streaming(kRejoin));
      moved = scenario_->fail_over(*writer_, target_);
    }
    return moved;
  }
  int64_t epoch() {
    const auto link = scenario_->link();
    return link ? link->value("status", Json::object()).value("epoch", int64_t{0}) : 0;
  }

  const kube::Key kLink{"shop", "orders"};
  SystemClock clock_;
  Progress progress_{true};
  std::unique_ptr<DemoCluster> cluster_;
  std::unique_ptr<Scenario> scenario_;
  WriterTarget target_;
  std::unique_ptr<Writer> writer_;
};

TEST_F(FailoverTest, KilledPostmasterMovesThePrimaryAndLosesNothingTwiceInARow) {
  const int64_t before = epoch();
  for (int round = 0; round < 2; ++round) {
    auto figures = fail_over();
    ASSERT_TRUE(figures) << figures.error().message;
    EXPECT_EQ(figures->lost, 0U);
    EXPECT_NE(figures->to, figures->from);
    expect(scenario_->wait_rejoined(*figures, kRejoin));
    EXPECT_EQ(figures->history.value("outcome", ""), "Completed");
    EXPECT_EQ(figures->history.value("reason", ""), "ProcessDied");
    RecordProperty("outage_ms_" + std::to_string(round), static_cast<int>(figures->outage.count()));
    warm_up();
  }
  EXPECT_GE(epoch(), before + 2) << "each takes an epoch of its own; one late renewal is one more";
  expect_nothing_lost();
}

TEST_F(FailoverTest, NewPrimaryIsNotRestartedAfterwards) {
  auto figures = fail_over();
  ASSERT_TRUE(figures) << figures.error().message;
  expect(scenario_->wait_rejoined(*figures, kRejoin));
  EXPECT_EQ(query_value(target_, "SELECT count(*) FROM pg_settings WHERE pending_restart").value_or("no answer"), "0");
  expect_nothing_lost();
}

TEST_F(FailoverTest, SwitchoverUnderLoadLosesNothing) {
  const auto figures = scenario_->switch_over(*writer_, target_, "west");
  ASSERT_TRUE(figures) << figures.error().message;
  EXPECT_EQ(figures->lost, 0U);
  ASSERT_TRUE(moves_from(figures->from)) << "the history is told first, the link's status a moment later";
  EXPECT_EQ(scenario_->primary(), "west");
  EXPECT_EQ(figures->history.value("reason", ""), "Switchover");
  RecordProperty("pause_ms", static_cast<int>(figures->pause.count()));
  expect(scenario_->wait_streaming(kRejoin));
  expect_nothing_lost();
}

TEST_F(FailoverTest, DeletedPrimaryPodMovesThePrimaryAndComesBackAsReplica) {
  const std::string from = scenario_->primary();
  const uint64_t session = writer_->figures().sessions;
  ASSERT_TRUE(cluster_->client().remove(kube::kPods, scenario_->pod(from)));
  ASSERT_TRUE(writer_->wait_for_session_after(session, 60s));
  ASSERT_TRUE(moves_from(from));
  expect(scenario_->wait_streaming(kRejoin));
  warm_up();
  expect_nothing_lost();
}

TEST_F(FailoverTest, PodThatVanishesWithoutAWordMovesThePrimary) {
  const std::string from = scenario_->primary();
  const uint64_t session = writer_->figures().sessions;
  ASSERT_TRUE(cluster_->runtime().kill(scenario_->pod(from)))
      << "agent and PostgreSQL at once: nobody releases the lease";
  const auto resumed = writer_->wait_for_session_after(session, 60s);
  ASSERT_TRUE(resumed) << resumed.error().message;
  expect(scenario_->wait_streaming(kRejoin));
  warm_up();
  expect_nothing_lost();
}

TEST_F(FailoverTest, FrozenPrimaryIsFencedAndRejoinsWhenItWakes) {
  const std::string from = scenario_->primary();
  const uint64_t session = writer_->figures().sessions;
  ASSERT_TRUE(cluster_->runtime().freeze(scenario_->pod(from)));
  const auto resumed = writer_->wait_for_session_after(session, 60s);
  ASSERT_TRUE(resumed) << resumed.error().message;
  ASSERT_TRUE(moves_from(from));
  ASSERT_TRUE(cluster_->runtime().thaw(scenario_->pod(from)));
  warm_up();
  expect(scenario_->wait_streaming(kRejoin));
  EXPECT_NE(scenario_->primary(), from) << "a primary that slept through its lease must not take it back";
  expect_nothing_lost();
}

TEST_F(FailoverTest, OperatorKilledInTheMiddleIsCarriedOnByTheNext) {
  const std::string from = scenario_->primary();
  const uint64_t session = writer_->figures().sessions;
  const auto postmaster = cluster_->postmaster(scenario_->pod(from));
  ASSERT_TRUE(postmaster) << postmaster.error().message;
  ASSERT_EQ(::kill(*postmaster, SIGKILL), 0);
  // As soon as the failover's first step is in the policy's status, and before its last.
  const auto deadline = std::chrono::steady_clock::now() + 30s;
  while (std::chrono::steady_clock::now() < deadline) {
    const auto policy = scenario_->policy();
    if (policy && policy->value("status", Json::object()).contains("current")) break;
    wait_for(1ms, {});
  }
  cluster_->kill_operator();
  expect(cluster_->start_operator());
  const auto resumed = writer_->wait_for_session_after(session, 60s);
  ASSERT_TRUE(resumed) << resumed.error().message;
  ASSERT_TRUE(moves_from(from));
  expect(scenario_->wait_streaming(kRejoin));
  warm_up();
  expect_nothing_lost();
}

// The Services stay: they are the policy's.
TEST_F(FailoverTest, DeletedLinkLeavesNothingRunning) {
  writer_->stop();
  ASSERT_TRUE(cluster_->client().remove(kube::kReplicationLinks, kLink));
  const auto deadline = std::chrono::steady_clock::now() + 60s;
  size_t left = 1;
  while (left > 0 && std::chrono::steady_clock::now() < deadline) {
    left = scenario_->link() ? 1 : 0;
    for (const kube::Resource& kind : {kube::kPods, kube::kRoles, kube::kRoleBindings, kube::kPodDisruptionBudgets})
      ASSERT_TRUE(cluster_->client().list(kind, kLink.ns, {}, [&](Json&&) { ++left; }));
    wait_for(20ms, {});
  }
  EXPECT_EQ(left, 0U);
}

}  // namespace
}  // namespace twinspan::sandbox
