// What an engine costs: a LinkEngine, a PrimaryMover and a row, carried by the pipelines of the product from a manifest
// to a flipped Service.
#include "third_engine.hpp"

#include <gtest/gtest.h>

#include "api/engine_rules.hpp"
#include "controllers/link/link_reconciler.hpp"
#include "controllers/policy/policy_reconciler.hpp"
#include "link_rig.hpp"
#include "operator/engines.hpp"

namespace twinspan::controllers::testing {
namespace {

struct EchoOperator {
  struct Probe final : StatusProbe {
    Probe(EchoOperator& o, std::string p) : one(o), pod(std::move(p)) {}
    Result<MemberReport> ask(std::stop_token) override {
      std::lock_guard lock(one.mutex);
      if (one.dead.contains(pod)) return fail(Code::kUnavailable, "it is dead");
      MemberReport report;
      report.endpoint = pod.substr(5, pod.size() - 7);  // echo-ENDPOINT-0
      report.state = MemberState::kRunning;
      return report;
    }
    EchoOperator& one;
    std::string pod;
  };

  explicit EchoOperator(LinkRig& rig)
      : cluster(*rig.client, rig.clock, {}),
        caches(*rig.client, cluster, {}),
        events(*rig.client, rig.clock, "twinspan-operator", "test"),
        reports({4, std::chrono::milliseconds(20), std::chrono::milliseconds(20)}, rig.clock,
                [this](const Target& target) { return std::make_unique<Probe>(*this, target.pod_name); }),
        links(*rig.client, cluster, reports, events, rig.clock, engines),
        policies(*rig.client, rig.clock, cluster, caches, reports, events, movers),
        link_controller("link", 2, rig.clock,
                        [this](const auto& key, const auto& stop) { return links.reconcile(key, stop); }),
        policy_controller("policy", 2, rig.clock,
                          [this](const auto& key, const auto& stop) { return policies.reconcile(key, stop); }) {
    engines.set(api::Engine::kS3, std::make_unique<EchoLinks>(rig.clock));
    movers.set(api::Engine::kS3, std::make_unique<EchoMover>(caches, reports));
    cluster.on_change_of_link([this](const kube::Key& link, bool) {
      link_controller.queue().add(link);
      policy_controller.queue().add(link);
    });
    caches.on_change_of_link([this](const kube::Key& link) { policy_controller.queue().add(link); });
    reports.add_listener([this](const kube::Key& link, const std::string&, const auto& before, const Seen& after) {
      if (policies.is_news(link, before, after)) policy_controller.queue().add(link);
      if (links.news(link, before, after) == LinkReconciler::News::kNow) link_controller.queue().add(link);
    });
    cluster.start();
    caches.start();
    EXPECT_TRUE(rig.eventually([&] { return cluster.synced() && caches.synced(); }));
    reports.start();
    link_controller.start();
    policy_controller.start();
  }
  ~EchoOperator() {
    policy_controller.stop();
    link_controller.stop();
    reports.stop();
    caches.stop();
    cluster.stop();
  }

  std::mutex mutex;
  std::set<std::string> dead;  // pods
  Cluster cluster;
  FailoverCaches caches;
  kube::EventRecorder events;
  WorkerReports reports;
  LinkEngines engines;
  PrimaryMovers movers;
  LinkReconciler links;
  PolicyReconciler policies;
  kube::Controller link_controller, policy_controller;
};

Json link() {
  const auto bucket = [](const std::string& name) {
    return Json{{"name", name}, {"s3", {{"endpoint", "https://" + name + ".example"}, {"bucket", "echo-" + name}}}};
  };
  return {{"apiVersion", "twinspan.dev/v1alpha1"},
          {"kind", "ReplicationLink"},
          {"metadata", {{"name", "echo"}, {"namespace", "shop"}}},
          {"spec", {{"engine", "S3"}, {"source", bucket("east")}, {"targets", {bucket("west")}}}}};
}

Json policy() {
  const Json selectors = {{"east", {{"app", "east"}}}, {"west", {{"app", "west"}}}};
  return {{"apiVersion", "twinspan.dev/v1alpha1"},
          {"kind", "FailoverPolicy"},
          {"metadata", {{"name", "echo"}, {"namespace", "shop"}}},
          {"spec",
           {{"linkRef", {{"name", "echo"}}},
            {"services",
             Json::array({{{"name", "echo-rw"}, {"selects", "Primary"}, {"port", 7}, {"selectors", selectors}}})}}}};
}

TEST(ThirdEngine, GoesFromItsManifestToAFlippedServiceByTheSamePipelines) {
  LinkRig rig;
  rig.stop_operator();
  EchoOperator one(rig);
  rig.apply(link());
  const auto applied = rig.client->apply(kube::kFailoverPolicies, policy(), "person");
  ASSERT_TRUE(applied) << applied.error().message;
  const auto points_at = [&](const std::string& endpoint) {
    const Json service = rig.get(kube::kServices, "echo-rw");
    return text_of(member_of(member_of(service, "spec"), "selector"), kEndpointLabel) == endpoint;
  };
  ASSERT_TRUE(rig.eventually([&] { return points_at("east"); })) << rig.get(kube::kReplicationLinks, "echo").dump(1);
  for (const char* pod : {"echo-east-0", "echo-west-0"})
    EXPECT_TRUE(rig.eventually([&] { return rig.exists(kube::kPods, pod); })) << pod;
  {
    std::lock_guard lock(one.mutex);
    one.dead.insert("echo-east-0");
  }
  ASSERT_TRUE(rig.eventually([&] { return points_at("west"); }));
  ASSERT_TRUE(rig.eventually([&] {
    const Json status = member_of(rig.get(kube::kReplicationLinks, "echo"), "status");
    return text_of(status, "primary") == "west" && integer_of(status, "epoch") == 2;
  }));
  EXPECT_EQ(text_of(member_of(rig.get(kube::kFailoverPolicies, "echo"), "status"), "primary"), "west");
}

// Whatever rule of its namespace refuses it: the other Services follow the primary, and it does once it may.
TEST(ThirdEngine, ARefusedServiceKeepsNoOtherFromFollowingThePrimary) {
  LinkRig rig;
  rig.stop_operator();
  EchoOperator one(rig);
  for (const char* verb : {"create", "patch", "update"})
    rig.api->inject(*sandbox::parse_fault(
        {{"match", {{"verb", verb}, {"resource", "services"}, {"name", "echo-rw"}, {"times", -1}}},
         {"do", {{"deny", true}}}}));
  rig.apply(link());
  Json both = policy();
  Json second = both["spec"]["services"][0];
  second["name"] = "second-rw";
  both["spec"]["services"].push_back(second);
  const auto applied = rig.client->apply(kube::kFailoverPolicies, both, "person");
  ASSERT_TRUE(applied) << applied.error().message;
  const auto points_at = [&](const char* service, const std::string& endpoint) {
    return text_of(member_of(member_of(rig.get(kube::kServices, service), "spec"), "selector"), kEndpointLabel) ==
           endpoint;
  };
  ASSERT_TRUE(rig.eventually([&] { return points_at("second-rw", "east"); }));
  {
    std::lock_guard lock(one.mutex);
    one.dead.insert("echo-east-0");
  }
  ASSERT_TRUE(rig.eventually([&] { return points_at("second-rw", "west"); }));
  EXPECT_FALSE(points_at("echo-rw", "west")) << "made, as a create has no name to match, and refused since";
  EXPECT_GT(rig.api->fault_hits(), 0u);
  rig.api->clear_faults();
  EXPECT_TRUE(rig.eventually([&] { return points_at("echo-rw", "west"); }));
}

TEST(ThirdEngine, IsMissedAtTheStartWhereItsLinksAreValidAndItHasNoRow) {
  SystemClock clock;
  LinkEngines links = make_link_engines({clock, {}});
  PrimaryMovers movers;
  const Status complete = check_complete(links, movers);
  ASSERT_FALSE(complete);
  EXPECT_NE(complete.error().message.find("has no PrimaryMover"), std::string::npos) << complete.error().message;
}

}  // namespace
}  // namespace twinspan::controllers::testing
