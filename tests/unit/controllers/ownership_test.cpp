#include "controllers/cluster/ownership.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "link_world.hpp"

namespace twinspan::controllers::testing {
namespace {

const Claimant kLink{"orders", "orders", "link-uid"};

Json owner(const char* group, const char* kind, const char* name, const char* uid, bool controls = true) {
  return {{"apiVersion", group}, {"kind", kind}, {"name", name}, {"uid", uid}, {"controller", controls}};
}

// Every combination of what an object can say of itself, for each kind: the kind makes no difference to whose it is.
TEST(Ownership, IsJudgedByLabelOwnerAndHandOverAlikeForEveryKind) {
  const std::vector<Json> owners{{},
                                 owner("twinspan.dev/v1alpha1", "ReplicationLink", "orders", "link-uid"),
                                 owner("twinspan.dev/v1alpha1", "ReplicationLink", "orders", "earlier-uid"),
                                 owner("external-secrets.io/v1", "ExternalSecret", "shop", "e"),
                                 owner("apps/v1", "StatefulSet", "orders-s3", "s"),
                                 owner("v1", "ConfigMap", "mere-owner", "c", false)};
  for (const char* kind : {"Service", "ConfigMap", "Secret", "PersistentVolumeClaim", "Lease", "Pod", "StatefulSet",
                           "ServiceAccount", "Role", "RoleBinding", "PodDisruptionBudget"})
    for (const char* managed_by : {"", "twinspan", "Helm"})
      for (const char* link : {"", "orders", "other"})
        for (const Json& reference : owners)
          for (const char* made_for : {"", "link-uid", "earlier-uid"})
            for (const char* handed_to : {"", "orders", "other"}) {
              Json object = {{"kind", kind}, {"metadata", {{"name", "x"}}}};
              Json& meta = object["metadata"];
              if (*managed_by) meta["labels"][std::string(kManagedByLabel)] = managed_by;
              if (*link) meta["labels"][std::string(kLinkLabel)] = link;
              if (!reference.is_null()) meta["ownerReferences"] = Json::array({reference});
              if (*made_for) meta["annotations"][std::string(kLinkUidAnnotation)] = made_for;
              if (*handed_to) meta["annotations"][std::string(kHandOverAnnotation)] = handed_to;
              const Whose its = whose(marks_of(object), kLink);

              const bool handed = handed_to == std::string("orders");
              const bool labelled = managed_by == std::string("twinspan") && link == std::string("orders");
              const bool others = &reference == &owners[3];
              const std::string uid = &reference == &owners[1]   ? "link-uid"
                                      : &reference == &owners[2] ? "earlier-uid"
                                                                 : made_for;
              const Whose expected = handed                ? Whose::kHandedOver
                                     : !labelled || others ? Whose::kForeign
                                     : uid == "link-uid"   ? Whose::kOurs
                                                           : Whose::kPredecessors;
              EXPECT_EQ(its, expected) << object.dump();
              EXPECT_EQ(may_be_deleted(its), expected == Whose::kOurs || expected == Whose::kPredecessors);
              const bool runs = kind == std::string("Pod") || kind == std::string("StatefulSet");
              EXPECT_EQ(may_be_written(its, kind), expected != Whose::kForeign && !(handed && runs));
            }
}

TEST(Ownership, APolicyClaimsByItsOwnNameTheObjectsOfItsLink) {
  api::FailoverPolicy policy;
  policy.metadata.name = "orders-policy";
  policy.metadata.uid = "policy-uid";
  policy.spec.link_ref.name = "orders";
  Marks marks;
  marks.managed = true;
  marks.link = "orders";
  marks.owner = "policy-uid";
  EXPECT_EQ(whose(marks, claimant(policy)), Whose::kOurs);
  marks = {};
  marks.handed_to = "orders-policy";
  EXPECT_EQ(whose(marks, claimant(policy)), Whose::kHandedOver);
  marks.handed_to = "orders";
  EXPECT_EQ(whose(marks, claimant(policy)), Whose::kForeign);
}

TEST(Ownership, WhatIsHandedOverKeepsItsManagerAndGetsNoOwner) {
  const World world;
  const Json wanted = render_budget(*world.link);
  const Json written = as_may_be_written(wanted, Whose::kHandedOver);
  EXPECT_FALSE(written["metadata"].contains("ownerReferences"));
  EXPECT_FALSE(written["metadata"]["labels"].contains(std::string(kManagedByLabel)));
  EXPECT_EQ(written["metadata"]["labels"][std::string(kLinkLabel)], "orders");
  EXPECT_EQ(as_may_be_written(wanted, Whose::kOurs), wanted);
  const Json taken = takeover_patch(wanted, Whose::kHandedOver, "9")["metadata"];
  EXPECT_FALSE(taken.contains("ownerReferences"));
  EXPECT_EQ(taken["resourceVersion"], "9");
  // As the API server has it then, under somebody's label, it still counts as unchanged.
  Json live = written;
  live["metadata"]["labels"][std::string(kManagedByLabel)] = "Helm";
  EXPECT_FALSE(decode_owned(live)->hash.empty());
}

TEST(Ownership, TheMessageSaysWhatWhyAndWhatNext) {
  const std::string message =
      foreign_message({{"Service", "orders-rw"}, {"Pod", "orders-west-0"}}, "shop", "orders", "it in this policy");
  EXPECT_NE(message.find("Service orders-rw is not Twinspan's and stays as it is"), std::string::npos);
  EXPECT_NE(message.find("kubectl -n shop annotate service orders-rw twinspan.dev/hand-over=orders"),
            std::string::npos);
  EXPECT_EQ(message.find("annotate pod"), std::string::npos) << "what runs is not handed over";
}

}  // namespace
}  // namespace twinspan::controllers::testing
