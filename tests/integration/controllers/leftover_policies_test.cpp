#include "controllers/link/leftover_policies.hpp"

#include <gtest/gtest.h>

#include "controllers/cluster/names.hpp"
#include "controllers/link/render.hpp"
#include "sandbox/api/server.hpp"

namespace twinspan::controllers {
namespace {

Json policy_of(const std::string& link, const std::string& ns) {
  api::ReplicationLink owner;
  owner.metadata.name = link;
  owner.metadata.ns = ns;
  owner.metadata.uid = link + "-uid";
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
    kube::Client client(api.config());
    for (const char* ns : {"shop", "other"})
      ASSERT_TRUE(client.create(kube::kNamespaces,
                                {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", ns}}}}));
    Json handed_over = policy_of("yours", "shop"), without_owner = policy_of("lone", "shop"),
         persons = policy_of("theirs", "shop");
    handed_over["metadata"]["annotations"][std::string(kHandOverAnnotation)] = "yours";
    without_owner["metadata"].erase("ownerReferences");
    persons["metadata"]["labels"].erase(std::string(kManagedByLabel));
    for (const Json& one :
         {policy_of("orders", "shop"), policy_of("orders", "other"), handed_over, without_owner, persons})
      ASSERT_TRUE(client.create(kube::kNetworkPolicies, one)) << one;
    remove_network_policies(client, everywhere ? std::vector<std::string>{} : std::vector<std::string>{"shop"}, {});
    std::set<std::string> left;
    ASSERT_TRUE(client.list(kube::kNetworkPolicies, "", {}, [&](Json&& one) {
      left.insert(text_of(one["metadata"], "namespace") + "/" + text_of(one["metadata"], "name"));
    }));
    std::set<std::string> expected = {"shop/yours-worker", "shop/lone-worker", "shop/theirs-worker"};
    if (!everywhere) expected.insert("other/orders-worker");
    EXPECT_EQ(left, expected);
  }
}

}  // namespace
}  // namespace twinspan::controllers
