// The verdict of each kind of request, by enumeration: who may delete what, what is let through though it is wrong,
// what is warned of, and what is filled in.
#include "webhooks/judge.hpp"

#include <gtest/gtest.h>

#include <functional>

#include "controllers/cluster/names.hpp"
#include "manifest_review.hpp"
#include "tests/places.hpp"

namespace twinspan::webhooks {
namespace {

using Edit = std::function<void(Json&)>;

const Json& manifest(const std::string& file, const std::string& kind) {
  static std::map<std::string, std::vector<Json>> read;
  auto [found, first] = read.try_emplace(file);
  if (first) found->second = test::read_manifests(test::in_source("/examples/") + file);
  for (const Json& one : found->second)
    if (one["kind"] == kind) return one;
  throw std::runtime_error(file + " has no " + kind);
}
Json link(const Edit& edit = {}, const std::string& file = "postgres.yaml") {
  Json out = manifest(file, "ReplicationLink");
  out["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z";
  if (edit) edit(out);
  return out;
}
Json policy(const Edit& edit = {}, const std::string& file = "postgres.yaml") {
  Json out = manifest(file, "FailoverPolicy");
  out["metadata"]["creationTimestamp"] = "2026-01-01T00:00:00Z";
  if (edit) edit(out);
  return out;
}
api::ReplicationLink parsed(const Json& json) { return *api::parse_replication_link(json); }

// Two fields that no schema can hold together.
void spoil(Json& json) { json["spec"]["targets"][0]["name"] = "east"; }
void annotate(Json& json, const std::string& value) {
  json["metadata"]["annotations"][std::string(controllers::kProtectedAnnotation)] = value;
}
bool mentions(const std::vector<std::string>& warnings, const std::string& start) {
  return std::any_of(warnings.begin(), warnings.end(), [&](const auto& one) { return one.starts_with(start); });
}

// A protected link is deleted by nobody but by those who empty a namespace or follow an owner.
TEST(JudgeDeletion, OfALinkIsForbiddenToPeopleWhileItIsProtected) {
  const struct {
    const char* user;
    bool sweeps;
  } users[] = {{"jo", false},
               {"system:admin", false},
               {"system:serviceaccount:flux-system:kustomize-controller", false},
               {"system:serviceaccount:shop:namespace-controller", false},
               {"system:kube-scheduler", false},
               {"system:kube-controller-manager", true},
               {"system:serviceaccount:kube-system:namespace-controller", true},
               {"system:serviceaccount:kube-system:generic-garbage-collector", true}};
  for (const auto& [user, sweeps] : users)
    for (const char* value : {"", "false", "yes", "true"}) {
      SCOPED_TRACE(std::string(user) + " " + value);
      Review review = review_of(nullptr, link([&](Json& one) { annotate(one, value); }));
      review.user = user;
      const Verdict verdict = judge_link(review, {});
      EXPECT_EQ(!verdict.errors.empty(), value == std::string("true") && !sweeps);
      EXPECT_EQ(verdict.forbidden, !verdict.errors.empty());
    }
}

TEST(JudgeDeletion, OfALinkWarnsOfWhatGoesWithIt) {
  EXPECT_TRUE(judge_link(review_of(nullptr, link()), {}).warnings.empty());
  const Verdict data =
      judge_link(review_of(nullptr, link([](Json& one) { one["spec"]["deletionPolicy"] = "Delete"; })), {});
  EXPECT_TRUE(mentions(data.warnings, "spec.deletionPolicy is Delete"));
  const Verdict named = judge_link(review_of(nullptr, link()), {{}, {}, {*api::parse_failover_policy(policy())}});
  EXPECT_TRUE(mentions(named.warnings, "FailoverPolicy orders names this link"));
  EXPECT_TRUE(named.errors.empty());
}

TEST(JudgeDeletion, OfAPolicyIsNobodysBusiness) {
  EXPECT_TRUE(judge_policy(review_of(nullptr, policy()), {}).errors.empty());
}

// What is wrong already can be labelled and lose its finalizers: else it could not even be deleted.
TEST(JudgeUpdate, LetsThroughWhatChangesNothingThatMatters) {
  const Json wrong = link(spoil);
  EXPECT_FALSE(judge_link(review_of(wrong), {}).errors.empty());
  Json labelled = wrong;
  labelled["metadata"]["labels"] = {{"team", "a"}};
  EXPECT_TRUE(judge_link(review_of(labelled, wrong), {}).errors.empty());
  Json going = wrong;
  going["metadata"]["deletionTimestamp"] = "2026-01-02T00:00:00Z";
  EXPECT_TRUE(judge_link(review_of(going, link()), {}).errors.empty());
  EXPECT_FALSE(judge_link(review_of(wrong, link()), {}).errors.empty());
  EXPECT_TRUE(judge_link(review_of(link(), wrong), {}).errors.empty()) << "and can be put right";
}

// Compared with what is in force: a change that was never accepted binds nobody, and can be taken back.
TEST(JudgeUpdate, ComparesWithTheSpecInForce) {
  const auto with = [](const std::string& database) {
    return link([&](Json& one) { one["spec"]["postgres"]["database"] = database; });
  };
  Json refused = with("typo");
  refused["status"]["accepted"] = {{"generation", 1}, {"spec", with("shop")["spec"]}};
  EXPECT_TRUE(judge_link(review_of(with("shop"), refused), {}).errors.empty()) << "taken back";
  EXPECT_FALSE(judge_link(review_of(with("other"), refused), {}).errors.empty());
  EXPECT_FALSE(judge_link(review_of(with("other"), with("shop")), {}).errors.empty());
}

TEST(JudgePolicy, WithoutItsLinkIsWarnedOf) {
  const Verdict alone = judge_policy(review_of(policy()), {});
  EXPECT_TRUE(alone.errors.empty()) << api::to_string(alone.errors);
  EXPECT_TRUE(mentions(alone.warnings, "spec.linkRef.name: "));
  const Verdict with = judge_policy(review_of(policy()), {parsed(link()), {}});
  EXPECT_TRUE(with.errors.empty());
  EXPECT_TRUE(with.warnings.empty());
}

// Of two policies at odds the one that comes to it is refused, whatever their age.
TEST(JudgePolicy, NobodyComesToBeAtOddsWithARival) {
  const auto named = [](const std::string& name, const std::string& service, const std::string& since) {
    return policy([&](Json& one) {
      one["metadata"]["name"] = name;
      one["metadata"]["creationTimestamp"] = since;
      one["spec"]["linkRef"]["name"] = name;
      one["spec"]["services"] = Json::array({{{"name", service}, {"selects", "Primary"}}});
    });
  };
  const Json young = named("young", "one", "2026-01-03T00:00:00Z");
  for (const char* since : {"2026-01-01T00:00:00Z", "2026-01-05T00:00:00Z"}) {
    SCOPED_TRACE(since);
    const Json before = named("other", "two", since), after = named("other", "one", since);
    const BesidePolicy beside{std::nullopt, {*api::parse_failover_policy(young)}};
    EXPECT_FALSE(judge_policy(review_of(after), beside).errors.empty());
    EXPECT_FALSE(judge_policy(review_of(after, before), beside).errors.empty());
    EXPECT_TRUE(judge_policy(review_of(before, after), beside).errors.empty()) << "the way out";
  }
}

struct Unwise {
  const char* what;
  Edit edit;
  const char* warning;  // its start
  const char* file = "postgres.yaml";
};

TEST(JudgeWarnings, NameWhatIsAllowedAndUnwise) {
  const Unwise rows[] = {
      {"everything ephemeral", {}, "spec: every endpoint is ephemeral"},
      {"Sync waits for all", [](Json& one) { one["spec"]["postgres"]["durability"]["replicas"] = 2; },
       "spec.postgres.durability: Sync waits for every replica"},
      {"Sync with one", [](Json& one) { one["spec"]["targets"].erase(1); },
       "spec.postgres.durability: Sync waits for the only replica"},
      {"a chained replica confirms nothing", [](Json& one) { one["spec"]["targets"][1]["from"] = "west"; },
       "spec.postgres.durability: Sync waits for the only replica"},
      {"a volume for little more than the log",
       [](Json& one) {
         one["spec"]["source"]["postgres"]["managed"]["storage"] = {{"size", "1900Mi"}};
       },
       "spec.source.postgres.managed.storage.size: 1900Mi is less than twice max_wal_size (1GB)"},
      {"a longer log",
       [](Json& one) {
         Json& managed = one["spec"]["targets"][0]["postgres"]["managed"];
         managed["storage"] = {{"size", "10Gi"}};
         managed["parameters"]["max_wal_size"] = "6GB";
       },
       "spec.targets[0].postgres.managed.storage.size: 10Gi"},
      {"everything ephemeral, by the link's word",
       [](Json& one) {
         one["spec"]["postgres"]["managed"]["storage"]["ephemeral"] = true;
         one["spec"]["source"].erase("postgres");
         for (Json& target : one["spec"]["targets"]) target.erase("postgres");
       },
       "spec: every endpoint is ephemeral"},
      {"data go with the link", [](Json& one) { one["spec"]["deletionPolicy"] = "Delete"; },
       "spec.deletionPolicy: Delete"},
      {"a superuser",
       [](Json& one) {
         one["spec"]["postgres"]["roles"] = Json::array({{{"name", "dba"}, {"login", true}, {"superuser", true}}});
       },
       "spec.postgres.roles[0].superuser: "},
      {"who may become one",
       [](Json& one) {
         one["spec"]["postgres"]["roles"] = Json::array({{{"name", "hr"}, {"createrole", true}}});
       },
       "spec.postgres.roles[0].createrole: "},
      {"who may read files",
       [](Json& one) {
         one["spec"]["postgres"]["roles"] = Json::array({{{"name", "etl"}, {"inRoles", {"pg_read_server_files"}}}});
       },
       "spec.postgres.roles[0].inRoles \"pg_read_server_files\": "},
      {"who may stream",
       [](Json& one) {
         one["spec"]["postgres"]["roles"] = Json::array({{{"name", "cdc"}, {"replication", true}}});
       },
       "spec.postgres.roles[0].replication: "},
      {"objects in the clear", [](Json& one) { one["spec"]["source"]["s3"]["endpoint"] = "http://minio.shop:9000"; },
       "spec.source.s3.endpoint: http://minio.shop:9000 is without TLS", "s3.yaml"},
  };
  for (const Unwise& row : rows) {
    SCOPED_TRACE(row.what);
    const Verdict verdict = judge_link(review_of(link(row.edit, row.file)), {});
    EXPECT_TRUE(verdict.errors.empty()) << api::to_string(verdict.errors);
    EXPECT_TRUE(mentions(verdict.warnings, row.warning)) << ::testing::PrintToString(verdict.warnings);
  }
  const Verdict wise = judge_link(review_of(link({}, "postgres-volumes.yaml")), {});
  EXPECT_TRUE(wise.errors.empty() && wise.warnings.empty()) << ::testing::PrintToString(wise.warnings);
}

TEST(JudgeWarnings, OfWhatAllEndpointsTakeFromTheLinkComeOnce) {
  const auto verdict = judge_link(review_of(link(
                                      [](Json& one) {
                                        one["spec"]["postgres"]["managed"]["storage"]["size"] = "1Gi";
                                        one["spec"]["source"].erase("postgres");
                                        for (Json& target : one["spec"]["targets"]) target.erase("postgres");
                                      },
                                      "postgres-volumes.yaml")),
                                  {});
  EXPECT_TRUE(verdict.errors.empty()) << api::to_string(verdict.errors);
  ASSERT_EQ(verdict.warnings.size(), 1U) << ::testing::PrintToString(verdict.warnings);
  EXPECT_TRUE(verdict.warnings[0].starts_with("spec.postgres.managed.storage.size: 1Gi is less"));
}

TEST(JudgeWarnings, OfWhatIsNoLongerDeclared) {
  const Json with = link(
                 [](Json&one) {
                   one["spec"]["postgres"]["roles"] = Json::array({{{"name", "reports"}}});
                 },
                 "postgres-volumes.yaml"),
             without = link({}, "postgres-volumes.yaml");
  EXPECT_TRUE(mentions(judge_link(review_of(without, with), {}).warnings, "spec.postgres.roles: role reports is no"));
  EXPECT_TRUE(judge_link(review_of(with, without), {}).warnings.empty());
}

TEST(JudgeWarnings, OfPolicies) {
  const auto async = parsed(link([](Json& one) { one["spec"]["postgres"]["durability"] = {{"mode", "Async"}}; }));
  const Json strict = policy([](Json& one) { one["spec"]["candidates"]["maxLagBytes"] = 0; });
  EXPECT_TRUE(mentions(judge_policy(review_of(strict), {async, {}}).warnings, "spec.candidates.maxLagBytes: 0"));
  const Json manual = policy([](Json& one) { one["spec"]["mode"] = "Manual"; });
  EXPECT_TRUE(judge_policy(review_of(manual), {async, {}}).warnings.empty());
  const Json lossy = policy([](Json& one) { one["spec"]["candidates"]["maxLagBytes"] = 1048576; });
  EXPECT_TRUE(judge_policy(review_of(lossy), {async, {}}).warnings.empty());
  const Json silent = policy([](Json& one) { one["spec"].erase("services"); });
  EXPECT_TRUE(mentions(judge_policy(review_of(silent), {parsed(link()), {}}).warnings, "spec.services: empty"));
}

// A link's change that leaves its policy behind: said, and not refused, for both may come in one commit.
TEST(JudgeWarnings, OfAPolicyThatNoLongerFits) {
  const auto wants = *api::parse_failover_policy(
      policy([](Json& one) { one["spec"]["candidates"]["prefer"] = Json::array({"west-2"}); }));
  const Json after = link([](Json& one) { one["spec"]["targets"].erase(1); });
  const Verdict verdict = judge_link(review_of(after, link()), {{}, {}, {wants}});
  EXPECT_TRUE(verdict.errors.empty());
  EXPECT_TRUE(mentions(verdict.warnings, "FailoverPolicy orders does not fit: spec.candidates.prefer[0]"));
}

TEST(Defaults, FillInOnlyWhatIsLeftOut) {
  const Json said = link([](Json& one) { one["spec"]["lagThreshold"] = {{"seconds", 7}}; });
  const Json empty = link([](Json& one) { one["spec"]["lagThreshold"] = Json::object(); });
  EXPECT_EQ(defaults_of(review_of(said)), Json::array());
  EXPECT_EQ(defaults_of(review_of(nullptr, link())), Json::array());
  EXPECT_EQ(defaults_of(review_of(link(), link())), Json::array()) << "not on a label's occasion";
  EXPECT_EQ(defaults_of(review_of(policy())), Json::array());
  const Json of_postgres = api::lag_threshold_seconds(parsed(link()).spec);
  EXPECT_EQ(defaults_of(review_of(link())),
            Json::array({{{"op", "add"}, {"path", "/spec/lagThreshold"}, {"value", {{"seconds", of_postgres}}}}}));
  EXPECT_EQ(defaults_of(review_of(empty)),
            Json::array({{{"op", "add"}, {"path", "/spec/lagThreshold/seconds"}, {"value", of_postgres}}}));
  const Json unreadable = link([](Json& one) { one["spec"]["engine"] = 5; });
  EXPECT_EQ(defaults_of(review_of(unreadable)), Json::array());
}

}  // namespace
}  // namespace twinspan::webhooks
