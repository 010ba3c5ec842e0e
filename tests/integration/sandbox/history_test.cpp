// What people do around a failover: Leases and links deleted, applied again, backups of the cluster restored, pods of
// links without a policy. Whoever was primary last is primary again, and every acknowledged write is there. Skipped
// where PostgreSQL 15 is not installed.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/log.hpp"
#include "core/wait.hpp"
#include "integration/eventually.hpp"
#include "integration/sandbox/patient_lease.hpp"
#include "sandbox/demo/cluster.hpp"
#include "sandbox/demo/progress.hpp"
#include "sandbox/demo/scenario.hpp"
#include "sandbox/demo/writer.hpp"
#include "tests/places.hpp"

namespace twinspan::sandbox {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

constexpr std::chrono::seconds kSettles{120};

class HistoryTest : public testing::Test {
 protected:
  void SetUp() override {
    if (access("/usr/lib/postgresql/15/bin/postgres", X_OK) != 0) GTEST_SKIP() << "PostgreSQL 15 is not installed";
    log::configure(log::Level::kError, {{"component", "test"}});
    DemoOptions options;
    options.crds = test::in_source("/crds");
    cluster_ = std::make_unique<DemoCluster>(options, clock_);
    expect(cluster_->start());
    expect(cluster_->start_operator());
    scenario_ = std::make_unique<Scenario>(*cluster_, progress_, kLink, std::stop_token{});
  }
  void TearDown() override {
    writer_.reset();
    if (HasFailure() && cluster_) {
      printf("operator:\n%s\n", cluster_->operator_log_tail(40).c_str());
      for (const char* endpoint : {"east", "west", "west-2"})
        printf("%s:\n%s\n", endpoint, cluster_->pod_log_tail(scenario_->pod(endpoint), 30).c_str());
      if (const auto link = scenario_->link()) printf("link: %s\n", link->value("status", Json()).dump(1).c_str());
    }
    scenario_.reset();
    cluster_.reset();
  }

  static void expect(const Status& status) { ASSERT_TRUE(status) << status.error().message; }
  void apply(const std::string& example) {
    expect(apply_patiently(*cluster_, test::in_source("/examples/") + example));
    expect(scenario_->wait_streaming(kSettles));
  }
  // The example without its FailoverPolicy.
  void apply_without_policy(const std::string& example) {
    std::stringstream all;
    all << std::ifstream(test::in_source("/examples/") + example).rdbuf();
    const std::string path = cluster_->state() / "without-policy.yaml";
    std::ofstream out(path);
    for (std::string document, line; std::getline(all, line) || !document.empty(); line.clear()) {
      const bool ends = line == "---" || !all;
      if (!ends) document += line + "\n";
      if (!ends) continue;
      if (document.find("kind: FailoverPolicy") == std::string::npos) out << document << "---\n";
      document.clear();
    }
    out.close();
    expect(cluster_->apply_file(path));
    expect(scenario_->wait_streaming(kSettles));
  }
  void write() {
    auto target = scenario_->writer_target(30s);
    ASSERT_TRUE(target) << target.error().message;
    target_ = *target;
    writer_ = std::make_unique<Writer>(target_, clock_);
    writer_->start();
    goes_on();
  }
  void goes_on() {
    const auto warm = writer_->wait_for_acknowledged(writer_->figures().acknowledged + 100, kSettles);
    ASSERT_TRUE(warm) << warm.error().message;
  }
  void expect_nothing_lost() {
    writer_->stop();
    const auto missing = missing_writes(target_, writer_->acknowledged());
    ASSERT_TRUE(missing) << missing.error().message;
    EXPECT_TRUE(missing->empty()) << missing->size() << " of " << writer_->acknowledged().size()
                                  << " acknowledged writes are lost, the first is " << missing->front();
  }
  int64_t epoch() {
    const auto link = scenario_->link();
    return link ? link->value("status", Json::object()).value("epoch", int64_t{0}) : 0;
  }
  static Json condition_of(const Json& object, const std::string& type) {
    for (const Json& one : object.value("status", Json::object()).value("conditions", Json::array()))
      if (one.value("type", "") == type) return one;
    return Json::object();
  }
  Json condition(const std::string& type) {
    const auto link = scenario_->link();
    return link ? condition_of(*link, type) : Json::object();
  }
  // When the lease was last taken; empty while the API is away.
  std::string acquired_at() {
    const auto lease = cluster_->client().get(kube::kLeases, {"shop", "orders-primary"});
    return lease ? lease->at("spec").value("acquireTime", "") : "";
  }
  // What the status said before an outage it still says after it: only a status about a newer spec tells of now.
  void failover_is_possible_again() {
    const auto written = cluster_->client().merge_patch(
        kube::kFailoverPolicies, kLink, {{"spec", {{"triggers", {{"consecutiveFailures", 3 + ++edits_}}}}}});
    ASSERT_TRUE(written) << written.error().message;
    ASSERT_TRUE(eventually([&] {
      const auto policy = scenario_->policy();
      return policy &&
             policy->value("status", Json::object()).value("observedGeneration", int64_t{0}) ==
                 policy->at("metadata").value("generation", int64_t{-1}) &&
             condition_of(*policy, "FailoverPossible").value("status", "") == "True";
    })) << "failover is not possible again";
  }
  void sandbox(const char* what) { ASSERT_TRUE(cluster_->client().raw("POST", fmt::format("/sandbox/{}", what), {})); }
  void annotate(const std::string& key, const std::string& value) {
    ASSERT_TRUE(cluster_->client().merge_patch(kube::kReplicationLinks, kLink,
                                               {{"metadata", {{"annotations", {{key, value}}}}}}));
  }
  void delete_link_and_policy() {
    ASSERT_TRUE(cluster_->client().remove(kube::kFailoverPolicies, kLink));
    ASSERT_TRUE(cluster_->client().remove(kube::kReplicationLinks, kLink));
    ASSERT_TRUE(eventually([&] {
      size_t left = scenario_->link() ? 1 : 0;
      for (const kube::Resource& kind : {kube::kPods, kube::kLeases})
        (void)cluster_->client().list(kind, kLink.ns, {}, [&](Json&&) { ++left; });
      return left == 0;
    }));
  }

  const kube::Key kLink{"shop", "orders"};
  SystemClock clock_;
  Progress progress_{true};
  std::unique_ptr<DemoCluster> cluster_;
  std::unique_ptr<Scenario> scenario_;
  WriterTarget target_;
  std::unique_ptr<Writer> writer_;
  int edits_ = 0;
};

TEST_F(HistoryTest, ADeletedLeaseLeavesThePrimaryWhereItWas) {
  apply("postgres.yaml");
  write();
  const auto moved = scenario_->switch_over(*writer_, target_, "west");
  ASSERT_TRUE(moved) << moved.error().message;
  expect(scenario_->wait_streaming(kSettles));
  const int64_t before = epoch();
  const uint64_t session = writer_->figures().sessions;
  ASSERT_TRUE(cluster_->client().remove(kube::kLeases, {"shop", "orders-primary"}));
  const auto resumed = writer_->wait_for_session_after(session, kSettles);
  ASSERT_TRUE(resumed) << resumed.error().message;
  ASSERT_TRUE(eventually([&] { return epoch() > before; })) << "an epoch is used once";
  expect(scenario_->wait_streaming(kSettles));
  EXPECT_EQ(scenario_->primary(), "west");
  goes_on();
  expect_nothing_lost();
}

// Whoever chooses a primary asks the members, by certificates that are new to them.
TEST_F(HistoryTest, MembersAreHeardThoughTheirAuthorityIsMadeAnewWhileNobodyIsPrimary) {
  apply("postgres.yaml");
  write();
  const int64_t before = epoch();
  const uint64_t session = writer_->figures().sessions;
  ASSERT_TRUE(
      cluster_->client().merge_patch(kube::kLeases, {"shop", "orders-primary"}, {{"spec", {{"holderIdentity", ""}}}}));
  ASSERT_TRUE(cluster_->client().remove(kube::kSecrets, {"shop", "orders-ca"}));
  const auto resumed = writer_->wait_for_session_after(session, kSettles);
  ASSERT_TRUE(resumed) << resumed.error().message;
  ASSERT_TRUE(eventually([&] { return epoch() > before; }));
  expect(scenario_->wait_streaming(kSettles));
  expect_nothing_lost();
}

// As GitOps does it: the link is pruned, its volumes stay, and it is applied again.
TEST_F(HistoryTest, ALinkAppliedAgainOverItsVolumesHasThePrimaryThatItHad) {
  apply("postgres-volumes.yaml");
  write();
  const auto moved = scenario_->switch_over(*writer_, target_, "west");
  ASSERT_TRUE(moved) << moved.error().message;
  expect(scenario_->wait_streaming(kSettles));
  goes_on();
  writer_->stop();
  const std::vector<int64_t> acknowledged = writer_->acknowledged();
  const int64_t before = epoch();
  delete_link_and_policy();
  apply("postgres-volumes.yaml");
  EXPECT_EQ(scenario_->primary(), "west");
  EXPECT_GT(epoch(), before);
  const auto target = scenario_->writer_target(30s);
  ASSERT_TRUE(target) << target.error().message;
  const auto missing = missing_writes(*target, acknowledged);
  ASSERT_TRUE(missing) << missing.error().message;
  EXPECT_TRUE(missing->empty()) << missing->size() << " acknowledged writes are lost";
}

TEST_F(HistoryTest, WithoutAPolicyThePrimaryComesBackByItself) {
  apply_without_policy("postgres-volumes.yaml");
  for (int round = 0; round < 2; ++round) {
    const int64_t before = epoch();
    ASSERT_TRUE(cluster_->client().remove(kube::kPods, scenario_->pod("east")));
    ASSERT_TRUE(eventually([&] { return epoch() > before; })) << condition("Ready").dump();
    expect(scenario_->wait_streaming(kSettles));
    EXPECT_EQ(scenario_->primary(), "east");
    ASSERT_TRUE(cluster_->runtime().kill(scenario_->pod("east"))) << "and without a word, too";
    ASSERT_TRUE(eventually([&] { return epoch() > before + 1; })) << condition("Ready").dump();
    expect(scenario_->wait_streaming(kSettles));
  }
}

// The right is taken back after an outage of the API, and the link is not taken for one that never had a primary.
TEST_F(HistoryTest, AnOutageOfTheApiInTheFirstEpochLeavesFailoverPossible) {
  apply("postgres.yaml");
  write();
  ASSERT_EQ(epoch(), 1);
  const std::string before = acquired_at();
  FaultRule away;
  away.action.unavailable = 20s;  // longer than the lease
  cluster_->api().inject(away);
  ASSERT_TRUE(eventually([&] { return !acquired_at().empty() && acquired_at() != before; }))
      << "the right runs out and is taken back";
  goes_on();
  // A later epoch is as good: on a slow machine the operator may have led it back to where the data are before its
  // agent did. And where the only replica that has everything is slow to answer, it starts in place, rightly.
  Result<FailoverFigures> moved = fail(Code::kUnavailable, "not tried");
  for (int tries = 0; tries < 3 && !moved; ++tries) {
    failover_is_possible_again();
    expect(scenario_->wait_streaming(kSettles));
    moved = scenario_->fail_over(*writer_, target_);
  }
  ASSERT_TRUE(moved) << moved.error().message;
  expect(scenario_->wait_streaming(kSettles));
  expect_nothing_lost();
}

TEST_F(HistoryTest, AClusterRestoredFromAnOlderBackupGoesOnInALaterEpoch) {
  apply("postgres.yaml");
  write();
  sandbox("save");
  const auto moved = scenario_->switch_over(*writer_, target_, "west");
  ASSERT_TRUE(moved) << moved.error().message;
  expect(scenario_->wait_streaming(kSettles));
  goes_on();
  const int64_t before = epoch();
  const uint64_t session = writer_->figures().sessions;
  sandbox("restore");
  const auto resumed = writer_->wait_for_session_after(session, kSettles);
  ASSERT_TRUE(resumed) << resumed.error().message;
  ASSERT_TRUE(eventually([&] { return epoch() > before && scenario_->primary() == "west"; }))
      << epoch() << " " << scenario_->primary();
  expect(scenario_->wait_streaming(kSettles));
  goes_on();
  expect_nothing_lost();
}

// The only one that has everything is gone for ever, and nothing says that the others have all of it.
TEST_F(HistoryTest, APersonsWordDecidesWhatTheDataDoNot) {
  apply_without_policy("postgres-volumes.yaml");
  ASSERT_TRUE(cluster_->client().remove(kube::kPersistentVolumeClaims, {"shop", "orders-east-data"}));
  ASSERT_TRUE(cluster_->client().remove(kube::kPods, scenario_->pod("east")));
  std::string command;
  ASSERT_TRUE(eventually([&] {
    const std::string message = condition("Ready").value("message", "");
    const size_t at = message.find("twinspan.dev/promote=");
    if (at == std::string::npos) return false;
    command = message.substr(at + std::string("twinspan.dev/promote=").size());
    command = command.substr(0, command.find_first_of(" ;)"));
    return command.starts_with("west");
  })) << condition("Ready").dump();
  annotate("twinspan.dev/promote", command);
  const std::string promoted = command.substr(0, command.find('@'));
  ASSERT_TRUE(eventually([&] { return scenario_->primary() == promoted; })) << condition("Ready").dump();
  expect(scenario_->wait_streaming(kSettles));  // east's new volume is a copy
}

// A mere replica's volume is lost: delete its claim and pod, and it is cloned anew. The source's is no exception.
TEST_F(HistoryTest, AReplicaWhoseVolumeIsLostIsClonedAnew) {
  apply("postgres-volumes.yaml");
  write();
  const auto moved = scenario_->switch_over(*writer_, target_, "west");
  ASSERT_TRUE(moved) << moved.error().message;
  expect(scenario_->wait_streaming(kSettles));
  for (const char* lost : {"east", "west-2"}) {
    const auto uid = [&] {
      const auto claim =
          cluster_->client().get(kube::kPersistentVolumeClaims, {"shop", fmt::format("orders-{}-data", lost)});
      return claim ? claim->at("metadata").value("uid", "") : "";
    };
    const auto pod_uid = [&] {
      const auto pod = cluster_->client().get(kube::kPods, scenario_->pod(lost));
      return pod ? pod->at("metadata").value("uid", "") : "";
    };
    const std::string before = uid(), pod_before = pod_uid();
    ASSERT_TRUE(
        cluster_->client().remove(kube::kPersistentVolumeClaims, {"shop", fmt::format("orders-{}-data", lost)}));
    ASSERT_TRUE(cluster_->client().remove(kube::kPods, scenario_->pod(lost)));
    ASSERT_TRUE(eventually([&] { return !uid().empty() && uid() != before; })) << lost;
    // The status may be of before for some seconds yet: first the new pod's own log.
    ASSERT_TRUE(eventually([&] { return !pod_uid().empty() && pod_uid() != pod_before; })) << lost;
    ASSERT_TRUE(eventually([&] {
      return cluster_->pod_log_tail(scenario_->pod(lost), 100000).find("Clone(") != std::string::npos;
    })) << lost;
    expect(scenario_->wait_streaming(kSettles));
  }
  EXPECT_EQ(scenario_->primary(), "west");
  expect_nothing_lost();
}

}  // namespace
}  // namespace twinspan::sandbox
