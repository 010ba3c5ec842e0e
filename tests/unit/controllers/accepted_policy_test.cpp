// A refused edit of a FailoverPolicy leaves the policy in force as it was.
#include "controllers/policy/accepted_policy.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "api/accepted.hpp"
#include "api/conditions.hpp"
#include "controllers/cluster/kinds.hpp"
#include "controllers/postgres/postgres_gatherer.hpp"
#include "link_world.hpp"

namespace twinspan::controllers::testing {
namespace {

const WallTime kNow{std::chrono::hours(500'000)};

Json policy_json() {
  return Json::parse(R"({
    "apiVersion": "twinspan.dev/v1alpha1", "kind": "FailoverPolicy",
    "metadata": {"name": "orders", "namespace": "shop", "uid": "u", "generation": 3},
    "spec": {"linkRef": {"name": "orders"}, "mode": "Automatic", "services": [{"name": "orders-rw", "selects": "Primary"}],
             "candidates": {"prefer": ["west", "west-2"]}, "desiredPrimary": "west"}})");
}

// As it was accepted in generation 3, and edited since so that it is refused.
api::FailoverPolicy edited() {
  Json json = policy_json();
  json["status"]["accepted"] = api::to_json(api::accept(api::parse_policy_spec(json["spec"]).value(), 3));
  json["metadata"]["generation"] = 4;
  json["spec"]["mode"] = "Manual";
  json["spec"]["desiredPrimary"] = "nowhere";
  return decode_policy(json).value();
}

TEST(AcceptedPolicy, IsInForceWhileAnEditIsRefused) {
  const World world;
  const api::FailoverPolicy policy = edited();
  ASSERT_FALSE(api::validate(policy, world.link.get(), {}).empty());
  const auto in_force = accepted_policy(policy, *world.link, {});
  ASSERT_TRUE(in_force);
  EXPECT_EQ(in_force->spec.mode, api::FailoverMode::kAutomatic);
  EXPECT_EQ(in_force->spec.desired_primary, "west");
  EXPECT_EQ(in_force->metadata.generation, 4);
  EXPECT_EQ(api::spec_in_force(policy)->mode, api::FailoverMode::kAutomatic);
}

TEST(AcceptedPolicy, SaysNothingOfEndpointsThatAreGone) {
  World world;
  world.link->spec.targets.erase(world.link->spec.targets.begin());  // west
  Json json = policy_json();
  json["status"]["accepted"] = api::to_json(api::accept(api::parse_policy_spec(json["spec"]).value(), 3));
  const api::FailoverPolicy policy = decode_policy(json).value();
  EXPECT_TRUE(policy.status.accepted->spec.is_null()) << "kept once";
  ASSERT_FALSE(api::validate(policy, world.link.get(), {}).empty()) << "the link was edited, not the policy";
  const auto in_force = accepted_policy(policy, *world.link, {});
  ASSERT_TRUE(in_force);
  EXPECT_EQ(in_force->spec.desired_primary, "");
  EXPECT_EQ(in_force->spec.candidates.prefer, std::vector<std::string>{"west-2"});
}

TEST(AcceptedPolicy, NeverAcceptedOrAtOddsWithAnotherIsNotInForce) {
  const World world;
  api::FailoverPolicy policy = edited();
  api::FailoverPolicy older = decode_policy(policy_json()).value();
  older.metadata.name = "older";
  policy.metadata.creation_timestamp = "2026-11-21T10:00:00Z";
  older.metadata.creation_timestamp = "2026-11-21T09:00:00Z";
  EXPECT_FALSE(accepted_policy(policy, *world.link, {older}));
  policy.status.accepted.reset();
  EXPECT_FALSE(accepted_policy(policy, *world.link, {}));
  EXPECT_FALSE(api::spec_in_force(policy));
}

TEST(AcceptedPolicy, OnlyReadyAndStalledSpeakOfTheRefusal) {
  const World world;
  api::FailoverPolicy policy = edited();
  const auto in_force = accepted_policy(policy, *world.link, {});
  const std::string refused = refusal_of(policy, api::validate(policy, world.link.get(), {}));
  const auto said = [&](api::PolicyStatus status, WallTime at) {
    api::Condition ready, healthy;
    ready.type = "Ready";
    healthy.type = "PrimaryHealthy";
    ready.status = healthy.status = api::ConditionStatus::kTrue;
    ready.reason = healthy.reason = "Steady";
    api::set_condition(status.conditions, ready, 4, at);
    api::set_condition(status.conditions, healthy, 4, at);
    api::remove_condition(status.conditions, "Stalled");
    judge_newest(policy, refused, at, status);
    return status;
  };
  policy.status = said(policy.status, kNow);
  EXPECT_FALSE(api::is_true(policy.status.conditions, "Ready"));
  EXPECT_TRUE(api::is_true(policy.status.conditions, "Stalled"));
  EXPECT_TRUE(api::is_true(policy.status.conditions, "PrimaryHealthy"));
  const std::string& message = api::find_condition(policy.status.conditions, "Ready")->message;
  EXPECT_NE(message.find("spec.desiredPrimary"), std::string::npos) << message;
  EXPECT_NE(message.find("generation 3 stays in force"), std::string::npos) << message;
  EXPECT_EQ(policy.status.accepted->generation, 3);
  EXPECT_EQ(said(policy.status, kNow + std::chrono::minutes(1)), policy.status) << "nothing to write again";
}

TEST(AcceptedPolicy, ARightEditIsAccepted) {
  api::FailoverPolicy policy = decode_policy(policy_json()).value();
  judge_newest(policy, "", kNow, policy.status);
  ASSERT_TRUE(policy.status.accepted);
  EXPECT_EQ(policy.status.accepted->generation, 3);
  EXPECT_EQ(policy.status.accepted->spec["mode"], "Automatic");
}

TEST(AcceptedPolicy, IsNotReadyWhereKubernetesDidNotTakeAnObject) {
  api::FailoverPolicy policy = decode_policy(policy_json()).value();
  api::PolicyStatus status;
  for (const char* type : {"Ready", "Stalled"}) {
    api::Condition as_said;
    as_said.type = type;
    as_said.status = std::string_view(type) == "Ready" ? api::ConditionStatus::kTrue : api::ConditionStatus::kFalse;
    api::set_condition(status.conditions, as_said, policy.metadata.generation, kNow);
  }
  note_refused(policy, {}, kNow, status);
  EXPECT_TRUE(api::is_true(status.conditions, "Ready"));
  note_refused(policy, {{{"Service", policy.spec.services[0].name}, "exceeded quota"}}, kNow, status);
  for (const char* type : {"Ready", "Stalled"}) {
    const api::Condition& said = *api::find_condition(status.conditions, type);
    EXPECT_EQ(said.reason, "ServiceRefused");
    EXPECT_NE(said.message.find("exceeded quota"), std::string::npos) << said.message;
  }
  EXPECT_FALSE(api::is_true(status.conditions, "Ready"));
  EXPECT_TRUE(api::is_true(status.conditions, "Stalled"));
}

// A later edit that is refused falls back to it: it must be all that was asked for.
TEST(AcceptedPolicy, WhatAnotherVersionAcceptedOfTheNewestIsAcceptedAnew) {
  Json json = policy_json();
  json["spec"]["services"][0]["template"] = {{"type", "LoadBalancer"}};
  json["status"]["accepted"] = api::to_json(api::accept(api::parse_policy_spec(json["spec"]).value(), 3));
  json["status"]["accepted"]["spec"]["services"][0].erase("template");
  api::FailoverPolicy policy = decode_policy(json).value();
  judge_newest(policy, "", kNow, policy.status);
  EXPECT_EQ(policy.status.accepted, api::accept(policy.spec, 3));
  json["status"]["accepted"] = api::to_json(*policy.status.accepted);
  policy = decode_policy(json).value();
  const auto written = policy.status;
  judge_newest(policy, "", kNow, policy.status);
  EXPECT_EQ(policy.status, written) << "once";
}

// The owner's Secret names it: a Service of a refused policy is not there, or another link's.
TEST(AcceptedPolicy, OnlyWhatIsInForceSaysWhereThePrimaryIs) {
  const auto said = [](const Json& json) {
    const auto service = primary_service(decode_policy(json).value());
    return service ? service->name : "";
  };
  Json json = policy_json();
  EXPECT_EQ(said(json), "") << "nothing was accepted";
  const auto accept = [&] { return api::to_json(api::accept(api::parse_policy_spec(json["spec"]).value(), 3)); };
  json["status"]["accepted"] = accept();
  EXPECT_EQ(said(json), "orders-rw");
  json["spec"]["services"][0]["name"] = "another";
  json["metadata"]["generation"] = 4;
  EXPECT_EQ(said(json), "orders-rw") << "an edit that nobody has accepted yet";
  json["status"]["accepted"] = accept();
  json["status"]["accepted"]["generation"] = 4;
  EXPECT_EQ(said(json), "another");
}

}  // namespace
}  // namespace twinspan::controllers::testing
