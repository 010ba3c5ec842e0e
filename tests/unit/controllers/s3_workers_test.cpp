// S3 links with several workers: what they say together, the division of keys, their leases.
#include <gtest/gtest.h>

#include "api/conditions.hpp"
#include "controllers/s3/s3_division.hpp"
#include "s3_world.hpp"

namespace twinspan::controllers::testing {
namespace {

using std::chrono::seconds;

// Three workers, each with its own share.
S3Seen three_workers(Json json = s3_link_json()) {
  json["spec"]["s3"]["workers"] = 3;
  json["status"]["division"] = {{"generation", 2}, {"shares", 3}};
  S3Seen seen = s3_world(json);
  const EndpointSeen first = seen.common.endpoints.front();
  for (int64_t i = 1; i < 3; ++i) {
    EndpointSeen& worker = seen.common.endpoints.emplace_back(first);
    worker.name = s3_member(i);
    worker.tls = nullptr;
  }
  for (size_t i = 0; i < 3; ++i) {
    Json& details = seen.common.endpoints[i].member.report->details;
    details["division"] = {{"generation", 2}, {"shares", 3}};
    details["shares"] = {i};
  }
  auto lease = std::make_shared<Lease>(*seen.common.lease);
  lease->division = 2;
  seen.leases = std::vector<std::shared_ptr<const Lease>>(3, lease);
  return seen;
}

Json& details_of(S3Seen& seen, size_t worker) { return seen.common.endpoints[worker].member.report->details; }

void silence(S3Seen& seen, size_t worker) {
  MemberView& view = seen.common.endpoints[worker].member;
  view.failures = 9;
  view.age = seconds(30);
  view.error = "connection refused";
}

api::LinkStatus status_of(const S3Seen& seen) { return next_s3_status(seen, plan_s3(seen, s3_render_config())); }

std::string condition(const api::LinkStatus& status, const char* type) {
  const api::Condition* found = api::find_condition(status.conditions, type);
  return found ? std::string(to_string(found->status)) + " " + found->reason + ": " + found->message : "";
}

// The same words for three seconds are no words, where a worker says when it measured.
TEST(S3Workers, AWorkerThatRepeatsItselfIsAsOldAsItsWords) {
  Seen said;
  said.report.emplace();
  said.told_at = BootTime{} + seconds(10);
  said.received_at = BootTime{} + seconds(19);
  EXPECT_EQ(age_of_words(said, BootTime{} + seconds(20)), seconds(1)) << "one that does not say when it measured";
  said.report->details = {{"failover", {{"measuredAt", "2026-11-29T10:00:00Z"}}}};
  EXPECT_EQ(age_of_words(said, BootTime{} + seconds(20)), seconds(10));
}

TEST(S3Workers, ShowTheWorstLagAndSums) {
  S3Seen seen = three_workers();
  details_of(seen, 1)["endpoints"][1]["lagSeconds"] = 40;
  details_of(seen, 2)["endpoints"][1]["state"] = "CatchingUp";
  details_of(seen, 2)["endpoints"][1]["message"] = "one: no";
  const api::LinkStatus status = status_of(seen);
  EXPECT_EQ(condition(status, "Ready"), "True Replicating: 1 of 1 targets follow");
  ASSERT_EQ(status.endpoints.size(), 2u);
  EXPECT_EQ(status.endpoints[1].state, "CatchingUp");
  EXPECT_EQ(status.endpoints[1].message, "one: no");
  EXPECT_EQ(status.endpoints[1].lag_seconds, 40);
  EXPECT_EQ(status.endpoints[1].queue_length, 21);
  EXPECT_EQ(status.endpoints[1].active_transfers, 15);
  EXPECT_EQ(status.endpoints[1].pod, std::nullopt);
  EXPECT_EQ(status.sync->total, 15009);
  EXPECT_EQ(status.sync->bytes, int64_t{3} * 1690000000);
  EXPECT_EQ(status.sync->completed_at, "2026-11-21T09:10:00Z");
  ASSERT_EQ(status.workers.size(), 3u);
  EXPECT_EQ(status.workers[2].name, "backups-s3-2");
  EXPECT_EQ(status.workers[2].shares, std::vector<int64_t>{2});
  EXPECT_EQ(status.workers[2].state, "Running");
}

TEST(S3Workers, ASyncIsCompleteOnlyWhenAllAre) {
  S3Seen seen = three_workers();
  details_of(seen, 1)["sync"].erase("completedAt");
  details_of(seen, 2)["sync"]["startedAt"] = "2026-11-21T08:00:00Z";
  EXPECT_EQ(status_of(seen).sync->completed_at, std::nullopt);
  EXPECT_EQ(status_of(seen).sync->started_at, "2026-11-21T08:00:00Z");
  seen = three_workers();
  details_of(seen, 1).erase("sync");
  EXPECT_EQ(status_of(seen).sync->completed_at, std::nullopt);
  EXPECT_EQ(status_of(seen).sync->total, 10006);
}

TEST(S3Workers, AnyUnknownShareMakesTheLinkUnknown) {
  for (const bool silent : {true, false}) {
    Json json = s3_link_json();
    json["status"]["sync"] = {{"total", 7}};
    S3Seen seen = three_workers(json);
    if (silent) silence(seen, 1);
    if (!silent) details_of(seen, 1)["shares"] = Json::array();
    const api::LinkStatus status = status_of(seen);
    EXPECT_EQ(condition(status, "Ready"),
              silent ? "Unknown WorkerNotHeard: share 1 of 3: its agent does not answer: connection refused"
                     : "False Starting: share 1 of 3: pod backups-s3-1 does not have it yet");
    EXPECT_EQ(status.endpoints[1].state, "Unknown");
    EXPECT_EQ(status.endpoints[1].lag_seconds, std::nullopt);
    EXPECT_EQ(status.endpoints[1].queue_length, std::nullopt);
    EXPECT_EQ(status.lag, std::nullopt);
    EXPECT_EQ(status.sync->total, 7);  // as it was known
    EXPECT_EQ(status.workers[1].state, silent ? "Unknown" : "Running");
  }
}

TEST(S3Workers, AShareThatAnotherCarriesOnIsKnown) {
  S3Seen seen = three_workers();
  silence(seen, 1);
  details_of(seen, 2)["shares"] = {1, 2};
  details_of(seen, 2)["endpoints"].push_back(
      {{"name", "nyc"}, {"role", "Replica"}, {"state", "Initializing"}, {"queueLength", 100}, {"activeTransfers", 1}});
  const api::LinkStatus status = status_of(seen);
  EXPECT_EQ(status.endpoints[1].state, "Initializing");
  EXPECT_EQ(status.endpoints[1].queue_length, 114);
  EXPECT_EQ(status.endpoints[1].lag_seconds, std::nullopt);
  EXPECT_EQ(condition(status, "Ready"), "False Synchronizing: 0 of 1 targets follow; nyc: Initializing");
  EXPECT_EQ(status.workers[2].shares, (std::vector<int64_t>{1, 2}));
}

TEST(S3Workers, SharesOfAnotherDivisionDontCount) {
  S3Seen seen = three_workers();
  details_of(seen, 2)["division"] = {{"generation", 1}, {"shares", 4}};
  EXPECT_EQ(condition(status_of(seen), "Ready"), "False Starting: share 2 of 3: pod backups-s3-2 does not have it yet");
}

TEST(S3Workers, AnyOfThemStallsTheLink) {
  S3Seen seen = three_workers();
  details_of(seen, 2)["stalled"] = {{"reason", "AccessDenied"}, {"message", "nyc: no"}};
  EXPECT_EQ(condition(status_of(seen), "Stalled"), "True AccessDenied: nyc: no");
}

TEST(S3Workers, AVerificationIsOneOnlyWhereAllAnswerTheSame) {
  S3Seen seen = three_workers();
  const auto verified = [&](size_t worker, const char* request, const char* from, const char* to, int missing) {
    details_of(seen, worker)["verification"] = {{"consistent", missing == 0}, {"checked", 100},    {"missing", missing},
                                                {"request", request},         {"startedAt", from}, {"finishedAt", to}};
  };
  verified(0, "two", "2026-11-21T09:00:00Z", "2026-11-21T09:05:00Z", 0);
  verified(1, "two", "2026-11-21T09:00:01Z", "2026-11-21T09:04:00Z", 2);
  EXPECT_EQ(status_of(seen).verification, std::nullopt);  // the third is at it still
  verified(2, "one", "2026-11-21T09:00:01Z", "2026-11-21T09:04:00Z", 0);
  EXPECT_EQ(status_of(seen).verification, std::nullopt);  // or speaks of the one before
  verified(2, "two", "2026-11-20T09:00:01Z", "2026-11-20T09:04:00Z", 0);
  EXPECT_EQ(status_of(seen).verification, std::nullopt);
  verified(2, "two", "2026-11-21T09:00:02Z", "2026-11-21T09:09:00Z", 1);
  const auto sum = status_of(seen).verification;
  ASSERT_TRUE(sum);
  EXPECT_FALSE(sum->consistent);
  EXPECT_EQ(sum->checked, 300);
  EXPECT_EQ(sum->missing, 3);
  EXPECT_EQ(sum->started_at, "2026-11-21T09:00:00Z");
  EXPECT_EQ(sum->finished_at, "2026-11-21T09:09:00Z");
}

TEST(S3Workers, AnOperatorThatHasJustBegunToAskKeepsWhatWasSaid) {
  Json json = s3_link_json();
  json["status"]["workers"] = Json::array({{{"name", "backups-s3-0"}, {"state", "Running"}, {"shares", {0}}}});
  json["status"]["endpoints"] = Json::array({{{"name", "nyc"}, {"role", "Replica"}, {"state", "Streaming"}}});
  json["status"]["conditions"] = Json::array({{{"type", "Ready"},
                                               {"status", "True"},
                                               {"reason", "Replicating"},
                                               {"message", "1 of 1"},
                                               {"lastTransitionTime", "2026-11-21T09:00:00Z"}}});
  S3Seen seen = three_workers(json);
  for (EndpointSeen& worker : seen.common.endpoints) worker.member = {};
  const api::LinkStatus status = status_of(seen);
  EXPECT_EQ(status.endpoints[1].state, "Streaming");
  EXPECT_EQ(status.workers.size(), 1u);
  EXPECT_EQ(condition(status, "Ready"), "True Replicating: 1 of 1");
}

TEST(S3Workers, DivisionFollowsTheSpecWithAGenerationAboveAllThatAreKnown) {
  const auto next = [](int workers, Json division, std::vector<int64_t> marks) {
    Json json = s3_link_json();
    json["spec"]["s3"]["workers"] = workers;
    if (!division.is_null()) json["status"]["division"] = division;
    S3Seen seen = s3_world(json);
    seen.leases.clear();
    for (const int64_t mark : marks) {
      auto lease = std::make_shared<Lease>();
      lease->division = mark;
      seen.leases.push_back(lease);
    }
    const auto out = next_division(seen);
    return out ? std::pair(out->generation, out->shares) : std::pair(int64_t{0}, int64_t{0});
  };
  using Pair = std::pair<int64_t, int64_t>;
  EXPECT_EQ(next(1, nullptr, {0}), Pair(0, 0));
  EXPECT_EQ(next(3, nullptr, {0}), Pair(1, 3));
  EXPECT_EQ(next(3, {{"generation", 1}, {"shares", 3}}, {0, 1, 1}), Pair(1, 3));
  EXPECT_EQ(next(1, {{"generation", 1}, {"shares", 3}}, {1, 1, 1}), Pair(2, 1));
  EXPECT_EQ(next(3, {{"generation", 1}, {"shares", 3}}, {1, 5, 1}), Pair(6, 3));  // a status from a backup
  EXPECT_EQ(next(1, nullptr, {4}), Pair(5, 1));
}

TEST(S3Workers, MoreOfThemGetLeasesRightsAndPods) {
  Json json = s3_link_json();
  json["spec"]["s3"]["workers"] = 3;
  EXPECT_EQ(lines(plan_s3(s3_world(json), s3_render_config())),
            (Lines{"Apply Role backups-worker", "Create Lease backups-s3-1", "Create Lease backups-s3-2"}));
  S3Seen seen = s3_world(json);
  seen.set = s3_world().set;
  EXPECT_EQ(lines(plan_s3(seen, s3_render_config())),
            (Lines{"Apply Role backups-worker", "Create Lease backups-s3-1", "Create Lease backups-s3-2",
                   "Apply StatefulSet backups-s3"}));
  const Json role = render_s3_role(seen.link(), 3);
  EXPECT_EQ(role["rules"][1]["resourceNames"], (Json{"backups-s3-0", "backups-s3-1", "backups-s3-2"}));
  EXPECT_EQ(role["rules"][2]["verbs"], (Json{"get", "list", "watch"}));
}

TEST(S3Workers, LeasesNobodyWantsGoWhenNobodyCanHoldThem) {
  Json json = s3_link_json();
  json["status"]["division"] = {{"generation", 3}, {"shares", 1}};
  const auto removed = [&](const std::string& holder, seconds unchanged, bool pod, seconds duration) {
    S3Seen seen = s3_world(json);
    seen.boot_now = BootTime(std::chrono::hours(1));
    auto lease = std::make_shared<Lease>(*seen.common.lease);
    lease->record.holder_endpoint = holder;
    lease->duration = duration;
    lease->seen_at = seen.boot_now - unchanged;
    seen.leases.push_back(lease);
    seen.common.role = nullptr;
    if (pod) {
      seen.common.endpoints.push_back(seen.common.endpoints.front());
      seen.common.endpoints.back().name = s3_member(1);
    }
    const Lines all = lines(plan_s3(seen, s3_render_config()));
    return std::count(all.begin(), all.end(), "Remove Lease backups-s3-1");
  };
  EXPECT_EQ(removed("", seconds(0), false, seconds(1)), 1) << "released";
  EXPECT_EQ(removed("", seconds(0), true, seconds(1)), 0);
  // Held, emptied by a hand, made anew, shortened by a hand: whoever had it acts on for as long as everybody promises.
  for (const char* holder : {"backups-s3-1", ""})
    for (const seconds duration : {seconds(0), seconds(5), seconds(15)}) {
      EXPECT_EQ(removed(holder, seconds(14), false, duration), 0);
      EXPECT_EQ(removed(holder, seconds(15), false, duration), 1);
    }
  EXPECT_EQ(removed("backups-s3-1", seconds(14), false, seconds(1)), 0) << "a name is no release";
  EXPECT_EQ(removed("backups-s3-1", seconds(29), false, seconds(30)), 0);
}

TEST(S3Workers, OnlyALinkThatNeverRanHasLeasesThatNobodyHeld) {
  for (const bool ran : {false, true}) {
    Json json = s3_link_json();
    if (ran) json["status"]["sync"] = {{"phase", "Completed"}};
    S3Seen seen = s3_world(json);
    seen.leases = {nullptr};
    int leases = 0;
    const LinkPlan plan = plan_s3(seen, s3_render_config());
    for (const Step& step : plan.steps) {
      const auto* create = std::get_if<Create>(&step.effect);
      if (!create || create->object["kind"] != "Lease") continue;
      ++leases;
      EXPECT_EQ(create->object["spec"].contains("leaseDurationSeconds"), !ran);
    }
    EXPECT_EQ(leases, 1);
  }
}

// Each of them belongs to the link: the garbage collector takes it, also where no operator is there any more.
TEST(S3Workers, DeletionIsLeftToTheGarbageCollector) {
  Json json = s3_link_json();
  json["metadata"]["deletionTimestamp"] = "2026-11-21T09:59:00Z";
  EXPECT_EQ(lines(plan_s3(three_workers(json), s3_render_config())), Lines{});
}

}  // namespace
}  // namespace twinspan::controllers::testing
