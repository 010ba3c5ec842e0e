// What the runtime decides, without processes: launches, statuses, slices, probes.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "sandbox/runtime/endpoints.hpp"
#include "sandbox/runtime/files.hpp"
#include "sandbox/runtime/launch.hpp"
#include "sandbox/runtime/probe.hpp"
#include "sandbox/runtime/proxy.hpp"
#include "sandbox/runtime/status.hpp"

namespace twinspan::sandbox {
namespace {

using testing::ElementsAre;

TEST(RuntimeExpand, FollowsTheRulesOfEnvVar) {
  const std::map<std::string, std::string> known{{"IP", "127.20.1.1"}, {"EMPTY", ""}};
  EXPECT_EQ(expand_variables("--address=$(IP)", known), "--address=127.20.1.1");
  EXPECT_EQ(expand_variables("$(EMPTY)x", known), "x");
  EXPECT_EQ(expand_variables("$(UNKNOWN) $$(IP) $IP $", known), "$(UNKNOWN) $(IP) $IP $");
  EXPECT_EQ(expand_variables("$(IP", known), "$(IP");
}

TEST(RuntimeRewrite, ReplacesMountPathsAtBoundariesLongestFirst) {
  const std::vector<Mount> mounts{{"/etc/twinspan", "/s/a"}, {"/etc/twinspan/tls", "/s/tls"}, {"/tmp", "/s/tmp"}};
  EXPECT_EQ(rewrite_paths("/etc/twinspan/tls/tls.crt", mounts), "/s/tls/tls.crt");
  EXPECT_EQ(rewrite_paths("/etc/twinspan/owner", mounts), "/s/a/owner");
  EXPECT_EQ(rewrite_paths("/etc/twinspan-other", mounts), "/etc/twinspan-other");
  EXPECT_EQ(rewrite_paths("--dir=/tmp:/tmp/x", mounts), "--dir=/s/tmp:/s/tmp/x");
  EXPECT_EQ(rewrite_paths("/var/tmp/x", mounts), "/var/tmp/x");
}

// A clone in root's home: pods run as somebody else.
TEST(RuntimeImages, ProgramsWhereOthersMayNotGoArePlacedElsewhereWithThoseBesideThem) {
  namespace fs = std::filesystem;
  std::string folder = "/tmp/ts-programs-XXXXXX";
  ASSERT_NE(mkdtemp(folder.data()), nullptr);  // 0700
  const fs::path home = folder + "/home/bin", open = folder + "-open", place = folder + "-state/programs";
  fs::create_directories(home);
  fs::create_directories(open);
  fs::create_directories(place.parent_path());
  for (const char* name : {"twinspan-worker", "twinspan-archive", "other"}) {
    std::ofstream(home / name) << name;
    std::ofstream(open / name) << name;
  }
  std::vector<ImageProgram> images{{"*worker*", (home / "twinspan-worker").string()},
                                   {"*open*", (open / "twinspan-worker").string()},
                                   {"*archive*", (home / "twinspan-archive").string()}};
  ASSERT_TRUE(place_programs(images, place));
  EXPECT_EQ(images[0].program, place / "twinspan-worker");
  EXPECT_EQ(images[1].program, open / "twinspan-worker") << "it is not in the way";
  EXPECT_EQ(images[2].program, place / "twinspan-archive");
  EXPECT_TRUE(fs::exists(place / "twinspan-worker"));
  EXPECT_FALSE(fs::exists(place / "other"));
  for (const fs::path& one : {fs::path(folder), open, place.parent_path()}) fs::remove_all(one);
}

TEST(RuntimeImages, FirstMatchingPatternCountsAndExecIsThePathItself) {
  const std::vector<ImageProgram> images{{"*twinspan-worker*", "/b/twinspan-worker"}, {"*", "/b/other"}};
  EXPECT_EQ(program_of("ghcr.io/x/twinspan-worker:1", images).value(), "/b/twinspan-worker");
  EXPECT_EQ(program_of("exec:/bin/sleep", images).value(), "/bin/sleep");
  EXPECT_EQ(program_of("nginx", {}).error().code, Code::kNotFound);
}

Json worker_pod() {
  return Json::parse(
      R"json({"metadata": {"name": "orders-east-0", "namespace": "shop", "uid": "u-1", "labels": {"role": "db"}},
    "spec": {"containers": [{"name": "worker", "image": "twinspan-worker:1", "args": ["--address=$(POD_IP)", "--data-dir", "/var/lib/twinspan", "--who", "$(WHO)"],
      "env": [{"name": "POD_IP", "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}, {"name": "ROLE", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['role']"}}},
              {"name": "WHO", "value": "$(ROLE)@/var/lib/twinspan"}, {"name": "WORD", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}]
}
})json");
}

TEST(RuntimeLaunch, GivesProgramArgumentsAndEnvironment) {
  const Json pod = worker_pod();
  const auto lookup = [](std::string_view kind, const std::string& name,
                         const std::string& key) -> Result<std::string> {
    return fmt::format("{}.{}.{}", kind, name, key);
  };
  const auto launch =
      plan_launch(pod, pod["spec"]["containers"][0], {{"/var/lib/twinspan", "/s/data"}},
                  {{"twinspan-worker*", "/b/twinspan-worker"}}, {"127.20.1.7", "127.0.0.1", "n"}, lookup);
  ASSERT_TRUE(launch) << launch.error().message;
  EXPECT_EQ(launch->program, "/b/twinspan-worker");
  EXPECT_THAT(launch->argv, ElementsAre("/b/twinspan-worker", "--address=127.20.1.7", "--data-dir", "/s/data", "--who",
                                        "db@/var/lib/twinspan"))
      << "a path after @ is no mount path of its own";
  EXPECT_EQ(launch->env.at("WORD"), "Secret.s.k");
  EXPECT_EQ(launch->env.at("HOSTNAME"), "orders-east-0");
}

TEST(RuntimeLaunch, CommandNamesTheImagesProgramOrAnother) {
  Json pod = worker_pod();
  Json& container = pod["spec"]["containers"][0];
  const auto none = [](std::string_view, const std::string&, const std::string&) -> Result<std::string> {
    return std::string();
  };
  const std::vector<ImageProgram> images{{"twinspan-worker*", "/b/twinspan-worker"}};
  container["command"] = {"/usr/local/bin/twinspan-worker"};
  EXPECT_EQ(plan_launch(pod, container, {}, images, {}, none)->program, "/b/twinspan-worker");
  container["command"] = {"sh", "-c", "true"};
  EXPECT_THAT(plan_launch(pod, container, {}, images, {}, none)->program, testing::EndsWith("/sh"));
  EXPECT_EQ(plan_launch(pod, container, {}, {{"*", "/bin/cat"}}, {}, none)->program, "/bin/sh") << "beside its own";
}

TEST(RuntimeLaunch, MissingSecretIsAnErrorThatMayPass) {
  Json pod = worker_pod();
  const auto missing = [](std::string_view, const std::string&, const std::string&) -> Result<std::string> {
    return fail(Code::kUnavailable, "not found");
  };
  const std::vector<ImageProgram> images{{"*", "/b"}};
  EXPECT_EQ(plan_launch(pod, pod["spec"]["containers"][0], {}, images, {}, missing).error().code, Code::kUnavailable);
  pod["spec"]["containers"][0]["env"][3]["valueFrom"]["secretKeyRef"]["optional"] = true;
  EXPECT_TRUE(plan_launch(pod, pod["spec"]["containers"][0], {}, images, {}, missing));
}

TEST(RuntimeProbe, ChangesAfterThresholdsInARow) {
  ProbeTally tally({{}, {}, {}, 2, 3}, false);
  EXPECT_FALSE(tally.feed(true));
  EXPECT_TRUE(tally.feed(true));
  EXPECT_TRUE(tally.feed(false));
  EXPECT_TRUE(tally.feed(false));
  EXPECT_TRUE(tally.feed(true));
  EXPECT_TRUE(tally.feed(false));
  EXPECT_TRUE(tally.feed(false));
  EXPECT_FALSE(tally.feed(false));
}

TEST(RuntimeRestart, FirstIsAtOnceThenDoublesUpToTheLimit) {
  using std::chrono::milliseconds;
  std::vector<int64_t> delays;
  for (int i = 0; i < 6; ++i) delays.push_back(restart_delay(i, milliseconds(100), milliseconds(700)).count());
  EXPECT_THAT(delays, ElementsAre(0, 100, 200, 400, 700, 700));
}

std::string condition(const Json& status, const std::string& type) {
  for (const Json& one : status["conditions"])
    if (one["type"] == type) return one["status"].get<std::string>();
  return "";
}

ContainerRecord one_container() {
  ContainerRecord out;
  out.name = "worker";
  out.image = "i";
  return out;
}

TEST(RuntimeStatus, FollowsContainers) {
  using Phase = ContainerRecord::Phase;
  const Json pod = worker_pod();
  PodRecord record{{"127.20.1.7", "127.0.0.1", "n"}, {}, {}, {one_container()}};
  ContainerRecord& worker = record.containers[0];
  EXPECT_EQ(pod_status(pod, record, {})["phase"], "Pending");

  worker.phase = Phase::kRunning;
  worker.id = "sandbox://worker-1";
  Json status = pod_status(pod, record, {});
  EXPECT_EQ(status["phase"], "Running");
  EXPECT_EQ(condition(status, "Ready"), "False");
  worker.ready = worker.started = true;
  status = pod_status(pod, record, {});
  EXPECT_EQ(condition(status, "Ready"), "True");
  EXPECT_EQ(condition(status, "ContainersReady"), "True");
  EXPECT_EQ(status["podIP"], "127.20.1.7");

  worker.phase = Phase::kWaiting;
  worker.reason = "CrashLoopBackOff";
  worker.ready = false;
  worker.restarts = 2;
  worker.last = {"sandbox://worker-1", {}, {137, 9, {}, ""}};
  status = pod_status(pod, record, {});
  EXPECT_EQ(status["phase"], "Running");
  EXPECT_EQ(status["containerStatuses"][0]["state"]["waiting"]["reason"], "CrashLoopBackOff");
  EXPECT_EQ(status["containerStatuses"][0]["lastState"]["terminated"]["exitCode"], 137);

  worker.phase = Phase::kTerminated;
  worker.over = true;
  worker.exit = {1, 0, {}, ""};
  EXPECT_EQ(pod_status(pod, record, {})["phase"], "Failed");
  worker.exit = {};
  EXPECT_EQ(pod_status(pod, record, {})["phase"], "Succeeded");
}

TEST(RuntimeStatus, TransitionTimeMovesOnlyWithTheStatusAndForeignConditionsStay) {
  Json pod = worker_pod();
  PodRecord record{{}, {}, {}, {one_container()}};
  pod["status"]["conditions"] = Json::parse(
      R"([{"type": "Ready", "status": "False", "lastTransitionTime": "2026-01-01T00:00:00Z"}, {"type": "Foreign", "status": "True"}])");
  Json status = pod_status(pod, record, {});
  const auto transition = [&](const std::string& type) {
    for (const Json& one : status["conditions"])
      if (one["type"] == type) return one.value("lastTransitionTime", "none");
    return std::string("missing");
  };
  EXPECT_EQ(transition("Ready"), "2026-01-01T00:00:00Z");
  EXPECT_EQ(transition("Foreign"), "none");
  record.containers[0].ready = true;
  status = pod_status(pod, record, {});
  EXPECT_EQ(transition("Ready"), "1970-01-01T00:00:00Z");
}

std::shared_ptr<const Json> pod(const std::string& name, const std::string& ip, bool ready,
                                const std::string& phase = "Running") {
  Json out{{"metadata",
            {{"name", name}, {"namespace", "shop"}, {"uid", "u-" + name}, {"labels", {{"app", "db"}, {"name", name}}}}},
           {"spec",
            {{"containers",
              Json::array({{{"name", "c"}, {"ports", Json::array({{{"name", "pg"}, {"containerPort", 5432}}})}}})}}},
           {"status",
            {{"phase", phase},
             {"podIP", ip},
             {"conditions", Json::array({{{"type", "Ready"}, {"status", ready ? "True" : "False"}}})}}}};
  return std::make_shared<const Json>(std::move(out));
}

Json service(Json selector) {
  return {{"metadata", {{"name", "orders-rw"}, {"namespace", "shop"}, {"uid", "u"}}},
          {"spec",
           {{"selector", std::move(selector)},
            {"ports", Json::array({{{"name", "postgres"}, {"port", 5432}, {"targetPort", "pg"}}})}}}};
}

TEST(RuntimeEndpoints, SliceHoldsSelectedPodsWithTheirReadiness) {
  const auto slice =
      desired_slice(service({{"app", "db"}}), {pod("b", "127.20.1.2", true), pod("a", "127.20.1.1", false),
                                               pod("done", "127.20.1.3", true, "Failed"), pod("young", "", false)});
  ASSERT_TRUE(slice);
  ASSERT_EQ((*slice)["endpoints"].size(), 2U);
  EXPECT_EQ((*slice)["endpoints"][0]["targetRef"]["name"], "a");
  EXPECT_EQ((*slice)["endpoints"][0]["conditions"]["ready"], false);
  EXPECT_EQ((*slice)["endpoints"][1]["conditions"]["ready"], true);
  EXPECT_EQ((*slice)["ports"][0]["port"], 5432);
  EXPECT_EQ((*slice)["metadata"]["labels"]["kubernetes.io/service-name"], "orders-rw");
  EXPECT_THAT(backends_of("postgres", {std::make_shared<const Json>(*slice)}),
              ElementsAre(Backend{"127.20.1.2", 5432}));
}

TEST(RuntimeEndpoints, PublishNotReadyAddressesMakesEveryEndpointReady) {
  Json wanted = service({{"name", "a"}});
  wanted["spec"]["publishNotReadyAddresses"] = true;
  Json ending = *pod("a", "127.20.1.1", false);
  ending["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z";
  const auto slice = desired_slice(wanted, {std::make_shared<const Json>(ending)});
  EXPECT_EQ((*slice)["endpoints"][0]["conditions"], (Json{{"ready", true}, {"serving", true}, {"terminating", true}}));
}

TEST(RuntimeEndpoints, TerminatingEndpointsServeOnlyWhereNoneIsReady) {
  Json ending = *pod("a", "127.20.1.1", true);
  ending["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z";
  const auto old = std::make_shared<const Json>(ending);
  const auto alone = desired_slice(service({{"app", "db"}}), {old});
  EXPECT_THAT(backends_of("postgres", {std::make_shared<const Json>(*alone)}),
              ElementsAre(Backend{"127.20.1.1", 5432}));
  const auto both = desired_slice(service({{"app", "db"}}), {old, pod("b", "127.20.1.2", true)});
  EXPECT_THAT(backends_of("postgres", {std::make_shared<const Json>(*both)}), ElementsAre(Backend{"127.20.1.2", 5432}));
}

TEST(RuntimeEndpoints, NoSelectorNoSliceAndNoMatchAnEmptyOne) {
  EXPECT_FALSE(desired_slice(service(Json::object()), {pod("a", "127.20.1.1", true)}));
  const auto empty = desired_slice(service({{"app", "twinspan-none"}}), {pod("a", "127.20.1.1", true)});
  ASSERT_TRUE(empty);
  EXPECT_TRUE((*empty)["endpoints"].empty());
}

}  // namespace
}  // namespace twinspan::sandbox
