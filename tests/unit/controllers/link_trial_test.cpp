// A change of what PostgreSQL or its pod is started with is tried by one endpoint, and undone where that doesn't run.
#include <gtest/gtest.h>

#include "api/accepted.hpp"
#include "api/conditions.hpp"
#include "api/endpoints.hpp"
#include "api/postgres_parameters.hpp"
#include "controllers/link/link_status.hpp"
#include "controllers/postgres/acceptance.hpp"
#include "controllers/postgres/postgres_plan.hpp"
#include "controllers/postgres/postgres_status.hpp"
#include "link_world.hpp"

namespace twinspan::controllers::testing {
namespace {

using std::chrono::seconds;

void set_everywhere(Json& spec, const char* key, const Json& value) {
  spec["source"]["postgres"]["managed"][key] = value;
  for (Json& target : spec["targets"]) target["postgres"]["managed"][key] = value;
}

// The world as the API server has it, one look of the link controller after the other.
class Link {
 public:
  explicit Link(const std::function<void(Json&)>& edit, Json before = link_json()) : json_(std::move(before)) {
    json_["status"]["accepted"] = api::to_json(api::accept(api::parse_link_spec(json_["spec"]).value(), 3));
    world = std::make_unique<World>(json_);
    for (World::Member& member : world->members) says(member.name, "", TrialOutcome::kRuns, json_["spec"]);
    json_["metadata"]["generation"] = 4;
    edit(json_["spec"]);
    take();
  }

  // What an agent says of the settings that `spec` has for it.
  void says(const std::string& name, const std::string& attempt, TrialOutcome outcome, const Json& spec,
            const std::string& words = "") {
    MemberReport::Parameters said;
    const auto parsed = api::parse_link_spec(spec).value();
    for (const api::Endpoint* one : {&parsed.source, &parsed.targets[0], &parsed.targets[1]})
      if (one->name == name) said.asked = api::fingerprint(one->postgres->managed->parameters);
    said.attempt = attempt;
    said.outcome = outcome;
    said.words = words;
    world->report(name).parameters = said;
  }

  // One look: the status that is written, read again.
  LinkPlan look() {
    const LinkSeen seen = world->seen();
    LinkPlan plan = plan_link(seen, render_config());
    const api::LinkStatus status = next_status(seen, plan);
    json_["status"].merge_patch(status_patch(*world->link, status)["status"]);
    take();
    return plan;
  }

  const std::optional<api::TrialStatus>& trial() const { return world->link->status.trial; }
  bool accepted_all() const {
    return api::parse_link_spec(json_["status"]["accepted"]["spec"]).value() ==
           api::parse_link_spec(json_["spec"]).value();
  }
  std::string condition(const char* type) const {
    const api::Condition* found = api::find_condition(world->link->status.conditions, type);
    return std::string(api::to_string(found->status)) + " " + found->reason;
  }
  std::string message(const char* type) const {
    return api::find_condition(world->link->status.conditions, type)->message;
  }
  void edit(const std::function<void(Json&)>& change) {
    json_["metadata"]["generation"] = json_["metadata"]["generation"].get<int64_t>() + 1;
    change(json_["spec"]);
    take();
  }
  Json& spec() { return json_["spec"]; }

  std::unique_ptr<World> world;

 private:
  // The cached link as the watch brings it; what members are is kept.
  void take() {
    world->link = std::make_shared<CachedLink>(decode_link(json_).value());
    for (World::Member& member : world->members) {
      member.spec = nullptr;
      if (member.name == world->link->spec.source.name) member.spec = &world->link->spec.source;
      for (const api::Endpoint& target : world->link->spec.targets)
        if (target.name == member.name) member.spec = &target;
    }
  }

  Json json_;
};

void work_mem(Json& spec) { set_everywhere(spec, "parameters", {{"work_mem", "8MB"}}); }
void typo(Json& spec) { set_everywhere(spec, "parameters", {{"shared_preload_libraries", "pg_stat_statments"}}); }
void image(Json& spec) { set_everywhere(spec, "image", "registry.example/none:1"); }

TEST(Trial, OfSettingsIsOneReplicasUntilItRunsWithThem) {
  Link link(work_mem);
  link.look();
  ASSERT_TRUE(link.trial());
  EXPECT_EQ(link.trial()->endpoint, "west");
  EXPECT_EQ(link.trial()->generation, 4);
  EXPECT_FALSE(link.accepted_all());
  EXPECT_EQ(trying_endpoint(*link.world->link), "west");
  EXPECT_EQ(link.condition("Ready"), "False ChangeOnTrial");
  EXPECT_EQ(link.condition("Reconciling"), "True ChangeOnTrial");
  EXPECT_EQ(link.condition("Stalled"), "False NotStalled");
  link.says("west", api::attempt_of(*link.trial()), TrialOutcome::kUnderWay, link.spec());
  link.look();
  EXPECT_FALSE(link.accepted_all());
  link.says("west", api::attempt_of(*link.trial()), TrialOutcome::kRuns, link.spec());
  link.world->report("west").state = MemberState::kDisconnected;
  link.look();
  EXPECT_FALSE(link.accepted_all()) << "it has to stream, too";
  link.world->report("west").state = MemberState::kStreaming;
  link.look();
  EXPECT_TRUE(link.accepted_all());
  EXPECT_FALSE(link.trial());
  link.look();
  EXPECT_EQ(link.condition("Ready"), "False ParametersNotInForce") << link.message("Ready");
  for (const char* name : {"east", "west", "west-2"}) link.says(name, "", TrialOutcome::kRuns, link.spec());
  link.look();
  EXPECT_EQ(link.condition("Ready"), "True Replicating") << link.message("Ready");
}

TEST(Trial, ThatFailsIsUndoneAndSaysWhatWhereAndWhy) {
  Link link(typo);
  link.look();
  link.says("west", api::attempt_of(*link.trial()), TrialOutcome::kUndone, link.spec(),
            "could not access file \"pg_stat_statments\": No such file or directory");
  link.look();
  ASSERT_TRUE(link.trial() && link.trial()->message);
  EXPECT_FALSE(link.accepted_all());
  EXPECT_EQ(trying_endpoint(*link.world->link), "");
  EXPECT_EQ(link.condition("Ready"), "False ChangeUndone");
  EXPECT_EQ(link.condition("Stalled"), "True ChangeUndone");
  for (const char* part : {"west", "shared_preload_libraries", "could not access file \"pg_stat_statments\""})
    EXPECT_NE(link.message("Stalled").find(part), std::string::npos) << link.message("Stalled");
  EXPECT_EQ(lines(link.look()), Lines{}) << "nothing else is touched";
  // Correcting it is another trial, taking it back is none.
  link.edit(work_mem);
  link.look();
  EXPECT_FALSE(link.trial()->message);
  link.edit([](Json& spec) { set_everywhere(spec, "parameters", Json::object()); });
  link.look();
  EXPECT_FALSE(link.trial());
  EXPECT_TRUE(link.accepted_all());
}

TEST(Trial, NeverHoldsUpTheRestOfAnEdit) {
  Link link([](Json& spec) {
    typo(spec);
    spec["paused"] = false;
    spec["lagThreshold"]["seconds"] = 9;
    spec["postgres"]["diverged"] = "Rewind";
  });
  link.look();
  EXPECT_FALSE(link.accepted_all());
  EXPECT_EQ(link.world->link->spec.lag_threshold.seconds, 9);
  EXPECT_EQ(link.world->link->spec.postgres.diverged, api::Diverged::kRewind);
  EXPECT_TRUE(link.world->link->spec.source.postgres->managed->parameters.empty());
  link.edit([](Json& spec) { spec["paused"] = true; });
  link.look();
  EXPECT_TRUE(link.world->link->spec.paused) << "an emergency brake waits for no trial";
  EXPECT_EQ(link.trial()->endpoint, "") << "and nothing is tried meanwhile";
}

TEST(Trial, OfWhatAllEndpointsTakeFromTheLinkIsOneReplicasToo) {
  Link link([](Json& spec) {
    spec["postgres"]["managed"]["parameters"]["work_mem"] = "8MB";
    spec["postgres"]["diverged"] = "Rewind";
  });
  const auto in_force = [&](const char* endpoint) {
    return api::find_endpoint(link.world->link->spec, endpoint)->postgres->managed->parameters;
  };
  link.look();
  ASSERT_TRUE(link.trial());
  EXPECT_EQ(link.trial()->endpoint, "west");
  EXPECT_EQ(link.world->link->spec.postgres.diverged, api::Diverged::kRewind) << "the rest is accepted";
  for (const char* endpoint : {"east", "west", "west-2"})
    EXPECT_TRUE(in_force(endpoint).empty()) << endpoint << " has it before it was tried";
  link.says("west", api::attempt_of(*link.trial()), TrialOutcome::kRuns, link.spec());
  link.look();
  EXPECT_FALSE(link.trial());
  for (const char* endpoint : {"east", "west", "west-2"}) EXPECT_EQ(in_force(endpoint).at("work_mem"), "8MB");
  // Written into every endpoint instead, it is the same link: nothing is tried, nobody's pod is touched.
  link.edit([](Json& spec) {
    spec["postgres"].erase("managed");
    work_mem(spec);
  });
  EXPECT_EQ(lines(link.look()), Lines{});
  EXPECT_FALSE(link.trial());
}

TEST(Trial, IsNoneWhereWhatEndpointsSayMovesToTheLink) {
  const Json same = Json::parse(R"({"version": 15, "image": "worker:2", "storage": {"size": "10Gi"},
    "resources": {"requests": {"cpu": "1"}, "limits": {"memory": "2Gi"}}, "sharedMemory": "512Mi",
    "parameters": {"work_mem": "8MB"}, "nodeSelector": {"disk": "ssd"}, "affinity": {"nodeAffinity": {}},
    "tolerations": [{"key": "db", "operator": "Exists"}], "topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]})");
  Json before = link_json();
  for (const auto& [key, value] : same.items()) set_everywhere(before["spec"], key.c_str(), value);
  Link link(
      [&](Json& spec) {
        spec["postgres"]["managed"] = same;
        spec["source"].erase("postgres");
        for (Json& target : spec["targets"]) target.erase("postgres");
      },
      before);
  EXPECT_EQ(lines(link.look()), Lines{});
  EXPECT_FALSE(link.trial());
  EXPECT_EQ(link.world->link->status.accepted->generation, 4);
  EXPECT_EQ(lines(link.look()), Lines{}) << "no pod, no volume is touched";
  link.edit([](Json& spec) { spec["postgres"]["managed"]["storage"]["size"] = "20Gi"; });
  link.look();
  EXPECT_EQ(lines(link.look()),
            (Lines{"Patch PersistentVolumeClaim orders-east-data", "Patch PersistentVolumeClaim orders-west-data",
                   "Patch PersistentVolumeClaim orders-west-2-data"}))
      << "every volume grows, without a trial";
}

TEST(Trial, OfATemplateReplacesOneReplicasPodAndPutsItBack) {
  Link link(image);
  link.look();
  ASSERT_EQ(link.trial()->endpoint, "west");
  EXPECT_EQ(lines(link.look()), Lines{"Remove Pod orders-west-0"});
  // The new pod can't be pulled.
  const PodSource source = pod_source(link.world->seen(), *link.world->seen().find("west"));
  EXPECT_EQ(source.endpoint->postgres->managed->image, "registry.example/none:1");
  World::Member& west = (*link.world)["west"];
  west.pod->hash = pod_hash(*source.link, *source.endpoint, render_config());
  west.pod->ready = false;
  west.pod->trouble = "ImagePullBackOff: not found";
  west.view = {};
  EXPECT_EQ(lines(link.look()), Lines{});
  link.world->now += seconds(299);
  link.look();
  EXPECT_FALSE(link.trial()->message);
  link.world->now += seconds(2);
  link.look();
  ASSERT_TRUE(link.trial()->message);
  EXPECT_NE(link.message("Ready").find("ImagePullBackOff"), std::string::npos) << link.message("Ready");
  EXPECT_EQ(lines(link.look()), Lines{"Remove Pod orders-west-0"}) << "made anew as it was accepted";
  west.pod.reset();
  const LinkPlan plan = link.look();
  ASSERT_EQ(lines(plan), Lines{"Create Pod orders-west-0"});
  EXPECT_EQ(std::get<Create>(plan.steps[0].effect).object["spec"]["containers"][0]["image"],
            render_config().worker_image);
}

// Nobody else could confirm a commit: service does not wait for an image that may come yet.
TEST(Trial, WhosePodDoesNotRunIsSoonUndoneWhereCommitsWaitForIt) {
  struct Case {
    bool other_streams, trouble;
    const char* mode;
    int replicas;
    bool commits_wait;
    int patience_seconds;
  };
  for (const Case& one : {Case{false, true, "Sync", 1, true, 30}, Case{true, true, "Sync", 2, true, 30},
                          Case{true, true, "Sync", 1, false, 300}, Case{false, false, "Sync", 1, true, 300},
                          Case{false, true, "Async", 1, false, 300}}) {
    Link link([&](Json& spec) {
      image(spec);
      spec["postgres"]["durability"]["mode"] = one.mode;
      if (one.replicas > 1) spec["postgres"]["durability"]["replicas"] = one.replicas;
    });
    link.look();
    ASSERT_EQ(link.trial()->endpoint, "west");
    World::Member& west = (*link.world)["west"];
    const PodSource source = pod_source(link.world->seen(), *link.world->seen().find("west"));
    west.pod->hash = pod_hash(*source.link, *source.endpoint, render_config());
    west.pod->ready = false;
    if (one.trouble) west.pod->trouble = "ImagePullBackOff: not found";
    west.view = {};
    if (!one.other_streams) link.world->report("west-2").state = MemberState::kDisconnected;
    link.world->now += seconds(one.patience_seconds - 1);
    link.look();
    ASSERT_FALSE(link.trial()->message) << one.patience_seconds;
    link.world->now += seconds(2);
    link.look();
    ASSERT_TRUE(link.trial()->message) << one.patience_seconds;
    EXPECT_EQ(link.trial()->message->find("commits wait for it") != std::string::npos, one.commits_wait)
        << *link.trial()->message;
  }
}

TEST(Trial, OfATemplateThatRunsIsFollowedByTheOthers) {
  Link link(image);
  link.look();
  const PodSource source = pod_source(link.world->seen(), *link.world->seen().find("west"));
  (*link.world)["west"].pod->hash = pod_hash(*source.link, *source.endpoint, render_config());
  link.look();
  EXPECT_TRUE(link.accepted_all());
  EXPECT_EQ(lines(link.look()), Lines{"Remove Pod orders-west-2-0"});
}

TEST(Trial, WhoIsLostTriesItNoLonger) {
  Link link(work_mem);
  link.look();
  ASSERT_EQ(link.trial()->endpoint, "west");
  (*link.world)["west"].view = {};
  link.world->now += seconds(61);
  link.look();
  EXPECT_EQ(link.trial()->endpoint, "west-2");
  EXPECT_FALSE(link.trial()->message);
}

TEST(Trial, NeverWaitsForEver) {
  Link link(work_mem);
  link.look();
  link.says("west", api::attempt_of(*link.trial()), TrialOutcome::kUnderWay, link.spec());
  link.world->report("west").parameters->not_in_force = {{"work_mem", "waits for a restart"}};
  link.world->now += seconds(301);
  link.look();
  ASSERT_TRUE(link.trial()->message);
  EXPECT_NE(link.trial()->message->find("work_mem: waits for a restart"), std::string::npos) << *link.trial()->message;
}

TEST(Trial, IsThePrimarysWhereNoReplicaStreams) {
  Link link(work_mem);
  for (const char* name : {"west", "west-2"}) link.world->report(name).state = MemberState::kDisconnected;
  link.look();
  EXPECT_EQ(link.trial()->endpoint, "");
  link.world->now += seconds(61);
  link.look();
  EXPECT_EQ(link.trial()->endpoint, "east");
  link.says("east", api::attempt_of(*link.trial()), TrialOutcome::kRuns, link.spec());
  link.look();
  EXPECT_TRUE(link.accepted_all());
}

TEST(Trial, OfThePrimarysSettingsIsAReplicasAllTheSame) {
  Link link([](Json& spec) { spec["source"]["postgres"]["managed"]["parameters"]["work_mem"] = "1GB"; });
  link.look();
  EXPECT_EQ(link.trial()->endpoint, "west");
  EXPECT_EQ(api::tried_parameters(link.world->link->spec, *link.world->link->wanted, "west").at("work_mem"), "1GB");
}

TEST(Trial, IsNoneWhereNothingRunsYet) {
  Link link(typo);
  link.world->lease->record = {};
  link.world->link->status.assignment.reset();
  const Acceptance first = next_acceptance(link.world->seen(), render_config());
  EXPECT_FALSE(first.trial);
  EXPECT_EQ(first.accepted->generation, 4);
  // Or where nothing runs any more: the edit is the way out.
  Link dead(image);
  for (World::Member& member : dead.world->members) {
    member.view = {};
    member.pod->phase = "Pending";
  }
  dead.look();
  EXPECT_TRUE(dead.accepted_all());
}

TEST(Trial, OlderAgentsAreNotWaitedFor) {
  Link link(work_mem);
  for (World::Member& member : link.world->members) member.view.report->parameters.reset();
  link.look();
  link.look();
  EXPECT_TRUE(link.accepted_all());
}

TEST(Trial, HalfAnEditThatIsWrongIsNotAccepted) {
  Json before = link_json();
  Link link([](Json& spec) { set_everywhere(spec, "parameters", {{"synchronous_commit", "off"}}); });
  link.look();
  link.says("west", api::attempt_of(*link.trial()), TrialOutcome::kRuns, link.spec());
  link.look();
  ASSERT_TRUE(link.accepted_all());
  // Sync with what was accepted would be a Sync that waits for nobody.
  link.edit([](Json& spec) {
    set_everywhere(spec, "parameters", Json::object());
    spec["postgres"]["durability"]["mode"] = "Sync";
  });
  ASSERT_FALSE(link.world->link->invalid) << link.world->link->invalid->message;
  link.look();
  ASSERT_TRUE(link.trial());
  EXPECT_EQ(link.world->link->spec.postgres.durability.mode, api::DurabilityMode::kAsync);
}

}  // namespace
}  // namespace twinspan::controllers::testing
