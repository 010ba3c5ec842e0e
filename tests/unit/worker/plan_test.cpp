#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "api/accepted.hpp"
#include "worker/postgres/desired.hpp"
#include "worker/postgres/jobs.hpp"
#include "worker/postgres/member_status.hpp"
#include "worker/postgres/options.hpp"
#include "worker/postgres/secret_reader.hpp"

namespace twinspan::worker {
namespace {

api::ReplicationLink link() {
  api::ReplicationLink link;
  link.metadata.name = "orders";
  link.metadata.generation = 7;
  const auto endpoint = [](const char* name, const char* from) {
    api::Endpoint one;
    one.name = name;
    if (*from != 0) one.from = from;
    one.postgres = api::PostgresEndpoint{};
    one.postgres->managed = api::ManagedPostgres{};
    return one;
  };
  link.spec.source = endpoint("east", "");
  link.spec.targets = {endpoint("west", "east"), endpoint("west-2", "west"), endpoint("south", "")};
  for (const char* name : {"east", "west", "west-2", "south"}) {
    api::EndpointStatus status;
    status.name = name;
    status.state = "Streaming";
    status.address = std::string("10.0.0.") + std::to_string(link.status.endpoints.size() + 1);
    link.status.endpoints.push_back(status);
  }
  api::AssignmentStatus assignment;
  assignment.epoch = 3;
  assignment.primary = "east";
  assignment.previous = "west";
  assignment.cause = "Switchover";
  assignment.lease_duration_seconds = 10;
  assignment.lease_renew_seconds = 2;
  link.status.assignment = assignment;
  return link;
}

Desired desired(const std::string& endpoint, const api::ReplicationLink& of = link()) {
  const auto made = desired_from(of, endpoint, "10.0.0.9", 5432);
  EXPECT_TRUE(made) << made.error().message;
  return made.value_or(Desired{});
}

// A clone of gigabytes is not begun anew because its source has begun another epoch; what leads elsewhere is another
// job.
TEST(Job, IsTheSameByWhatItDoesAndToWhom) {
  const EpochHistory before{{{1}, {}}}, after{{{1}, {}}, {{2}, {100}}};
  EXPECT_TRUE(is_same(Clone{"east", before}, Clone{"east", after}));
  EXPECT_FALSE(is_same(Clone{"east", before}, Clone{"west", before}));
  EXPECT_FALSE(is_same(Clone{"east", before}, Rewind{"east", before}));
  EXPECT_TRUE(is_same(Follow{"east"}, Follow{"east"}));
  EXPECT_FALSE(is_same(Follow{"east"}, StartReplica{"east"}));
  EXPECT_FALSE(is_same(HandOver{Cause::kShutdown}, HandOver{Cause::kSwitchover}));
  EXPECT_FALSE(is_same(Compare{"east", {1}, before}, Compare{"east", {2}, before}));
  EXPECT_TRUE(is_same(Upkeep{"east"}, Upkeep{"west"}));
}

TEST(Desired, HasTheObjectsAndTheLocaleOfTheSpec) {
  api::ReplicationLink of = link();
  EXPECT_TRUE(desired("east", of).objects.asked.empty());
  EXPECT_EQ(desired("east", of).cluster.locale, "C.UTF-8");
  EXPECT_FALSE(desired("east", of).cluster.icu_locale);
  api::PostgresSettings& settings = of.spec.postgres;
  settings.database = "shop";
  settings.initdb = {api::Encoding::kLATIN1, "C", api::LocaleProvider::kIcu, "de-AT"};
  settings.roles.resize(2);
  settings.roles[0].name = "reports";
  settings.roles[0].login = settings.roles[0].createdb = true;
  settings.roles[0].connection_limit = 4;
  settings.roles[0].in_roles = {"b", "a"};
  settings.roles[0].password_secret_ref = api::SecretKeyReference{"passwords", "key"};
  settings.roles[1].name = "old";
  settings.roles[1].ensure = api::Ensure::kAbsent;
  settings.databases.resize(2);
  settings.databases[0].name = "shop";
  settings.databases[1].name = "stock";
  settings.databases[1].owner = "reports";
  settings.databases[1].extensions = {{"citext", {}}, {"pg_trgm", "1.6"}};
  const Desired d = desired("east", of);
  EXPECT_EQ(d.cluster.encoding, "LATIN1");
  EXPECT_EQ(d.cluster.icu_locale, "de-AT");
  EXPECT_FALSE(d.objects.asked.empty());
  const auto& reports = d.objects.roles[0];
  EXPECT_EQ(reports.wanted.attributes, (postgres::RoleAttributes{true, false, true, false, false, false, 4}));
  EXPECT_EQ(reports.wanted.member_of, (std::set<std::string>{"a", "b"}));
  EXPECT_EQ(reports.password->name + "/" + reports.password->key, "passwords/key");
  EXPECT_TRUE(d.objects.roles[1].wanted.absent);
  EXPECT_TRUE(d.objects.databases[0].made_elsewhere);
  EXPECT_FALSE(d.objects.databases[1].made_elsewhere);
  EXPECT_EQ(d.objects.databases[1].owner, "reports");
  EXPECT_EQ(d.objects.names(), (std::vector<std::string>{"role reports", "role old", "database shop", "database stock",
                                                         "extension citext of stock", "extension pg_trgm of stock"}));
}

TEST(PasswordIn, IsTheKeysValueOrSaysWhyNot) {
  const api::SecretKeyReference key{"passwords", "reports"};
  const auto read = [&](const Json& data) { return secret_value({{"data", data}}, key); };
  EXPECT_EQ(*read({{"reports", "c2VjcmV0"}}), "secret");
  EXPECT_EQ(*read({{"reports", "c2VjcmV0Cg=="}}), "secret") << "a line break at the end";
  EXPECT_EQ(read({{"other", "c2VjcmV0"}}).error().message, "Secret passwords has no key reports");
  EXPECT_EQ(secret_value(Json::object(), key).error().code, Code::kNotFound);
  EXPECT_EQ(read({{"reports", ""}}).error().message, "Secret passwords, key reports: is empty");
  EXPECT_EQ(read({{"reports", "Cg=="}}).error().code, Code::kInvalid);
  EXPECT_EQ(read({{"reports", "YQBi"}}).error().code, Code::kInvalid) << "a zero byte";
  EXPECT_EQ(read({{"reports", "%%%"}}).error().code, Code::kInvalid);
}

TEST(Desired, UpstreamIsFromWhereThatLeadsToThePrimary) {
  const Desired d = desired("west-2");
  struct Case {
    const char *endpoint, *primary, *upstream;
  };
  for (const Case& one : std::vector<Case>{{"west", "east", "east"},
                                           {"west-2", "east", "west"},
                                           {"south", "east", "east"},
                                           {"east", "east", ""},
                                           {"west-2", "west", "west"},
                                           {"east", "west", "west"},
                                           {"west", "west-2", "west-2"},  // `from: east` means the primary
                                           {"east", "west-2", "west-2"},
                                           {"west-2", "south", "west"},
                                           {"west", "south", "south"},
                                           {"west", "", ""}})
    EXPECT_EQ(upstream_of(d, one.endpoint, one.primary), one.upstream) << one.endpoint << " of " << one.primary;
}

TEST(Desired, FollowsThePrimaryWhileTheOneInBetweenIsGone) {
  api::ReplicationLink of = link();
  of.status.endpoints[1].state = "Disconnected";
  EXPECT_EQ(upstream_of(desired("west-2", of), "west-2", "east"), "east");
}

TEST(Desired, CirclesFollowThePrimary) {
  api::ReplicationLink of = link();
  of.spec.targets[0].from = "west-2";
  EXPECT_EQ(upstream_of(desired("west", of), "west", "east"), "east");
  EXPECT_EQ(upstream_of(desired("west", of), "west-2", "east"), "east");
}

TEST(Desired, SlotsAreForDirectDownstreamsAlone) {
  EXPECT_EQ(downstreams_of(desired("east"), "east", "east"), (std::vector<std::string>{"south", "west"}));
  EXPECT_EQ(downstreams_of(desired("west"), "west", "east"), std::vector<std::string>{"west-2"});
  EXPECT_TRUE(downstreams_of(desired("south"), "south", "east").empty());
}

TEST(Desired, SynchronousStandbysAreThoseThatWouldStreamFromHere) {
  api::ReplicationLink of = link();
  of.spec.postgres.durability.mode = api::DurabilityMode::kSync;
  of.spec.postgres.durability.replicas = 2;
  EXPECT_EQ(desired("east", of).settings.sync_candidates, (std::vector<std::string>{"west", "south"}));
  EXPECT_EQ(desired("west", of).settings.sync_candidates, (std::vector<std::string>{"east", "west-2", "south"}));
  EXPECT_EQ(desired("west", of).settings.sync_replicas, 2);
  EXPECT_TRUE(desired("west").settings.sync_candidates.empty());
}

// With its objects a status is brought along, to another cluster as well.
TEST(Desired, AnotherLinksRepositoryIsNeitherStoredInNorForgottenFor) {
  api::ReplicationLink one = link();
  one.metadata.uid = "12345678-aaaa";
  EXPECT_FALSE(desired_from(one, "east", "10.0.0.9", 5432)->backup_of_another);
  for (const auto& [stanza, own] :
       {std::pair{"orders-12345678-77", true}, {"orders-87654321-77", false}, {"orders2-12345678-77", false}}) {
    one.status.backup.emplace().stanza = stanza;
    one.status.restore.emplace().stanza = stanza;
    one.status.restore->in_place.emplace();
    const auto desired = desired_from(one, "east", "10.0.0.9", 5432);
    ASSERT_TRUE(desired);
    EXPECT_EQ(desired->backup.has_value(), own) << stanza;
    EXPECT_EQ(desired->backup_of_another, !own) << stanza;
    EXPECT_EQ(desired->restore.has_value(), own) << "data are not replaced by another link's: " << stanza;
    one.status.restore->in_place.reset();
    EXPECT_TRUE(desired_from(one, "east", "10.0.0.9", 5432)->restore) << "first data come from wherever";
  }
}

TEST(Desired, KnowsTheOthersByPodNameAndAddress) {
  const Desired d = desired("west");
  EXPECT_EQ(d.members.size(), 3U);
  EXPECT_EQ(d.members.at("east"), (postgres::Upstream{"east", "orders-east-0", "10.0.0.1", 5432}));
  EXPECT_EQ(d.assignment, (Assignment{{3}, "east", "west", Cause::kSwitchover}));
  ASSERT_TRUE(d.lease);
  EXPECT_EQ(d.lease->duration, std::chrono::seconds(10));
  EXPECT_EQ(d.lease->renew, std::chrono::seconds(2));
  EXPECT_EQ(d.lease->margin, std::chrono::seconds(2));
  EXPECT_FALSE(desired_from(link(), "north", "10.0.0.9", 5432));
}

// Wherever the settings of an endpoint stand: in force, tried, or of a link that nothing was accepted of yet.
TEST(Desired, TakesWhatTheLinkSaysForAllEndpoints) {
  Json json = Json::parse(R"({"metadata": {"name": "orders", "namespace": "shop", "generation": 4},
    "spec": {"engine": "Postgres", "source": {"name": "east"},
             "targets": [{"name": "west", "postgres": {"managed": {"parameters": {"jit": "off"}}}}],
             "postgres": {"managed": {"parameters": {"work_mem": "8MB", "jit": "on"}}}}})");
  const auto settings = [&](const char* endpoint) {
    const auto link = api::parse_obeyed_link(json);
    EXPECT_TRUE(link) << link.error().message;
    const auto made = desired_from(*link, endpoint, "10.0.0.9", 5432, link->tried ? &*link->tried : nullptr);
    EXPECT_TRUE(made) << made.error().message;
    return made->settings.parameters;
  };
  const std::map<std::string, std::string> east{{"jit", "on"}, {"work_mem", "8MB"}},
      west{{"jit", "off"}, {"work_mem", "8MB"}};
  EXPECT_EQ(settings("east"), east) << "accepted by nobody yet";
  EXPECT_EQ(settings("west"), west);
  json["status"]["accepted"] = api::to_json(api::accept(api::parse_link_spec(json["spec"]).value(), 4));
  json["metadata"]["generation"] = 5;
  json["spec"]["postgres"]["managed"]["parameters"]["work_mem"] = "64MB";
  EXPECT_EQ(settings("east"), east) << "what was accepted is in force";
  EXPECT_EQ(settings("west"), west);
  json["status"]["trial"] = {{"generation", 5}, {"endpoint", "west"}, {"startedAt", "2026-11-29T20:00:00Z"}};
  EXPECT_EQ(settings("east"), east);
  EXPECT_EQ(settings("west"), (std::map<std::string, std::string>{{"jit", "off"}, {"work_mem", "64MB"}})) << "tried";
}

// Nobody else believes a lease for longer than that: who holds one may not either, whoever wrote the status.
TEST(Desired, NoLeaseIsHeldForLongerThanOthersBelieve) {
  for (const auto& [written, held] :
       {std::pair{3600, 300}, {301, 300}, {300, 300}, {10, 10}, {2, 2}, {0, 2}, {-5, 2}}) {
    api::ReplicationLink of = link();
    of.status.assignment->lease_duration_seconds = written;
    of.status.assignment->lease_renew_seconds = std::max(written / 5, 1);
    const LeaseTiming timing = *desired("west", of).lease;
    EXPECT_EQ(timing.duration, std::chrono::seconds(held)) << written;
    EXPECT_LE(2 * timing.renew + timing.margin, timing.duration) << written;
  }
}

MemberReport report(const Local& local, const MemberAction& action = Wait{WaitReason::kReplica}) {
  MemberView view;
  view.self = "west";
  view.process = local.process;
  const Desired d = desired("west");
  return member_report({local, &d, view, action, "10.0.0.2"});
}

Local streaming() {
  Local local;
  local.data = DataShape::kReplica;
  local.process = ProcessState::kReplicaRunning;
  local.sql_healthy = true;
  local.seen.emplace();
  local.seen->in_recovery = true;
  local.seen->receiver = postgres::Observation::Receiver{"streaming", {100}, "", 0, 0};
  local.lag_seconds = 0;
  local.lag_bytes = 0;
  return local;
}

TEST(MemberStatus, NamesWhatAReplicaDoes) {
  EXPECT_EQ(report(streaming()).state, MemberState::kStreaming);
  Local local = streaming();
  local.seen->receiver.reset();
  EXPECT_EQ(report(local).state, MemberState::kDisconnected);
  local.seen.reset();
  EXPECT_EQ(report(local).state, MemberState::kStarting);
  local.doing = MemberState::kRewinding;
  EXPECT_EQ(report(local).state, MemberState::kRewinding);
  EXPECT_EQ(report(Local{}).state, MemberState::kEmpty);
}

// A replica that streamed when it was last looked at may be anything by now.
TEST(MemberStatus, WhatPostgresqlSaidLongAgoIsNotSaidOfNow) {
  Local local = streaming();
  local.seen->in_recovery = true;
  local.seen_at = BootTime{} + std::chrono::hours(1);
  MemberView view;
  const auto said = [&](std::chrono::milliseconds later) {
    return member_report(
        {local, nullptr, view, Wait{WaitReason::kReplica}, "10.0.0.2", std::chrono::seconds(0), local.seen_at + later});
  };
  for (const auto& [later, known] : {std::pair{0, true}, {2999, true}, {3000, false}, {3600000, false}}) {
    const MemberReport report = said(std::chrono::milliseconds(later));
    EXPECT_EQ(report.state, known ? MemberState::kStreaming : MemberState::kUnknown) << later;
    EXPECT_EQ(report.lag_seconds.has_value(), known) << later;
    EXPECT_EQ(report.lag_bytes.has_value(), known) << later;
    EXPECT_EQ(report.message.empty(), known) << later;
  }
}

Local without_log() {
  Local local = streaming();
  local.seen->receiver.reset();
  local.log_gap = Local::LogGap{"east", {100}, {0x5000000}, "", 1 << 20, std::nullopt, local.data_life};
  return local;
}

TEST(MemberStatus, AReplicaWhoseLogIsGoneSaysThatItIsClonedOrWhatForbidsIt) {
  Local local = without_log();
  Desired d = desired("west");
  MemberView view;
  view.upstream = "east";
  const auto said = [&] { return member_report({local, &d, view, Wait{WaitReason::kReplica}, "10.0.0.2"}); };
  EXPECT_TRUE(may_clone_for_log(local, view, d));
  EXPECT_NE(said().message.find("it is cloned anew"), std::string::npos) << said().message;
  EXPECT_TRUE(said().troubles.empty());
  d.paused = true;
  EXPECT_FALSE(may_clone_for_log(local, view, d));
  ASSERT_EQ(said().troubles.size(), 1U);
  EXPECT_EQ(said().troubles[0].kind, TroubleKind::kReplicaWithoutLog);
  EXPECT_NE(said().message.find("spec.paused"), std::string::npos) << said().message;
  d.paused = false;
  local.log_gap->lacking = 3ULL << 30;
  EXPECT_FALSE(may_clone_for_log(local, view, d));
  EXPECT_NE(said().message.find("3.0 GiB of room"), std::string::npos) << said().message;
  // What the archive has is got from there: nothing is cloned, whatever would forbid it.
  local.log_gap->restore_command = "twinspan-archive follow";
  EXPECT_FALSE(may_clone_for_log(local, view, d));
  EXPECT_NE(said().message.find("it is got from the archive"), std::string::npos) << said().message;
  EXPECT_TRUE(said().troubles.empty());
  // Of other data, or of another upstream than the one it is to follow now, it says nothing.
  local = without_log();
  view.upstream = "south";
  EXPECT_FALSE(may_clone_for_log(local, view, d));
  view.upstream = "east";
  ++local.data_life;
  EXPECT_FALSE(may_clone_for_log(local, view, d));
}

TEST(MemberStatus, AReplicaWhoseReceiverHangsIsNotStreamingWhateverItsServerSays) {
  Local local = streaming();
  local.seen->receiver->timeout_seconds = 5;
  local.seen->receiver->silent_seconds = 9;
  EXPECT_EQ(report(local).state, MemberState::kStreaming);
  local.seen->receiver->silent_seconds = 11;
  EXPECT_EQ(report(local).state, MemberState::kDisconnected);
  EXPECT_NE(report(local).message.find("hangs"), std::string::npos);
}

TEST(MemberStatus, APrimaryWhoseDiskDoesNotAnswerIsNotRunning) {
  Local local;
  local.data = DataShape::kPrimary;
  local.process = ProcessState::kPrimaryRunning;
  local.writable = true;
  MemberView view;
  const auto said = [&](int seconds) {
    return member_report({local, nullptr, view, Wait{WaitReason::kPrimary}, "10.0.0.2", std::chrono::seconds(seconds)});
  };
  EXPECT_EQ(said(9).state, MemberState::kRunning);
  EXPECT_EQ(said(10).state, MemberState::kFailed);
  ASSERT_EQ(said(10).troubles.size(), 1U);
  EXPECT_EQ(said(10).troubles[0].kind, TroubleKind::kDiskHangs);
}

TEST(MemberStatus, AFullVolumeIsToldWithFiguresBeforeItIsFull) {
  Local local = streaming();
  local.volume = postgres::Volume{10ULL << 30, 1ULL << 30};
  EXPECT_TRUE(report(local).troubles.empty());
  EXPECT_EQ(report(local).volume->free_bytes, 1ULL << 30);
  local.volume->free_bytes -= 1 << 20;
  local.seen->slots = {{"twinspan_west_2", false, "reserved", 2ULL << 30}};
  ASSERT_EQ(report(local).troubles.size(), 1U);
  EXPECT_EQ(report(local).troubles[0].kind, TroubleKind::kStorageLow);
  for (const char* part : {"1.0 GiB of 10.0 GiB", "2.0 GiB of it is log kept for slot twinspan_west_2"})
    EXPECT_NE(report(local).troubles[0].text.find(part), std::string::npos) << report(local).troubles[0].text;
}

TEST(MemberStatus, DeclaredObjectsAreAPrimarysToTell) {
  Local local = streaming();
  local.objects = ObjectsReport{"asked", {{"role reports", "no such Secret"}}};
  EXPECT_FALSE(objects_of(report(local)));
  local.process = ProcessState::kPrimaryRunning;
  EXPECT_EQ(objects_of(report(local)), local.objects);
}

TEST(MemberStatus, LinesOfPgHbaAreEveryMembersToTell) {
  Local local = streaming();
  EXPECT_FALSE(objects_of(report(local), kDeclaredHba));
  local.hba = ObjectsReport{"asked", {{"spec.postgres.hba[0]", "invalid"}}};
  EXPECT_EQ(objects_of(report(local), kDeclaredHba), local.hba);
  local.process = ProcessState::kPrimaryRunning;
  local.objects = ObjectsReport{"others", {}};
  EXPECT_EQ(objects_of(report(local), kDeclaredHba), local.hba);
  EXPECT_EQ(objects_of(report(local)), local.objects);
}

TEST(MemberStatus, ADivergedReplicaSaysWhyAndWhatNext) {
  Local local;
  local.data = DataShape::kReplica;
  local.comparison =
      Local::Comparison{{2}, 0, {postgres::Kinship::kForked, "the log here ends at 0/5", std::nullopt}, std::nullopt};
  const MemberReport said = report(local, Halt{HaltReason::kDiverged});
  EXPECT_EQ(said.state, MemberState::kDiverged);
  EXPECT_NE(said.message.find("the log here ends at 0/5"), std::string::npos);
  EXPECT_NE(said.message.find("spec.postgres.diverged"), std::string::npos);
}

TEST(MemberStatus, ReadyMeansStreamingOrWithinTheLagBound) {
  EXPECT_TRUE(is_ready(report(streaming()), 1));
  Local cut = streaming();
  cut.seen->receiver.reset();
  cut.lag_seconds = 0.5;
  EXPECT_TRUE(is_ready(report(cut), 1));
  cut.lag_seconds = 2;
  EXPECT_FALSE(is_ready(report(cut), 1));
  cut.lag_seconds.reset();  // not measured is not zero
  EXPECT_FALSE(is_ready(report(cut), 1));
  Local primary;
  primary.data = DataShape::kPrimary;
  primary.process = ProcessState::kPrimaryRunning;
  EXPECT_FALSE(is_ready(report(primary), 1));
  primary.writable = true;
  EXPECT_TRUE(is_ready(report(primary), 1));
}

TEST(Options, AskForALeaseThatLeavesRoomToRenew) {
  std::vector<const char*> words{"twinspan-worker",
                                 "--namespace",
                                 "shop",
                                 "--link",
                                 "orders",
                                 "--endpoint",
                                 "east",
                                 "--pod-name",
                                 "p",
                                 "--pod-uid",
                                 "u",
                                 "--address",
                                 "127.0.0.1",
                                 "--data-dir",
                                 "/d",
                                 "--run-dir",
                                 "/r",
                                 "--tls-dir",
                                 "/t",
                                 "--owner-dir",
                                 "/o",
                                 "--postgres-bin-dir",
                                 "/b"};
  const auto options = parse_options(static_cast<int>(words.size()), words.data());
  ASSERT_TRUE(options);
  EXPECT_EQ(options->lease.margin, std::chrono::seconds(1));
  words.insert(words.end(), {"--lease-duration-seconds", "2", "--lease-renew-milliseconds", "1000"});
  ::testing::internal::CaptureStderr();
  EXPECT_FALSE(parse_options(static_cast<int>(words.size()), words.data()));
  EXPECT_NE(::testing::internal::GetCapturedStderr().find("--lease-renew-milliseconds"), std::string::npos);
}

}  // namespace
}  // namespace twinspan::worker
