// What is refused is carried out by nobody, and what was accepted before goes on.
#include <gtest/gtest.h>

#include "api/accepted.hpp"
#include "api/conditions.hpp"
#include "controllers/link/link_status.hpp"
#include "controllers/postgres/postgres_plan.hpp"
#include "controllers/postgres/postgres_status.hpp"
#include "core/json.hpp"
#include "link_world.hpp"

namespace twinspan::controllers::testing {
namespace {

// link_json() as it was accepted in generation 3, and edited since.
template <class Edit>
Json edited(Edit edit) {
  Json json = link_json();
  json["status"]["accepted"] = api::to_json(api::accept(api::parse_link_spec(json["spec"]).value(), 3));
  json["metadata"]["generation"] = 4;
  edit(json["spec"]);
  return json;
}

Json refused() {
  return edited([](Json& spec) {
    spec["source"]["postgres"]["managed"]["parameters"]["max_connections"] = "300";  // on one endpoint only
  });
}

api::LinkStatus status_of(const World& world) {
  const LinkSeen seen = world.seen();
  return next_status(seen, plan_link(seen, render_config()));
}

const api::Condition& condition(const api::LinkStatus& status, const char* type) {
  const api::Condition* found = api::find_condition(status.conditions, type);
  if (!found) throw std::out_of_range(type);
  return *found;
}

TEST(AcceptedSpec, ARefusedEditLeavesWhatWasAcceptedInForce) {
  World world(refused());
  ASSERT_TRUE(world.link->invalid);
  EXPECT_TRUE(world.link->actionable);
  EXPECT_TRUE(world.link->spec.source.postgres->managed->parameters.empty());
  EXPECT_EQ(lines(world.plan()), Lines{}) << "nothing of the refused edit is carried out";
  world["west"].pod.reset();
  EXPECT_EQ(lines(world.plan()), Lines{"Create Pod orders-west-0"}) << "and what is in force is kept up";
}

TEST(AcceptedSpec, EveryStatusTellsTheTruthWhileAnEditIsRefused) {
  World world(refused());
  world.report("west").state = MemberState::kDisconnected;
  world.report("west").lag_seconds = 9;
  const api::LinkStatus status = status_of(world);
  EXPECT_EQ(condition(status, "Ready").reason, "InvalidSpec");
  EXPECT_EQ(condition(status, "Stalled").reason, "InvalidSpec");
  EXPECT_NE(condition(status, "Ready").message.find("parameters[max_connections]"), std::string::npos);
  EXPECT_NE(condition(status, "Ready").message.find("generation 3 stays in force"), std::string::npos);
  EXPECT_EQ(condition(status, "LagWithinThreshold").reason, "LagOverThreshold");
  EXPECT_EQ(condition(status, "DurabilityMet").reason, "Async");
  EXPECT_EQ(status.replicas, "1/2");
  EXPECT_EQ(status.observed_generation, 4);
  ASSERT_TRUE(status.accepted);
  EXPECT_EQ(status.accepted->generation, 3);
  EXPECT_FALSE(status_patch(*world.link, status)["status"].contains("accepted"));
}

TEST(AcceptedSpec, ARightEditIsAcceptedWithNothingLeftOfTheOldOne) {
  Json json = link_json();
  json["spec"]["lagThreshold"]["bytes"] = 1000;
  json["status"]["accepted"] = api::to_json(api::accept(api::parse_link_spec(json["spec"]).value(), 3));
  json["metadata"]["generation"] = 4;
  json["spec"]["lagThreshold"] = {{"seconds", 7}};
  const World world(json);
  ASSERT_TRUE(world.link->wanted);
  EXPECT_FALSE(world.link->spec.lag_threshold.seconds) << "not in force before it is accepted";
  const api::LinkStatus status = status_of(world);
  ASSERT_TRUE(status.accepted);
  EXPECT_EQ(status.accepted->generation, 4);
  EXPECT_EQ(urgency_of(world.link->status, status), Urgency::kNow);
  // What the API server makes of the patch is the newest spec, and that is in force from then on.
  Json after = json;
  after["status"].merge_patch(status_patch(*world.link, status)["status"]);
  EXPECT_EQ(api::parse_link_spec(after["status"]["accepted"]["spec"]).value(),
            api::parse_link_spec(json["spec"]).value());
  const auto next = decode_link(after);
  EXPECT_FALSE(next->wanted);
  EXPECT_EQ(next->spec.lag_threshold.seconds, 7);
  EXPECT_TRUE(next->status.accepted->spec.is_null()) << "kept once";
}

// Agents obey what was accepted: by an operator that knew fewer fields, or that filled in others, it is not all, and
// the rest is an edit like any other: judged, tried where it has to be, and accepted.
TEST(AcceptedSpec, WhatAnotherVersionAcceptedOfTheNewestIsAcceptedAnew) {
  Json whole = link_json();
  whole["spec"]["lagThreshold"] = {{"bytes", 1000}};
  whole["spec"]["postgres"]["hba"] = Json::array({"hostssl all all all reject"});
  whole["spec"]["postgres"]["metrics"]["queries"] = Json::parse(
      R"([{"name": "carts", "query": "SELECT 1 AS n", "values": [{"column": "n", "type": "Gauge", "help": "Carts."}]}])");
  whole["metadata"]["generation"] = 3;
  const auto decoded = [&](const Json& accepted) {
    Json json = whole;
    json["status"]["accepted"] = {{"generation", 3}, {"spec", accepted}};
    return std::pair(decode_link(json).value(), json);
  };
  const Json right = api::accept(api::parse_link_spec(whole["spec"]).value(), 3).spec;
  {
    const auto [link, json] = decoded(right);
    ASSERT_FALSE(link.invalid) << link.invalid->message;
    EXPECT_EQ(next_accepted(link), link.status.accepted) << "nothing to write";
    EXPECT_TRUE(link.status.accepted->spec.is_null());
  }
  std::vector<Json> others = {Json::object()};  // of which nothing can be read
  for (const char* field : {"/lagThreshold", "/postgres/hba", "/postgres/metrics"}) {
    const Json::json_pointer at(field);
    ASSERT_TRUE(right.contains(at)) << field;
    others.push_back(right);
    others.back().at(at.parent_pointer()).erase(at.back());
  }
  others.push_back(right);
  others.back()["lagThreshold"]["seconds"] = 7;  // nobody asks for it any more
  for (const Json& other : others) {
    const auto [link, json] = decoded(other);
    EXPECT_TRUE(link.actionable);
    EXPECT_FALSE(link.invalid);
    if (const auto before = api::parse_link_spec(other)) {
      EXPECT_EQ(link.spec, *before);
      EXPECT_EQ(link.wanted, api::parse_link_spec(whole["spec"]).value());
    } else {
      EXPECT_EQ(link.spec, api::parse_link_spec(whole["spec"]).value());
    }
    api::LinkStatus status = link.status;
    status.accepted = next_accepted(link);
    Json after = json;
    after["status"].merge_patch(status_patch(link, status)["status"]);
    EXPECT_EQ(api::parse_obeyed_link(after)->spec, api::parse_obeyed_link(decoded(right).second)->spec) << other;
    const auto next = decode_link(after).value();
    EXPECT_EQ(next_accepted(next), next.status.accepted) << "written once";
    EXPECT_TRUE(next.status.accepted->spec.is_null());
  }
}

// As of an object that was restored with a status of before.
TEST(AcceptedSpec, WhatMayNotBeChangedIsNotChangedByAnAcceptanceOfTheSameGeneration) {
  Json json = link_json();
  json["metadata"]["generation"] = 1;
  json["status"]["accepted"] = {{"generation", 1},
                                {"spec", api::accept(api::parse_link_spec(json["spec"]).value(), 1).spec}};
  json["status"]["accepted"]["spec"]["postgres"]["database"] = "another";
  const auto link = decode_link(json).value();
  ASSERT_TRUE(link.invalid);
  EXPECT_NE(link.invalid->message.find("spec.postgres.database"), std::string::npos) << link.invalid->message;
  EXPECT_TRUE(link.actionable);
  EXPECT_EQ(link.spec.postgres.database, "another");
  EXPECT_EQ(next_accepted(link), link.status.accepted);
}

TEST(AcceptedSpec, WhatWasNeverAcceptedIsCarriedOutByNobody) {
  Json json = refused();
  json["status"].erase("accepted");
  const auto link = decode_link(json);
  EXPECT_TRUE(link->invalid);
  EXPECT_FALSE(link->actionable);
  EXPECT_FALSE(next_accepted(*link));
  json["spec"] = 5;
  EXPECT_FALSE(decode_link(json)->actionable);
}

TEST(AcceptedSpec, ASpecThatCanNotBeReadLeavesWhatWasAcceptedInForce) {
  Json json = refused();
  json["spec"]["source"] = 5;
  const auto link = decode_link(json);
  EXPECT_TRUE(link->invalid);
  EXPECT_TRUE(link->actionable);
  EXPECT_EQ(link->spec.source.name, "east");
}

// Kubernetes takes an empty operator for Equal, and an older schema took anything.
TEST(AcceptedSpec, APlacementThatIsRefusedSinceGoesOnAndIsTold) {
  Json json = link_json();
  json["spec"]["source"]["postgres"]["managed"]["tolerations"] = Json::parse(R"([{"key": "db", "operator": ""}])");
  json["metadata"]["generation"] = 3;
  json["status"]["accepted"] = api::to_json(api::accept(api::parse_link_spec(json["spec"]).value(), 3));
  World world(json);
  EXPECT_TRUE(world.link->actionable);
  ASSERT_TRUE(world.link->invalid);
  EXPECT_TRUE(world.link->invalid->message.starts_with("spec.source.postgres.managed.tolerations[0].operator: "))
      << world.link->invalid->message;
  EXPECT_EQ(lines(world.plan()), Lines{}) << "no pod is replaced for it";
  EXPECT_EQ(condition(status_of(world), "Stalled").reason, "InvalidSpec");
  world["west"].pod.reset();
  EXPECT_EQ(lines(world.plan()), Lines{"Create Pod orders-west-0"});
}

TEST(AcceptedSpec, WhatMayNotChangeIsRefusedAlsoWhereNoSchemaDid) {
  const auto link = decode_link(edited([](Json& spec) { spec["postgres"]["database"] = "other"; }));
  ASSERT_TRUE(link->invalid);
  EXPECT_EQ(link->spec.postgres.database, "shop");
}

TEST(AcceptedSpec, AnEditThatIsTakenBackIsAcceptedAsItIs) {
  const World world(edited([](Json&) {}));
  EXPECT_FALSE(world.link->wanted);
  const auto accepted = next_accepted(*world.link);
  EXPECT_EQ(accepted->generation, 4);
}

TEST(AcceptedSpec, WorkersObeyWhatWasAccepted) {
  const auto link = api::parse_obeyed_link(refused());
  ASSERT_TRUE(link) << link.error().message;
  EXPECT_EQ(link->metadata.generation, 3);
  EXPECT_TRUE(link->spec.source.postgres->managed->parameters.empty());
  Json unreadable = refused();
  unreadable["spec"]["engine"] = "Oracle";
  EXPECT_EQ(api::parse_obeyed_link(unreadable)->metadata.generation, 3);
  // A link that an older operator looks after: as it stands.
  Json old = refused();
  old["status"].erase("accepted");
  EXPECT_EQ(api::parse_obeyed_link(old)->metadata.generation, 4);
  EXPECT_TRUE(api::parse_obeyed_link(old)->refused) << "but nobody carries out what is not right";
  old["spec"] = link_json()["spec"];
  EXPECT_FALSE(api::parse_obeyed_link(old)->refused);
  old["spec"]["engine"] = "Oracle";
  EXPECT_FALSE(api::parse_obeyed_link(old));
}

}  // namespace
}  // namespace twinspan::controllers::testing
