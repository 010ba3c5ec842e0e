// What an apply takes out of objects that were created before it: by this version or a former one, with a quicker
// writer in between, or by a person.
#include "controllers/cluster/object_writer.hpp"

#include <gtest/gtest.h>

#include "controllers/cluster/names.hpp"
#include "controllers/cluster/ownership.hpp"
#include "core/clock.hpp"
#include "sandbox/api/server.hpp"

namespace twinspan::controllers {
namespace {

class Writes : public testing::Test {
 protected:
  Writes() {
    sandbox::ApiOptions options;
    options.tls = false;
    api = std::make_unique<sandbox::ApiServer>(options);
    EXPECT_TRUE(api->start());
    kube::Config config = api->config();
    config.user_agent = "twinspan-operator";
    client = std::make_unique<kube::Client>(config);
    EXPECT_TRUE(client->create(kube::kNamespaces,
                               {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", "shop"}}}}));
    writer = std::make_unique<ObjectWriter>(*client, clock);
  }
  static Json budget(const Json& limit, const Json& labels = Json::object()) {
    Json out = {{"apiVersion", "policy/v1"},
                {"kind", "PodDisruptionBudget"},
                {"metadata",
                 {{"name", "orders"},
                  {"namespace", "shop"},
                  {"labels", {{kManagedByLabel, kManagedBy}, {kLinkLabel, "orders"}}},
                  {"annotations", {{kLinkUidAnnotation, "u1"}}}}},
                {"spec", limit}};
    out["spec"]["selector"] = {{"matchLabels", {{"app", "orders"}}}};
    out["metadata"]["labels"].update(labels);
    return out;
  }
  Json now() { return client->get(kube::kPodDisruptionBudgets, {"shop", "orders"}).value_or(Json()); }
  ObjectWriter::Written apply(const Json& wanted, bool first = false) {
    std::optional<Owned> there;
    if (!first) there = *decode_owned(now());
    return writer->apply(kube::kPodDisruptionBudgets, wanted, {"orders", "orders", "u1"}, there ? &*there : nullptr,
                         {});
  }
  void expect_the_appliers_alone() {
    const Json managed = now()["metadata"]["managedFields"];
    ASSERT_FALSE(managed.empty());
    for (const Json& entry : managed) {
      EXPECT_EQ(entry["manager"], kFieldManager);
      EXPECT_EQ(entry["operation"], "Apply");
    }
  }

  const SystemClock clock;
  std::unique_ptr<sandbox::ApiServer> api;
  std::unique_ptr<kube::Client> client;
  std::unique_ptr<ObjectWriter> writer;
  const Json kAtLeast = {{"minAvailable", 1}}, kAtMost = {{"maxUnavailable", 1}};
};

// Kubernetes refuses a budget with both limits: it is no use that the apply leaves one out while another owns it.
TEST_F(Writes, TakeOutWhatAFormerVersionCreated) {
  ASSERT_TRUE(client->create(kube::kPodDisruptionBudgets, budget(kAtLeast, {{"team", "a"}})));
  const auto written = apply(budget(kAtMost));
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_FALSE(now()["spec"].contains("minAvailable"));
  EXPECT_FALSE(now()["metadata"]["labels"].contains("team"));
  EXPECT_EQ(now()["spec"]["maxUnavailable"], 1);
  expect_the_appliers_alone();
}

// As an installation is after an upgrade: applied over what was created, and both own it.
TEST_F(Writes, TakeOutWhatBothOwn) {
  ASSERT_TRUE(client->create(kube::kPodDisruptionBudgets, budget(kAtLeast, {{"team", "a"}})));
  ASSERT_TRUE(client->apply(kube::kPodDisruptionBudgets, budget(kAtLeast), kFieldManager));
  const auto written = apply(budget(kAtLeast));
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_FALSE(now()["metadata"]["labels"].contains("team"));
  EXPECT_EQ((*written)->at("metadata").at("resourceVersion"), now()["metadata"]["resourceVersion"]);
  expect_the_appliers_alone();
}

// The budget's own controller writes its status within milliseconds.
TEST_F(Writes, TakeOutWhatAConflictLeftUnowned) {
  {
    const auto rule =
        sandbox::parse_fault({{"match", {{"verb", "patch"}, {"resource", "poddisruptionbudgets"}, {"times", 1}}},
                              {"do", {{"status", 409}}}});
    ASSERT_TRUE(rule);
    api->inject(*rule);
  }
  const auto created = apply(budget(kAtLeast, {{"team", "a"}}), true);
  ASSERT_TRUE(created) << "it is there, and the look goes on: " << created.error().message;
  ASSERT_TRUE(*created);
  const auto written = apply(budget(kAtMost));
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_FALSE(now()["spec"].contains("minAvailable"));
  EXPECT_FALSE(now()["metadata"]["labels"].contains("team"));
  expect_the_appliers_alone();
}

TEST_F(Writes, LeaveWhatOthersWrote) {
  const auto created = apply(budget(kAtLeast), true);
  ASSERT_TRUE(created) << created.error().message;
  const auto labelled =
      client->apply(kube::kPodDisruptionBudgets,
                    {{"apiVersion", "policy/v1"},
                     {"kind", "PodDisruptionBudget"},
                     {"metadata", {{"name", "orders"}, {"namespace", "shop"}, {"labels", {{"by", "jo"}}}}}},
                    "jo");
  ASSERT_TRUE(labelled) << labelled.error().message;
  ASSERT_TRUE(apply(budget(kAtMost)));
  EXPECT_EQ(now()["metadata"]["labels"]["by"], "jo");
  EXPECT_FALSE(now()["spec"].contains("minAvailable"));
}

// A person's, lent: what it had when it came stays.
TEST_F(Writes, LeaveWhatWasHandedOver) {
  Json theirs = budget(kAtLeast, {{"team", "a"}});
  theirs["metadata"]["annotations"]["twinspan.dev/hand-over"] = "orders";
  ASSERT_TRUE(client->create(kube::kPodDisruptionBudgets, theirs));
  const auto written = apply(budget(kAtLeast));
  ASSERT_TRUE(written) << written.error().message;
  EXPECT_EQ(now()["metadata"]["labels"]["team"], "a");
}

// A refusal of another reason stays one, and nothing is applied twice for it.
TEST_F(Writes, AreRefusedOnceForWhatIsWrong) {
  const auto created = apply(budget(kAtLeast), true);
  ASSERT_TRUE(created) << created.error().message;
  const std::string before = now()["metadata"]["resourceVersion"];
  const auto written = apply(budget({{"minAvailable", 1}, {"maxUnavailable", 1}}));
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, Code::kInvalid);
  EXPECT_EQ(now()["metadata"]["resourceVersion"], before);
}

}  // namespace
}  // namespace twinspan::controllers
