// A link's objects in the cluster go and come back, as GitOps, a move or a restore makes them: the buckets remember.
#include "workers_world.hpp"

namespace twinspan::sandbox {
namespace {

class AppliedAgain : public WorkersTest {
 protected:
  void apply_policy(const std::string& desired = "") {
    Json policy{{"apiVersion", "twinspan.dev/v1alpha1"},
                {"kind", "FailoverPolicy"},
                {"metadata", {{"name", link_.name}, {"namespace", link_.ns}}}};
    policy["spec"] = {{"linkRef", {{"name", link_.name}}},
                      {"triggers", {{"unreachableSeconds", 3}, {"consecutiveFailures", 3}}},
                      {"configMaps", Json::array({{{"name", "where"}}})}};
    if (!desired.empty()) policy["spec"]["desiredPrimary"] = desired;
    apply(kube::kFailoverPolicies, policy);
  }
  std::string primary() {
    const auto map = cluster_->client().get(kube::kConfigMaps, {link_.ns, "where"});
    return map ? text_of(member_of(*map, "data"), "primary") : "";
  }
  bool ready() {
    const Json seen = status();
    for (const Json& one : member_of(seen, "conditions"))
      if (text_of(one, "type") == "Ready") return text_of(one, "status") == "True";
    return false;
  }
  void fail_over_to_nyc() {
    for (int i = 0; i < 5; ++i) sgp_.add(kSource, fmt::format("k{}", i), "v1");
    apply_link(1, kDeletes);
    apply_policy();
    ASSERT_TRUE(eventually([&] { return ready() && primary() == "sgp" && nyc_.body(kTarget, "k4") == "v1"; }));
    ASSERT_TRUE(eventually([&] { return possible(); })) << "a switchover is refused before a full sync";
    apply_policy("nyc");
    ASSERT_TRUE(eventually([&] { return primary() == "nyc"; })) << primary();
  }
  bool possible() {
    const auto policy = cluster_->client().get(kube::kFailoverPolicies, link_);
    return policy && text_of(member_of(*policy, "status"), "possible") == "True";
  }
  void prune() {
    for (const auto& kind : {kube::kReplicationLinks, kube::kFailoverPolicies})
      ASSERT_TRUE(cluster_->client().remove(kind, link_, {}));
    ASSERT_TRUE(eventually([&] { return !cluster_->client().get(kube::kReplicationLinks, link_); }));
  }
  const Json kDeletes{{"deletes", {{"mode", "Replicate"}}}};
};

TEST_F(AppliedAgain, AfterAFailoverAndWhatClientsWroteSinceStays) {
  fail_over_to_nyc();
  prune();
  nyc_.add(kTarget, "k1", "v2");
  nyc_.add(kTarget, "new", "new");
  apply_link(1, kDeletes);
  apply_policy();
  ASSERT_TRUE(eventually([&] { return sgp_.body(kSource, "new") == "new" && sgp_.body(kSource, "k1") == "v2"; }))
      << status().dump(1);
  EXPECT_EQ(nyc_.body(kTarget, "k1"), "v2");
  EXPECT_EQ(nyc_.body(kTarget, "new"), "new");
  ASSERT_TRUE(eventually([&] { return text_of(status(), "primary") == "nyc"; })) << "the new object knows it too";
  EXPECT_GE(integer_of(member_of(status(), "assignment"), "epoch"), 4);
  ASSERT_TRUE(eventually([&] { return primary() == "nyc"; })) << "clients are sent where they were";
}

// As a backup of the cluster that is older than the failover brings it back.
TEST_F(AppliedAgain, WithAnOlderStatusTheBucketsKnowBetter) {
  fail_over_to_nyc();
  nyc_.add(kTarget, "new", "new");
  const Json old{
      {"status", {{"assignment", {{"epoch", 1}, {"primary", "sgp"}, {"previous", ""}, {"cause", "Initial"}}}}}};
  ASSERT_TRUE(cluster_->client().merge_patch(kube::kReplicationLinks, link_, old, kube::Subresource::kStatus));
  ASSERT_TRUE(eventually([&] { return integer_of(member_of(status(), "assignment"), "epoch") >= 4; }));
  EXPECT_EQ(text_of(member_of(status(), "assignment"), "primary"), "nyc");
  ASSERT_TRUE(eventually([&] { return sgp_.body(kSource, "new") == "new" && primary() == "nyc"; }));
  EXPECT_EQ(nyc_.body(kTarget, "new"), "new");
}

// Both buckets say that they were primary of one epoch: nothing moves until a person has said which.
TEST_F(AppliedAgain, UponRecordsThatContradictEachOtherWaitsForTheWordOfAPerson) {
  const auto record = [&](const char* here) {
    Json json{{"namespace", link_.ns}, {"link", link_.name}, {"uid", "former"}, {"here", here}, {"epoch", 7},
              {"primary", here},       {"source", "sgp"},    {"since", ""}};
    json["endpoints"] = Json::array({{{"name", "sgp"}}, {{"name", "nyc"}}});
    return json.dump();
  };
  const std::string key = fmt::format(".twinspan/primary/{}/{}.json", link_.ns, link_.name);
  sgp_.add(kSource, key, record("sgp"));
  nyc_.add(kTarget, key, record("nyc"));
  sgp_.add(kSource, "k", "of sgp");
  nyc_.add(kTarget, "k", "of nyc");
  apply_link(1, kDeletes);
  apply_policy();
  const auto stalled = [&] {
    const Json seen = status();
    for (const Json& one : member_of(seen, "conditions"))
      if (text_of(one, "type") == "Stalled") return text_of(one, "reason") + " " + text_of(one, "message");
    return std::string();
  };
  ASSERT_TRUE(eventually([&] { return stalled().starts_with("RecordsContradict"); })) << stalled();
  EXPECT_NE(stalled().find("twinspan.dev/promote="), std::string::npos) << stalled();
  EXPECT_FALSE(ready());
  EXPECT_EQ(sgp_.body(kSource, "k"), "of sgp");
  EXPECT_EQ(nyc_.body(kTarget, "k"), "of nyc");
  const Json word{{"metadata", {{"annotations", {{"twinspan.dev/promote", "nyc@8"}}}}}};
  ASSERT_TRUE(cluster_->client().merge_patch(kube::kReplicationLinks, link_, word));
  ASSERT_TRUE(eventually([&] { return primary() == "nyc"; }));
  ASSERT_TRUE(eventually([&] { return sgp_.body(kSource, "k") == nyc_.body(kTarget, "k"); }));
}

// Clients learn of a switchover by a file that kubelet brings within a minute or so.
TEST_F(AppliedAgain, WhatClientsWriteToTheOldPrimaryAfterASwitchoverIsBroughtAlong) {
  fail_over_to_nyc();
  const auto settled = [&] {
    const Json seen = status();
    for (const Json& row : member_of(seen, "endpoints"))
      if (text_of(row, "name") == "sgp" && text_of(row, "message").starts_with("until ")) return true;
    return false;
  };
  ASSERT_TRUE(eventually(settled)) << status().dump(1);  // one clean sync is over
  sgp_.add(kSource, "late", "late");
  ASSERT_TRUE(eventually([&] { return nyc_.body(kTarget, "late") == "late"; }));
  s3::ClientConfig config;
  config.endpoint = nyc_.endpoint();
  config.bucket = kTarget;
  s3::Client client(config, std::make_shared<s3::StaticCredentials>(s3::Credentials{"test", "test-secret"}), clock_);
  ASSERT_TRUE(client.remove("k0", {}));
  sgp_.add(kSource, "later", "later");
  ASSERT_TRUE(eventually([&] { return nyc_.body(kTarget, "later") == "later"; }));
  wait_for(std::chrono::seconds(5), {});  // two more listings
  EXPECT_FALSE(nyc_.body(kTarget, "k0")) << "what is deleted at the new primary does not come back";
}

// What was in the target before the link came is nobody's copy.
TEST_F(AppliedAgain, DeletesTakeNothingThatWasThereBeforeTheLink) {
  for (int i = 0; i < 3; ++i) sgp_.add(kSource, fmt::format("k{}", i), "v");
  nyc_.add(kTarget, "theirs", "precious");
  wait_for(std::chrono::milliseconds(1100), {});  // dates are told to the second
  apply_link(1, kDeletes);
  ASSERT_TRUE(eventually([&] { return nyc_.body(kTarget, "k2") == "v"; }));
  s3::ClientConfig config;
  config.endpoint = sgp_.endpoint();
  config.bucket = kSource;
  s3::Client client(config, std::make_shared<s3::StaticCredentials>(s3::Credentials{"test", "test-secret"}), clock_);
  ASSERT_TRUE(client.remove("k1", {}));
  ASSERT_TRUE(eventually([&] { return !nyc_.body(kTarget, "k1"); })) << "a copy goes with its original";
  EXPECT_EQ(nyc_.body(kTarget, "theirs"), "precious");
}

}  // namespace
}  // namespace twinspan::sandbox
