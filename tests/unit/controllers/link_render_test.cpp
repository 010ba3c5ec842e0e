#include <gtest/gtest.h>

#include "controllers/link/render.hpp"
#include "golden.hpp"
#include "link_world.hpp"

namespace twinspan::controllers::testing {
namespace {

Json full_json() {
  Json json = link_json();
  json["spec"]["postgres"]["ownerSecretRef"] = {{"name", "shop-owner"}};
  json["spec"]["targets"][1]["postgres"]["managed"] = Json::parse(R"({
    "image": "other/worker:2", "storage": {"ephemeral": true}, "nodeSelector": {"disk": "fast"},
    "affinity": {"podAntiAffinity": {}}, "tolerations": [{"key": "dedicated", "operator": "Exists"}],
    "resources": {"limits": {"memory": "1Gi"}}})");
  return json;
}

TEST(LinkRender, PodOfAVolume) {
  const World world;
  expect_golden("link_pod_volume", render_pod(*world.link, world.link->spec.source, render_config()));
}

TEST(LinkRender, EphemeralPodWithPlacement) {
  const World world(full_json());
  expect_golden("link_pod_ephemeral", render_pod(*world.link, world.link->spec.targets[1], render_config()));
}

TEST(LinkRender, EverythingElse) {
  const World world;
  Json all = Json::array({render_account(*world.link), render_role(*world.link), render_binding(*world.link),
                          render_budget(*world.link), render_lease(*world.link),
                          render_claim(*world.link, world.link->spec.source), render_owner(*world.link, "password"),
                          render_ca_bundle(*world.link, "PEM")});
  expect_golden("link_objects", all);
}

TEST(LinkRender, PodHashChangesExactlyWithWhatIsInThePod) {
  const auto hash = [](const Json& json, const RenderConfig& config = render_config()) {
    const World world(json);
    return pod_hash(*world.link, world.link->spec.source, config);
  };
  const std::string before = hash(link_json());
  const auto changed = [&](const char* pointer, const Json& value) {
    Json json = link_json();
    json[Json::json_pointer(pointer)] = value;
    return hash(json) != before;
  };
  EXPECT_EQ(hash(link_json()), before);
  EXPECT_TRUE(changed("/spec/source/postgres/managed/resources/requests/cpu", "500m"));
  EXPECT_TRUE(changed("/spec/source/postgres/managed/image", "other:1"));
  EXPECT_TRUE(changed("/spec/source/postgres/managed/nodeSelector", {{"a", "b"}}));
  EXPECT_TRUE(changed("/spec/postgres/ownerSecretRef", {{"name", "x"}}));
  // The agent follows these by itself: no pod is replaced for them.
  EXPECT_FALSE(changed("/spec/source/postgres/managed/parameters", {{"work_mem", "8MB"}}));
  EXPECT_FALSE(changed("/spec/source/postgres/managed/storage/size", "20Gi"));
  EXPECT_FALSE(changed("/spec/postgres/durability", {{"mode", "Sync"}}));
  EXPECT_FALSE(changed("/metadata/generation", 9));
  RenderConfig other = render_config();
  other.worker_image = "registry.example/twinspan-worker:1.1";
  EXPECT_NE(hash(link_json(), other), before);
}

// Pods that earlier versions made have these: an upgrade replaces none of them.
TEST(LinkRender, PodHashIsThatOfEarlierVersionsWhereNothingIsAdded) {
  const auto hash = [](const Json& json, const api::Endpoint& (*of)(const api::LinkSpec&)) {
    const World world(json);
    return pod_hash(*world.link, of(world.link->spec), render_config());
  };
  const auto source = [](const api::LinkSpec& spec) -> const api::Endpoint& { return spec.source; };
  const auto last = [](const api::LinkSpec& spec) -> const api::Endpoint& { return spec.targets[1]; };
  EXPECT_EQ(hash(link_json(), source), "385293b93ccd1f01");
  EXPECT_EQ(hash(full_json(), last), "4fbb5c8806265e68") << "affinity and tolerations are as they were written";
  Json json = link_json();
  json["spec"]["source"]["postgres"]["managed"]["podTemplate"] = Json::object();
  json["spec"]["postgres"]["serviceAccount"]["annotations"] = {{"a", "b"}};
  EXPECT_EQ(hash(json, source), "385293b93ccd1f01");
}

Json template_json() {
  Json json = link_json();
  json["spec"]["source"]["postgres"]["managed"]["podTemplate"] = Json::parse(R"({
    "labels": {"team": "shop", "example.com/tier": "db"}, "annotations": {"prometheus.io/scrape": "true"},
    "priorityClassName": "databases", "env": [{"name": "MALLOC_ARENA_MAX", "value": "2"}]})");
  return json;
}

TEST(LinkRender, PodWithWhatPeopleAdd) {
  const World world(template_json());
  expect_golden("link_pod_template", render_pod(*world.link, world.link->spec.source, render_config()));
}

TEST(LinkRender, WhateverIsAddedMakesAnotherPod) {
  const auto hash = [](const Json& json) {
    const World world(json);
    const Json pod = render_pod(*world.link, world.link->spec.source, render_config());
    EXPECT_EQ(pod["metadata"]["annotations"]["twinspan.dev/hash"],
              pod_hash(*world.link, world.link->spec.source, render_config()));
    return pod["metadata"]["annotations"]["twinspan.dev/hash"].get<std::string>();
  };
  std::set<std::string> hashes{hash(link_json()), hash(template_json())};
  for (const char* part : {"labels", "annotations", "priorityClassName", "env"}) {
    Json json = template_json();
    json["spec"]["source"]["postgres"]["managed"]["podTemplate"].erase(part);
    hashes.insert(hash(json));
  }
  EXPECT_EQ(hashes.size(), 6U);
}

// The spec was judged before; should it not have been, ours stays.
TEST(LinkRender, OursGoesBeforeWhatIsAdded) {
  Json json = link_json();
  json["spec"]["source"]["postgres"]["managed"]["podTemplate"] = Json::parse(R"({
    "labels": {"twinspan.dev/link": "other"}, "annotations": {"twinspan.dev/hash": "0"},
    "env": [{"name": "POD_IP", "value": "10.0.0.1"}]})");
  const World world(json);
  const Json pod = render_pod(*world.link, world.link->spec.source, render_config());
  EXPECT_EQ(pod["metadata"]["labels"]["twinspan.dev/link"], "orders");
  EXPECT_NE(pod["metadata"]["annotations"]["twinspan.dev/hash"], "0");
  for (const Json& one : pod["spec"]["containers"][0]["env"]) EXPECT_FALSE(one.contains("value")) << one;
}

TEST(LinkRender, AnnotationsOfTheAccountAreKeptAndOthersAreTheirs) {
  Json json = link_json();
  const auto account = [&](const Json& annotations) {
    json["spec"]["postgres"]["serviceAccount"]["annotations"] = annotations;
    return render_account(*World(json).link);
  };
  const auto hash = [](const Json& object) { return decode_owned(object)->hash; };
  Json one = account({{"example.com/role", "shop"}, {"team", "a"}});
  EXPECT_EQ(one["metadata"]["annotations"]["example.com/role"], "shop");
  EXPECT_FALSE(hash(one).empty());
  EXPECT_NE(hash(one), hash(account({{"example.com/role", "other"}, {"team", "a"}})));
  EXPECT_NE(hash(one), hash(account({{"example.com/role", "shop"}})));
  EXPECT_EQ(hash(account(Json::object())), hash(render_account(*World().link))) << "as earlier versions rendered it";
  one["metadata"]["annotations"]["theirs"] = "1";
  EXPECT_FALSE(hash(one).empty()) << "somebody else's annotation";
  one["metadata"]["annotations"].erase("team");
  EXPECT_TRUE(hash(one).empty()) << "it is written again";
}

TEST(LinkRender, ImagesArePulledWithTheLinksSecretsThenEverybodys) {
  Json json = link_json();
  json["spec"]["imagePullSecrets"] = {{{"name", "own"}}, {{"name", "both"}}};
  const World world(json);
  RenderConfig config = render_config();
  config.image_pull_secrets = {"both", "common"};
  EXPECT_EQ(render_pod(*world.link, world.link->spec.source, config)["spec"]["imagePullSecrets"],
            Json::parse(R"([{"name": "own"}, {"name": "both"}, {"name": "common"}])"));
  const World bare;
  EXPECT_FALSE(render_pod(*bare.link, bare.link->spec.source, render_config())["spec"].contains("imagePullSecrets"));
}

TEST(LinkRender, SharedMemoryIsHalfOfTheLimitAndAGigabyteAtMost) {
  for (const auto& [limit, asked, size] : {std::tuple{"", "", "1Gi"},
                                           {"256Mi", "", "128Mi"},
                                           {"1Gi", "", "512Mi"},
                                           {"64Gi", "", "1Gi"},
                                           {"1", "", "1Mi"},
                                           {"2147483648", "", "1Gi"},
                                           {"256Mi", "200Mi", "200Mi"}}) {
    Json json = link_json();
    Json& managed = json["spec"]["source"]["postgres"]["managed"];
    if (*limit) managed["resources"]["limits"]["memory"] = limit;
    if (*asked) managed["sharedMemory"] = asked;
    const World world(json);
    Json found;
    const Json pod = render_pod(*world.link, world.link->spec.source, render_config());
    for (const Json& volume : pod["spec"]["volumes"])
      if (volume["name"] == "shm") found = volume["emptyDir"];
    EXPECT_EQ(found, (Json{{"medium", "Memory"}, {"sizeLimit", size}})) << limit;
  }
}

// What was applied comes back from the API server with server-set fields, and must still count as unchanged.
TEST(LinkRender, HashSurvivesWhatTheServerAdds) {
  const World world;
  for (Json object : {render_account(*world.link), render_role(*world.link), render_binding(*world.link),
                      render_budget(*world.link), render_ca_bundle(*world.link, "PEM")}) {
    object["metadata"]["uid"] = "u";
    object["metadata"]["managedFields"] = Json::array();
    object["metadata"]["labels"]["their.example/label"] = "1";
    if (object["kind"] == "PodDisruptionBudget") object["status"] = {{"currentHealthy", 3}};
    EXPECT_FALSE(decode_owned(object)->hash.empty()) << object["kind"];
  }
  Json role = render_role(*world.link);
  role["rules"][0]["verbs"].push_back("delete");
  EXPECT_TRUE(decode_owned(role)->hash.empty());
  Json budget = render_budget(*world.link);
  budget["spec"]["minAvailable"] = 1;
  EXPECT_TRUE(decode_owned(budget)->hash.empty());
}

TEST(LinkRender, RoleMayReadThePasswordsOfDeclaredRolesAlone) {
  Json json = link_json();
  const auto secrets = [&] {
    const World world(json);
    const Json role = render_role(*world.link);
    for (const Json& rule : role["rules"])
      if (rule["resources"] == Json::array({"secrets"})) return rule;
    return Json();
  };
  EXPECT_TRUE(secrets().is_null());
  json["spec"]["postgres"]["roles"] = {
      {{"name", "a"}, {"login", true}, {"passwordSecretRef", {{"name", "passwords"}, {"key", "a"}}}},
      {{"name", "b"}, {"login", true}, {"passwordSecretRef", {{"name", "passwords"}, {"key", "b"}}}},
      {{"name", "c"}, {"login", true}, {"passwordSecretRef", {{"name", "more"}, {"key", "c"}}}},
      {{"name", "d"}, {"login", true}},
      {{"name", "e"}, {"ensure", "Absent"}, {"login", true}, {"passwordSecretRef", {{"name", "old"}, {"key", "e"}}}}};
  EXPECT_EQ(secrets(), Json({{"apiGroups", {""}},
                             {"resources", {"secrets"}},
                             {"resourceNames", {"more", "passwords"}},
                             {"verbs", {"get"}}}));
}

// What opens a bucket is read by who stores there or is restored from it, and by nobody once that is over.
TEST(LinkRender, RoleMayReadTheRepositorysSecretsWhileItIsUsed) {
  const World world;
  for (const bool stores : {false, true})
    for (const bool restored : {false, true}) {
      CachedLink link = *world.link;
      if (stores) link.status.backup.emplace().destination.s3.credentials_secret_ref.name = "bucket";
      if (restored) {
        auto& from = link.status.restore.emplace();
        from.destination.s3.credentials_secret_ref.name = "first-bucket";
        from.destination.s3.ca_secret_ref.emplace().name = "first-ca";
        from.encryption.emplace().key_secret_ref = {"first-key", "passphrase"};
      }
      Json named = Json::array();
      if (stores) named.push_back("bucket");
      if (restored) named.insert(named.end(), {"first-bucket", "first-ca", "first-key"});
      const Json rules = render_role(link).at("rules");
      ASSERT_EQ(rules.size(), named.empty() ? 2U : 3U);
      if (!named.empty()) {
        EXPECT_EQ(rules[2].at("resourceNames"), named);
      }
    }
}

TEST(LinkRender, LongestNamesStayWithinKubernetesLimits) {
  const std::string thirty(30, 'a');
  EXPECT_LE(pod_name(thirty, thirty).size(), 63u);
  EXPECT_LE(tls_secret_name(thirty, thirty).size(), 253u);
}

}  // namespace
}  // namespace twinspan::controllers::testing
