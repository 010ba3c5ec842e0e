#include "controllers/link/leftover_policies.hpp"

#include <gtest/gtest.h>

#include "controllers/cluster/names.hpp"
#include "controllers/link/render.hpp"
#include "sandbox/api/server.hpp"
#include "tests/places.hpp"

namespace twinspan::controllers {
namespace {

// Its link is there: else the garbage collector would take the policy.
Json policy_of(kube::Client& client, const std::string& link, const std::string& ns) {
  const auto made =
      client.create(kube::kReplicationLinks,
                    {{"apiVersion", "twinspan.dev/v1alpha1"},
                     {"kind", "ReplicationLink"},
                     {"metadata", {{"name", link}, {"namespace", ns}}},
                     {"spec",
                      {{"engine", "Postgres"},
                       {"source", {{"name", "east"}, {"postgres", {{"managed", Json::object()}}}}},
                       {"targets", Json::array({{{"name", "west"}, {"postgres", {{"managed", Json::object()}}}}})}}}});
  EXPECT_TRUE(made) << made.error().message;
  api::ReplicationLink owner;
  owner.metadata.name = link;
  owner.metadata.ns = ns;
  owner.metadata.uid = made ? text_of(made->at("metadata"), "uid") : "";
  return render_network_policy(owner, {}, Clients::kAsAllowed, {});
}

// What an operator made that was told to make them goes in the namespaces that are looked after; what is a person's
// stays.
TEST(LeftoverPolicies, GoWhereTheyAreOurs) {
  for (const bool everywhere : {true, false}) {
    sandbox::ApiOptions options;
    options.tls = false;
    sandbox::ApiServer api(options);
    ASSERT_TRUE(api.start());
    ASSERT_TRUE(api.install_crds(test::in_source("/crds")));
    kube::Client client(api.config());
    for (const char* ns : {"shop", "other"})
      ASSERT_TRUE(client.create(kube::kNamespaces,
                                {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", ns}}}}));
    Json handed_over = policy_of(client, "yours", "shop"), without_owner = policy_of(client, "lone", "shop"),
         persons = policy_of(client, "theirs", "shop"), copied = policy_of(client, "copied", "shop");
    handed_over["metadata"]["annotations"][std::string(kHandOverAnnotation)] = "yours";
    without_owner["metadata"].erase("ownerReferences");
    persons["metadata"]["labels"].erase(std::string(kManagedByLabel));
    copied["metadata"]["name"] = "copied-with-its-labels";
    for (const Json& one : {policy_of(client, "orders", "shop"), policy_of(client, "orders", "other"), handed_over,
                            without_owner, persons, copied})
      ASSERT_TRUE(client.create(kube::kNetworkPolicies, one)) << one;
    const std::vector<std::string> namespaces =
        everywhere ? std::vector<std::string>{} : std::vector<std::string>{"shop"};
    for (const char* verb : {"list", "delete"}) {
      api.inject(*sandbox::parse_fault(
          {{"match", {{"verb", verb}, {"resource", "networkpolicies"}, {"times", 20}}}, {"do", {{"status", 500}}}}));
      EXPECT_FALSE(remove_network_policies(client, namespaces, {})) << verb;
      api.clear_faults();
    }
    EXPECT_TRUE(remove_network_policies(client, namespaces, {}));
    std::set<std::string> left;
    ASSERT_TRUE(client.list(kube::kNetworkPolicies, "", {}, [&](Json&& one) {
      left.insert(text_of(one["metadata"], "namespace") + "/" + text_of(one["metadata"], "name"));
    }));
    std::set<std::string> expected = {"shop/yours-worker", "shop/lone-worker", "shop/theirs-worker",
                                      "shop/copied-with-its-labels"};
    if (!everywhere) expected.insert("other/orders-worker");
    EXPECT_EQ(left, expected);
  }
}

}  // namespace
}  // namespace twinspan::controllers
