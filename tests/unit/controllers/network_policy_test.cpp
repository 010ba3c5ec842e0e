#include <gtest/gtest.h>

#include "controllers/s3/s3_render.hpp"
#include "link_world.hpp"

namespace twinspan::controllers::testing {
namespace {

const char* const kFlag = R"({
  "operators": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "twinspan"}},
                 "podSelector": {"matchLabels": {"app.kubernetes.io/name": "twinspan-operator"}}}],
  "clientsFrom": [{"namespaceSelector": {"matchLabels": {"team": "shop"}}}],
  "metricsFrom": [{"namespaceSelector": {"matchLabels": {"name": "monitoring"}}}]})";

NetworkRules rules() { return *parse_network_rules(kFlag); }

// Whether pods of the link let it in, or may go there: by port, of whom the policy calls `peer`.
bool allows(const Json& policy, const char* direction, const Json& peer, int64_t port) {
  const char* const whom = std::string(direction) == "ingress" ? "from" : "to";
  for (const Json& rule : policy["spec"][direction]) {
    bool by_peer = !rule.contains(whom), by_port = !rule.contains("ports");
    if (!by_peer)
      for (const Json& one : rule[whom]) by_peer = by_peer || one == peer;
    if (!by_port)
      for (const Json& one : rule["ports"]) by_port = by_port || one["port"] == port;
    if (by_peer && by_port) return true;
  }
  return false;
}

const Json kOthers = {{"podSelector", {{"matchLabels", {{"app", "other"}}}}}};
const Json kOwn = {
    {"podSelector",
     {{"matchLabels", {{"app.kubernetes.io/name", "twinspan-worker"}, {"twinspan.dev/link", "orders"}}}}}};

TEST(NetworkPolicy, EachMayDoWhatItNeedsAndNoMore) {
  const World world;
  const Json policy = render_network_policy(*world.link, rules(), Clients::kAsAllowed, {9000});
  EXPECT_EQ(policy["metadata"]["name"], "orders-worker");
  EXPECT_EQ(policy["metadata"]["ownerReferences"][0]["uid"], "link-uid");
  EXPECT_EQ(policy["spec"]["podSelector"], kOwn["podSelector"]);
  EXPECT_EQ(policy["spec"]["policyTypes"], Json({"Ingress", "Egress"}));
  const std::map<std::string, std::pair<Json, std::set<int64_t>>> peers = {
      {"other", {kOthers, {}}},
      {"own", {kOwn, {5432, 8443, 8080, 9999}}},
      {"client", {rules().clients_from[0], {5432}}},
      {"operator", {rules().operators[0], {8443}}},
      {"metrics", {rules().metrics_from[0], {8080}}}};
  for (const auto& [name, one] : peers)
    for (const int64_t port : {5432, 8443, 8080, 9999})
      EXPECT_EQ(allows(policy, "ingress", one.first, port), one.second.contains(port)) << name << " " << port;
  for (const int64_t port : {53, 5353, 8053, 443, 6443, 9000})
    EXPECT_TRUE(allows(policy, "egress", kOthers, port)) << port;
  for (const int64_t port : {80, 5432, 8443, 9001}) {
    EXPECT_FALSE(allows(policy, "egress", kOthers, port)) << port;
    EXPECT_TRUE(allows(policy, "egress", kOwn, port)) << port;
  }
}

TEST(NetworkPolicy, NobodyNamedIsAnybody) {
  NetworkRules open = rules();
  open.clients_from = open.metrics_from = Json::array();
  const World world;
  const Json policy = render_network_policy(*world.link, open, Clients::kAsAllowed, {});
  EXPECT_TRUE(allows(policy, "ingress", kOthers, 5432));
  EXPECT_TRUE(allows(policy, "ingress", kOthers, 8080));
  EXPECT_FALSE(allows(policy, "ingress", kOthers, 8443)) << "agents answer the operator only";
  const Json without = render_network_policy(*world.link, open, Clients::kNone, {});
  EXPECT_FALSE(allows(without, "ingress", kOthers, 5432));
}

TEST(NetworkPolicy, IsKeptWhereItIsAskedForAndBroughtBackWhereSomebodyChangedIt) {
  RenderConfig config = render_config();
  World world;
  EXPECT_EQ(lines(plan_link(world.seen(), config)), Lines{});
  config.network = rules();
  EXPECT_EQ(lines(plan_link(world.seen(), config)), Lines{"Apply NetworkPolicy orders-worker"});
  Json policy = render_network_policy(*world.link, rules(), Clients::kAsAllowed, {});
  policy["metadata"]["uid"] = "policy";
  LinkSeen seen = world.seen();
  seen.network_policy = std::make_shared<Owned>(*decode_owned(policy));
  EXPECT_EQ(lines(plan_link(seen, config)), Lines{});
  policy["spec"]["ingress"] = Json::array();
  seen.network_policy = std::make_shared<Owned>(*decode_owned(policy));
  EXPECT_EQ(lines(plan_link(seen, config)), Lines{"Apply NetworkPolicy orders-worker"});
}

// Ports of the repository, and of the server that the first data come from.
TEST(NetworkPolicy, WhatTheLinkCallsIsReachable) {
  Json json = link_json();
  json["spec"]["postgres"]["bootstrap"]["import"] = {{"host", "old.example"},
                                                     {"port", 6432},
                                                     {"database", "shop"},
                                                     {"username", "shop"},
                                                     {"passwordSecretRef", {{"name", "old"}, {"key", "password"}}}};
  World world(json);
  api::BackupAssignment backup;
  backup.destination.s3.endpoint = "https://s3.example:9443";
  world.link->status.backup = backup;
  RenderConfig config = render_config();
  config.network = rules();
  for (const Step& step : plan_link(world.seen(), config).steps) {
    const auto* one = std::get_if<Apply>(&step.effect);
    if (!one || one->object["kind"] != "NetworkPolicy") continue;
    EXPECT_TRUE(allows(one->object, "egress", kOthers, 6432));
    EXPECT_TRUE(allows(one->object, "egress", kOthers, 9443));
    return;
  }
  FAIL() << "no NetworkPolicy";
}

TEST(NetworkPolicy, S3WorkersReachBothSides) {
  auto link = decode_link(Json::parse(R"({
    "apiVersion": "twinspan.dev/v1alpha1", "kind": "ReplicationLink",
    "metadata": {"name": "orders", "namespace": "shop", "uid": "link-uid"},
    "spec": {"engine": "S3",
      "source": {"name": "a", "s3": {"endpoint": "http://minio.storage.svc:9000", "bucket": "one"}},
      "targets": [{"name": "b", "s3": {"endpoint": "http://10.0.0.9", "bucket": "two"}}]}})"));
  ASSERT_TRUE(link);
  const Json policy = render_s3_network_policy(*link, rules());
  for (const int64_t port : {80, 443, 9000}) EXPECT_TRUE(allows(policy, "egress", kOthers, port)) << port;
  EXPECT_FALSE(allows(policy, "ingress", rules().clients_from[0], 5432));
  link->spec.targets[0].s3->endpoint = "https://10.0.0.9";
  for (const bool role_of_the_instance : {true, false}) {
    for (api::Endpoint* one : {&link->spec.source, &link->spec.targets[0]}) {
      one->s3->credentials_secret_ref.reset();
      if (!role_of_the_instance) one->s3->credentials_secret_ref = api::SecretReference{"keys"};
    }
    EXPECT_EQ(allows(render_s3_network_policy(*link, rules()), "egress", kOthers, 80), role_of_the_instance);
  }
  EXPECT_TRUE(allows(policy, "ingress", rules().operators[0], 8443));
}

TEST(NetworkPolicy, PortsOfOrigins) {
  for (const auto& [origin, port] : {std::pair<const char*, int64_t>{"https://s3.example", 443},
                                     {"http://s3.example", 80},
                                     {"https://s3.example:9000", 9000},
                                     {"http://[fd00::1]", 80},
                                     {"http://[fd00::1]:9000", 9000}})
    EXPECT_EQ(port_of(origin), port) << origin;
}

TEST(NetworkPolicy, AWrongFlagIsRefusedByPart) {
  for (const auto& [text, part] : {std::pair{"", "JSON"},
                                   {"[]", "JSON"},
                                   {"{}", "operators"},
                                   {R"({"operators": {}})", "operators"},
                                   {R"({"operators": [{}]})", "operators"},
                                   {R"({"operators": [{"podSelector": {}}], "clients": []})", "clients"},
                                   {R"({"operators": [{"podSelector": {}}], "clientsFrom": [{"pods": {}}]})", "pods"},
                                   {R"({"operators": [{"podSelector": []}]})", "podSelector"}}) {
    const auto parsed = parse_network_rules(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_NE(parsed.error().message.find(part), std::string::npos) << parsed.error().message;
  }
}

}  // namespace
}  // namespace twinspan::controllers::testing
