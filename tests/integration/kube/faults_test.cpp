// The client's machinery against an API that misbehaves: whatever happens, the cache ends up as the API is, and no
// reconcile is lost.
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/wait.hpp"
#include "kube/controller.hpp"
#include "kube/informer.hpp"
#include "sandbox/api/server.hpp"

namespace twinspan {
namespace {

using kube::kConfigMaps;
using sandbox::ApiServer;
using sandbox::FaultRule;
using std::chrono::milliseconds;

template <class Condition>
bool eventually(Condition condition, std::chrono::seconds within = std::chrono::seconds(30)) {
  const auto deadline = std::chrono::steady_clock::now() + within;
  while (std::chrono::steady_clock::now() < deadline) {
    if (condition()) return true;
    wait_for(milliseconds(20), {});
  }
  return condition();
}

sandbox::ApiOptions quick() {
  sandbox::ApiOptions out;
  out.bookmark_interval = milliseconds(200);
  return out;
}

struct Entry {
  std::string version, value;
  bool operator==(const Entry&) const = default;
};

Result<Entry> decode(const Json& object) {
  return Entry{object["metadata"]["resourceVersion"], object.value("data", Json::object()).value("value", "")};
}

class Faulty : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(server.start());
    auto config = server.config();
    config.user_agent = "writer/1";
    writer = std::make_unique<kube::Client>(config);
    config.user_agent = "watcher/1";
    watcher = std::make_unique<kube::Client>(config);
  }

  std::unique_ptr<kube::Informer<Entry>> make_informer() {
    kube::ReflectorOptions options;
    options.ns = "default";
    options.label_selector = "set=test";
    options.backoff_initial = milliseconds(10);
    options.backoff_limit = milliseconds(200);
    options.watch_least = std::chrono::seconds(1);
    return std::make_unique<kube::Informer<Entry>>(*watcher, kConfigMaps, options, decode);
  }

  static Json map_named(const std::string& name, const std::string& value) {
    return {{"apiVersion", "v1"},
            {"kind", "ConfigMap"},
            {"metadata", {{"name", name}, {"namespace", "default"}, {"labels", {{"set", "test"}}}}},
            {"data", {{"value", value}}}};
  }

  // Thirty objects made, changed and partly removed.
  void churn(int round) {
    for (int i = 0; i < 30; ++i) {
      const std::string name = "m" + std::to_string(i);
      if ((i + round) % 7 == 0) {
        const Status gone = writer->remove(kConfigMaps, {"default", name});
        ASSERT_TRUE(gone || gone.error().code == Code::kNotFound) << gone.error().message;
      } else {
        const auto written = writer->apply(kConfigMaps, map_named(name, std::to_string(round)), "writer");
        ASSERT_TRUE(written) << written.error().message;
      }
    }
  }

  std::map<std::string, Entry> stored() {
    std::map<std::string, Entry> out;
    kube::ListOptions options;
    options.label_selector = "set=test";
    const auto listed = writer->list(kConfigMaps, "default", options,
                                     [&](Json&& item) { out[item["metadata"]["name"]] = *decode(item); });
    EXPECT_TRUE(listed);
    return out;
  }

  static std::map<std::string, Entry> cached(const kube::Informer<Entry>& informer) {
    std::map<std::string, Entry> out;
    for (const auto& [key, value] : informer.all()) out[key.name] = *value;
    return out;
  }

  void expect_convergence(const kube::Informer<Entry>& informer) {
    const auto truth = stored();
    EXPECT_FALSE(truth.empty());
    EXPECT_TRUE(eventually([&] { return cached(informer) == truth; }))
        << "cached " << cached(informer).size() << " stored " << truth.size();
  }

  ApiServer server{quick()};
  std::unique_ptr<kube::Client> writer, watcher;
};

struct Fault {
  const char* name;
  const char* rule;
};

class EachFault : public Faulty, public testing::WithParamInterface<Fault> {};

TEST_P(EachFault, IsSurvivedByTheInformer) {
  auto informer = make_informer();
  churn(0);
  informer->start();
  ASSERT_TRUE(eventually([&] { return informer->synced(); }));
  Json rule = Json::parse(GetParam().rule);
  rule["match"]["userAgent"] = "watcher";
  const auto parsed = sandbox::parse_fault(rule);
  ASSERT_TRUE(parsed) << parsed.error().message;
  server.inject(*parsed);
  for (int round = 1; round <= 3; ++round) churn(round);
  EXPECT_TRUE(eventually([&] { return server.fault_hits() > 0; })) << "the fault never struck";
  server.clear_faults();
  expect_convergence(*informer);
  informer->stop();
}

INSTANTIATE_TEST_SUITE_P(
    All, EachFault,
    testing::Values(
        Fault{"CutAtOnce", R"({"match":{"resource":"configmaps","times":3},"do":{"cutWatch":true}})"},
        Fault{"CutInTheMiddleOfAnEvent",
              R"({"match":{"resource":"configmaps","times":5,"after":7},"do":{"cutWatch":true}})"},
        Fault{"WatchAnswersGone",
              R"({"match":{"verb":"watch","resource":"configmaps","times":3},"do":{"status":410}})"},
        Fault{"WatchAnswers500", R"({"match":{"verb":"watch","resource":"configmaps","times":3},"do":{"status":500}})"},
        Fault{
            "WatchIsThrottled",
            R"({"match":{"verb":"watch","resource":"configmaps","times":1},"do":{"status":429,"retryAfterSeconds":1}})"},
        Fault{"WatchIsDenied", R"({"match":{"verb":"watch","resource":"configmaps","times":3},"do":{"deny":true}})"},
        Fault{"WatchIsSlow",
              R"({"match":{"verb":"watch","resource":"configmaps","times":2},"do":{"delayMilliseconds":700}})"},
        Fault{
            "EventsAreReordered",
            R"({"match":{"verb":"watch","resource":"configmaps","times":20,"probability":0.4},"do":{"reorder":true}})"}),
    [](const auto& param) { return param.param.name; });

// One event, so that it is the last wherever the fault ends: what comes after a dropped one would hide it for good,
// which no API server does.
TEST_F(Faulty, TheLastEventIsDropped) {
  auto informer = make_informer();
  churn(0);
  informer->start();
  for (int round = 1; round <= 3; ++round) churn(round);
  expect_convergence(*informer);
  const auto drop = sandbox::parse_fault(Json::parse(
      R"({"match":{"verb":"watch","resource":"configmaps","userAgent":"watcher","times":-1},"do":{"dropWatchEvent":true}})"));
  ASSERT_TRUE(drop) << drop.error().message;
  server.inject(*drop);
  ASSERT_TRUE(writer->apply(kConfigMaps, map_named("m0", "the last"), "writer"));
  EXPECT_TRUE(eventually([&] { return server.fault_hits() > 0; })) << "the fault never struck";
  EXPECT_NE(cached(*informer), stored());
  server.clear_faults();
  expect_convergence(*informer);
}

TEST_F(Faulty, UnavailableForAWhile) {
  auto informer = make_informer();
  churn(0);
  informer->start();
  ASSERT_TRUE(eventually([&] { return informer->synced(); }));
  FaultRule rule;
  rule.action.unavailable = std::chrono::seconds(60);
  server.inject(rule);
  EXPECT_FALSE(writer->create(kConfigMaps, map_named("refused", "1")).has_value());
  wait_for(milliseconds(1000), {});  // the informer meets it, too
  server.clear_faults();
  ASSERT_TRUE(eventually([&] { return writer->get(kube::kNamespaces, {"", "default"}).has_value(); }));
  churn(1);
  expect_convergence(*informer);
}

// An API server that was away has closed its streams, also where it is back before anybody looked.
TEST_F(Faulty, NoWatchOutlivesAnOutage) {
  for (int round = 0; round < 20; ++round) {
    std::atomic<bool> told = false, ended = false;
    std::jthread watching([&](const std::stop_token& stop) {
      kube::WatchOptions options;
      options.timeout = std::chrono::seconds(60);
      (void)writer->watch(
          kube::kNamespaces, "", options, [&](auto, const Json&) { told = true; }, stop);
      ended = true;
    });
    ASSERT_TRUE(eventually([&] { return told.load(); }));
    EXPECT_FALSE(ended);
    FaultRule rule;
    rule.action.unavailable = milliseconds(1000);
    server.inject(rule);
    server.clear_faults();
    ASSERT_TRUE(eventually([&] { return ended.load(); }));
  }
}

TEST_F(Faulty, AwayAndBackAtTheSameAddress) {
  auto informer = make_informer();
  churn(0);
  informer->start();
  ASSERT_TRUE(eventually([&] { return informer->synced(); }));
  const char* asked = std::getenv("TWINSPAN_AWAY_SECONDS");
  server.close_listener();
  EXPECT_FALSE(writer->get(kube::kNamespaces, {"", "default"}).has_value());
  wait_for(std::chrono::seconds(asked ? std::atoi(asked) : 2), {});
  // Its port may be that of an outgoing connection for a moment.
  ASSERT_TRUE(eventually([&] { return server.open_listener().has_value(); }));
  ASSERT_TRUE(eventually([&] { return writer->get(kube::kNamespaces, {"", "default"}).has_value(); }));
  churn(1);
  expect_convergence(*informer);
}

TEST_F(Faulty, AStormOfGoneEnds) {
  auto informer = make_informer();
  churn(0);
  informer->start();
  std::jthread storm([&](std::stop_token stop) {
    while (wait_for(milliseconds(15), stop)) server.compact();
  });
  for (int round = 1; round <= 6; ++round) churn(round);
  storm.request_stop();
  storm.join();
  ASSERT_TRUE(eventually([&] { return informer->synced(); }));
  expect_convergence(*informer);
}

// Writers and faults make every second update a conflict; in the end every object must have been reconciled to what was
// asked last.
TEST_F(Faulty, NoReconcileIsLostInAStormOfConflicts) {
  constexpr int kObjects = 20, kRounds = 15;
  const SystemClock clock;
  auto informer = make_informer();
  std::atomic<int> conflicts = 0;
  kube::Controller controller(
      "storm", 4, clock, [&](const kube::Key& key, std::stop_token stop) -> Result<kube::Requeue> {
        auto object = watcher->get(kConfigMaps, key, stop);
        if (!object) return std::unexpected(object.error());
        if ((*object)["data"]["value"] == (*object)["data"].value("seen", "")) return kube::Requeue::none();
        (*object)["data"]["seen"] = (*object)["data"]["value"];
        const auto written = watcher->update(kConfigMaps, *object, kube::Subresource::kNone, stop);
        if (written) return kube::Requeue::none();
        if (written.error().code == Code::kConflict) ++conflicts;
        return std::unexpected(written.error());
      });
  informer->add_handler([&](const kube::Key& key, const auto&, const auto& after) {
    if (after) controller.queue().add(key);
  });
  FaultRule rule;
  rule.match = {.verb = "update",
                .resource = "configmaps",
                .ns = "",
                .name = "",
                .user_agent = "watcher",
                .times = 300,
                .after = 0,
                .probability = 0.5};
  rule.action.status = 409;
  server.inject(rule);
  informer->start();
  controller.start();
  for (int round = 0; round < kRounds; ++round)
    for (int i = 0; i < kObjects; ++i)
      ASSERT_TRUE(writer->apply(kConfigMaps, map_named("s" + std::to_string(i), std::to_string(round)), "writer"));
  const auto settled = [&] {
    for (int i = 0; i < kObjects; ++i) {
      const auto object = writer->get(kConfigMaps, {"default", "s" + std::to_string(i)});
      if (!object || (*object)["data"].value("seen", "") != std::to_string(kRounds - 1)) return false;
    }
    return true;
  };
  // The storm ends with the writes. A key that met a dozen conflicts in a row is tried again after up to a minute.
  server.clear_faults();
  EXPECT_TRUE(eventually(settled, std::chrono::seconds(120)));
  EXPECT_GT(conflicts.load(), 0) << "there was no storm";
  controller.stop();
  informer->stop();
}

TEST_F(Faulty, AWriteWhoseAnswerIsLostWasDone) {
  server.inject(*sandbox::parse_fault(Json::parse(
      R"({"match":{"verb":"create","resource":"configmaps","userAgent":"writer"},"do":{"writeThenFail":true,"status":500}})")));
  EXPECT_FALSE(writer->create(kConfigMaps, map_named("lost", "1")).has_value());
  EXPECT_TRUE(writer->get(kConfigMaps, {"default", "lost"}).has_value());
}

TEST_F(Faulty, AServiceAccountMayDoWhatItsRoleSaysAndNoMore) {
  const kube::Resource accounts = kube::kServiceAccounts;
  ASSERT_TRUE(writer->create(accounts, {{"apiVersion", "v1"},
                                        {"kind", "ServiceAccount"},
                                        {"metadata", {{"name", "worker"}, {"namespace", "default"}}}}));
  ASSERT_TRUE(writer->create(kube::kRoles, {{"apiVersion", "rbac.authorization.k8s.io/v1"},
                                            {"kind", "Role"},
                                            {"metadata", {{"name", "worker"}, {"namespace", "default"}}},
                                            {"rules",
                                             {{{"apiGroups", {""}},
                                               {"resources", {"configmaps"}},
                                               {"resourceNames", {"mine"}},
                                               {"verbs", {"get", "patch"}}}}}}));
  ASSERT_TRUE(
      writer->create(kube::kRoleBindings,
                     {{"apiVersion", "rbac.authorization.k8s.io/v1"},
                      {"kind", "RoleBinding"},
                      {"metadata", {{"name", "worker"}, {"namespace", "default"}}},
                      {"roleRef", {{"apiGroup", "rbac.authorization.k8s.io"}, {"kind", "Role"}, {"name", "worker"}}},
                      {"subjects", {{{"kind", "ServiceAccount"}, {"name", "worker"}, {"namespace", "default"}}}}}));
  ASSERT_TRUE(writer->create(kConfigMaps, map_named("mine", "1")));
  ASSERT_TRUE(writer->create(kConfigMaps, map_named("other", "1")));
  kube::Client worker(server.config_for("default", "worker"));
  EXPECT_TRUE(worker.get(kConfigMaps, {"default", "mine"}));
  EXPECT_TRUE(worker.merge_patch(kConfigMaps, {"default", "mine"}, {{"data", {{"value", "2"}}}}));
  const auto denied = [](const auto& result) { return !result && result.error().code == Code::kDenied; };
  EXPECT_TRUE(denied(worker.get(kConfigMaps, {"default", "other"})));
  EXPECT_TRUE(denied(worker.remove(kConfigMaps, {"default", "mine"})));
  EXPECT_TRUE(denied(worker.get(kube::kSecrets, {"default", "mine"})));
  auto stranger = server.config();
  stranger.client_certificate_pem = stranger.client_key_pem = "";
  stranger.token = "made-up";
  EXPECT_TRUE(denied(kube::Client(stranger).get(kConfigMaps, {"default", "mine"})));
}

TEST_F(Faulty, WhatLosesItsOwnerGoes) {
  const auto owner = writer->create(kConfigMaps, map_named("owner", "1"));
  ASSERT_TRUE(owner);
  Json owned = map_named("owned", "1");
  owned["metadata"]["ownerReferences"] = {{{"apiVersion", "v1"},
                                           {"kind", "ConfigMap"},
                                           {"name", "owner"},
                                           {"uid", (*owner)["metadata"]["uid"]},
                                           {"blockOwnerDeletion", true}}};
  ASSERT_TRUE(writer->create(kConfigMaps, owned));
  ASSERT_TRUE(writer->create(kConfigMaps, map_named("free", "1")));
  ASSERT_TRUE(writer->remove(kConfigMaps, {"default", "owner"},
                             {.uid = "", .resource_version = "", .grace_seconds = {}, .propagation = "Foreground"}));
  const auto missing = [&](const char* name) {
    const auto found = writer->get(kConfigMaps, {"default", name});
    return !found && found.error().code == Code::kNotFound;
  };
  EXPECT_TRUE(eventually([&] { return missing("owned") && missing("owner"); }));
  EXPECT_FALSE(missing("free"));
}

}  // namespace
}  // namespace twinspan
