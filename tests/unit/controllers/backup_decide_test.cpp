#include "controllers/backup/backup_decide.hpp"

#include <gtest/gtest.h>

#include "api/conditions.hpp"
#include "api/validate.hpp"
#include "contract/names.hpp"
#include "controllers/backup/restore_decide.hpp"

namespace twinspan::controllers {
namespace {

using api::BackupPhase;
using api::RestorePhase;

struct World {
  api::ReplicationLink link;
  api::BackupSchedule schedule;
  std::vector<api::BackupSchedule> others;
  std::vector<api::Backup> backups;
  std::map<std::string, MemberSeen> members;
  std::set<std::string> silent;
  WallTime now = *parse_rfc3339("2026-11-29T12:00:00Z");

  World() {
    link.metadata.name = "orders";
    link.metadata.ns = "shop";
    link.metadata.uid = "12345678-aaaa";
    link.spec.engine = api::Engine::kPostgres;
    link.spec.source.name = "east";
    link.spec.targets.emplace_back().name = "west";
    link.status.primary = "east";
    schedule.metadata.name = "daily";
    schedule.metadata.ns = "shop";
    schedule.metadata.generation = 4;
    schedule.spec.link_ref.name = "orders";
    schedule.spec.destination.s3.endpoint = "https://s3.example";
    for (const char* name : {"east", "west"}) members[name] = {"77", healthy(), {}, {}, {}};
  }
  static BackupReport healthy() {
    BackupReport report;
    report.stanza = "orders-12345678-77";
    report.ready = report.archiving = true;
    report.timeline = 1;
    return report;
  }
  api::Backup& add(const std::string& name) {
    api::Backup& backup = backups.emplace_back();
    backup.metadata.name = name;
    backup.metadata.ns = "shop";
    backup.metadata.uid = "u-" + name;
    backup.metadata.creation_timestamp = "2026-11-29T11:00:0" + std::to_string(backups.size()) + "Z";
    return backup;
  }
  BackupLook look() const {
    BackupSeen seen;
    seen.link = &link;
    seen.schedules = {std::make_shared<const api::BackupSchedule>(schedule)};
    for (const api::BackupSchedule& one : others) {
      const auto other = std::make_shared<const api::BackupSchedule>(one);
      if (one.metadata.ns == "shop" && one.spec.link_ref.name == "orders") seen.schedules.push_back(other);
      seen.neighbours[{one.metadata.ns, one.metadata.name}] = other;
    }
    seen.neighbours[{"shop", "daily"}] = seen.schedules.front();
    for (const api::Backup& one : backups) seen.backups["daily"].push_back(std::make_shared<const api::Backup>(one));
    seen.members = members;
    seen.silent = silent;
    seen.now = now;
    return decide_backups(seen);
  }
  // As it would be after what was decided was written.
  BackupLook step() {
    BackupLook next = look();
    link.status.backup = next.assignment;
    for (api::Backup& one : backups)
      if (const auto after = next.backups.find(one.metadata.name); after != next.backups.end())
        one.status = after->second;
    return next;
  }
  void say(const std::string& endpoint, BackupReport::Phase phase) {
    const api::BackupRun& run = *link.status.backup->run;
    BackupReport::Run said;
    said.uid = run.uid;
    said.attempt = run.attempt;
    said.phase = phase;
    if (phase == BackupReport::Phase::kFailed) said.message = "words";
    said.label = "20261129-120000F";
    members[endpoint].backup.run = said;
  }
};

const api::Condition& ready(const BackupLook& look) {
  return *api::find_condition(look.schedules.at("daily").conditions, "Ready");
}

// Nothing that was written after a gap can be restored until a backup was begun later.
TEST(BackupDecide, LogThatWasLetGoIsToldAndOwesAFullBackup) {
  World world;
  world.schedule.status.last.emplace();
  world.schedule.status.last->started_at = "2026-11-29T11:00:00Z";
  world.schedule.status.last->stanza = "orders-12345678-77";
  world.schedule.status.last->repository = api::repository_of(world.schedule.spec.destination.s3);
  world.schedule.metadata.creation_timestamp = "2026-11-29T10:00:00Z";
  BackupReport& said = world.members["east"].backup;
  EXPECT_FALSE(world.look().runs.at("daily").create);
  said.dropped = {{"000000010000000000000004", "000000010000000000000006", "let go", "2026-11-29T11:59:00Z"}};
  said.continuous = {std::chrono::duration_cast<std::chrono::seconds>(world.now.time_since_epoch()).count(), "", 0, 0,
                     60};
  said.trouble = "the bucket is away";
  BackupLook look = world.look();
  EXPECT_FALSE(look.runs.at("daily").create) << "it would fail";
  ASSERT_EQ(look.schedules.at("daily").gaps.size(), 1u);
  EXPECT_EQ(look.schedules.at("daily").gaps[0].cause, "let go");
  EXPECT_EQ(look.schedules.at("daily").unsafe, "<2m") << "since it was let go";
  said.trouble.clear();
  look = world.look();
  ASSERT_TRUE(look.runs.at("daily").create);
  EXPECT_EQ(look.runs.at("daily").create->spec.kind, api::BackupKind::kFull);
  api::Backup& later = world.add("later");
  later.status.phase = BackupPhase::kCompleted;
  later.status.stanza = "orders-12345678-77";
  later.status.repository = world.schedule.status.last->repository;
  later.status.timeline = 1;
  later.status.start = "0/6000028";
  later.status.started_at = "2026-11-29T10:30:00Z";
  EXPECT_TRUE(world.look().runs.at("daily").create) << "it needs what is gone";
  later.status.start = "0/7000028";
  EXPECT_FALSE(world.look().runs.at("daily").create) << "one that begins behind it makes it safe, whatever clocks say";
}

// A report that is fresh may hold a word that is not: its agent hangs while it stores.
TEST(BackupDecide, AnOldWordOnWhatIsUnsafeGrowsOlder) {
  World world;
  world.members["east"].backup.continuous = {
      std::chrono::duration_cast<std::chrono::seconds>(world.now.time_since_epoch()).count() - 10, "", 3, 0, 60};
  EXPECT_EQ(world.look().schedules.at("daily").unsafe, "<60s");
  world.members["east"].backup.continuous->seen_at -= 80;
  EXPECT_EQ(world.look().schedules.at("daily").unsafe, "<2m");
}

TEST(BackupDecide, NothingIsClaimedOfAnotherRepositoryOrWhereNobodyLooks) {
  World world;
  world.members["east"].backup.continuous = {
      std::chrono::duration_cast<std::chrono::seconds>(world.now.time_since_epoch()).count(), "", 3, 0, 60};
  world.link.status.backup = world.look().assignment;
  world.schedule.status = world.look().schedules.at("daily");
  world.schedule.status.verified.emplace().restored = api::TestOutcome::kPassed;
  EXPECT_TRUE(world.look().schedules.at("daily").verified);
  world.link.status.backup->expire = api::ExpireAssignment{"2026-11-29T11:00:00Z", {"a"}, std::nullopt};
  const std::string endpoint = std::exchange(world.schedule.spec.destination.s3.endpoint, "https://elsewhere.example");
  EXPECT_FALSE(world.look().schedules.at("daily").verified) << "that was another bucket's";
  world.schedule.spec.destination.s3.endpoint = "http://no-tls.example";
  const BackupLook refused = world.look();
  EXPECT_EQ(refused.schedules.at("daily").unsafe, "Unknown");
  ASSERT_TRUE(refused.assignment) << "what was in force goes on";
  EXPECT_FALSE(refused.assignment->expire) << "but for what it deletes";
}

// As tools replace an object: deleted, and there again a second later.
TEST(BackupDecide, AScheduleThatIsMadeAnewLetsGoOfNothing) {
  World world;
  world.add("one");
  world.step();
  ASSERT_TRUE(world.link.status.backup->run);
  BackupSeen seen;
  seen.link = &world.link;
  seen.members = world.members;
  seen.now = world.now;
  for (const int seconds : {0, 29, 30}) {
    seen.unscheduled_for = std::chrono::seconds(seconds);
    const BackupLook look = decide_backups(seen);
    EXPECT_EQ(look.assignment.has_value(), seconds < 30) << seconds;
    EXPECT_EQ(look.busy, seconds < 30) << "or nobody would look again";
    EXPECT_FALSE(look.assignment && look.assignment->run) << "nobody wants that any more";
  }
}

// A status that was brought to another cluster with its link.
TEST(BackupDecide, TheStanzaOfAnotherLinkIsNeverTakenOver) {
  World world;
  world.step();
  world.members["east"].system_id.clear();  // not known yet
  EXPECT_EQ(world.look().assignment->stanza, "orders-12345678-77");
  world.link.metadata.uid = "87654321-bbbb";
  EXPECT_FALSE(world.look().assignment);
}

TEST(BackupDecide, ALinkWithoutAScheduleStoresNothing) {
  BackupSeen seen;
  World world;
  world.link.status.backup.emplace();
  seen.link = &world.link;
  EXPECT_FALSE(decide_backups(seen).assignment);
}

TEST(BackupDecide, ThePrimaryStoresUnderANameOfThisLinkAndItsData) {
  World world;
  const BackupLook look = world.step();
  ASSERT_TRUE(look.assignment);
  EXPECT_EQ(look.assignment->archiver, "east");
  EXPECT_EQ(look.assignment->stanza, "orders-12345678-77");
  EXPECT_FALSE(look.assignment->run);
  EXPECT_EQ(ready(look).status, api::ConditionStatus::kTrue) << ready(look).message;
  EXPECT_EQ(look.schedules.at("daily").timeline, 1);
  world.schedule.status = look.schedules.at("daily");
  world.link.status.primary = "west";
  world.members["west"].backup.timeline = 0;
  const BackupLook moved = world.step();
  EXPECT_EQ(moved.assignment->archiver, "west");
  EXPECT_FALSE(moved.schedules.at("daily").timeline) << "the former primary's is not the link's any more";
  EXPECT_NE(ready(moved).status, api::ConditionStatus::kTrue) << "nobody stores yet";
  world.members["west"].backup.timeline = 2;
  EXPECT_EQ(world.step().schedules.at("daily").timeline, 2);
  world.link.status.primary.reset();
  EXPECT_EQ(world.step().assignment->archiver, "west") << "while there is none, whoever it was";
  world.link.metadata.uid = "99999999-bbbb";
  world.link.status.backup.reset();
  world.link.status.primary = "east";
  EXPECT_EQ(world.step().assignment->stanza, "orders-99999999-77") << "a link made anew";
}

TEST(BackupDecide, NothingIsNamedBeforeTheDataAreKnown) {
  World world;
  world.members.clear();
  EXPECT_FALSE(world.look().assignment);
  EXPECT_EQ(ready(world.look()).status, api::ConditionStatus::kUnknown);
}

TEST(BackupDecide, ReadyIsSaidOnlyOfWhatIsSo) {
  World world;
  world.members["east"].backup.archiving = false;
  EXPECT_EQ(ready(world.look()).reason, "RestartPending");
  world.members["east"].backup.archiving = true;
  world.members["west"].backup.archiving = false;
  EXPECT_EQ(ready(world.look()).reason, "RestartPending") << "a replica keeps nothing back yet";
  world.members["west"].backup.archiving = true;
  world.members["east"].backup.ready = false;
  EXPECT_EQ(ready(world.look()).status, api::ConditionStatus::kUnknown);
  world.members["west"].backup.trouble = "WalConflict";
  EXPECT_EQ(ready(world.look()).status, api::ConditionStatus::kFalse) << "whoever says so";
  world = World();
  world.members.erase("east");
  world.link.status.backup = World().look().assignment;
  EXPECT_EQ(ready(world.look()).status, api::ConditionStatus::kUnknown);
}

// A mistake in an edit lets no log go; a schedule that is deleted does.
TEST(BackupDecide, AScheduleThatIsMadeInvalidStaysInForceAsItWas) {
  World world;
  world.link.status.backup = world.look().assignment;
  const auto before = world.link.status.backup;
  world.schedule.spec.destination.s3.endpoint = "https://10.0.0.1:9000";
  ASSERT_TRUE(world.look().assignment);
  EXPECT_EQ(*world.look().assignment, *before);
  EXPECT_EQ(ready(world.look()).reason, "Invalid");
  world.schedule.metadata.deletion_timestamp = "2026-11-29T12:00:00Z";
  EXPECT_FALSE(world.look().assignment);
}

TEST(BackupDecide, OneRunsAtATimeTheOldestFirst) {
  World world;
  world.add("one");
  world.add("two");
  const BackupLook first = world.step();
  ASSERT_TRUE(first.assignment->run);
  EXPECT_EQ(*first.assignment->run, (api::BackupRun{"one", "u-one", "east", 1, api::BackupKind::kFull}));
  EXPECT_EQ(world.backups[0].status.phase, BackupPhase::kRunning);
  EXPECT_EQ(world.backups[1].status.phase, BackupPhase::kPending);
  EXPECT_EQ(*world.step().assignment->run, (api::BackupRun{"one", "u-one", "east", 1, api::BackupKind::kFull}))
      << "again, the same";
  world.say("east", BackupReport::Phase::kWaitingForWal);
  world.step();
  EXPECT_EQ(world.backups[0].status.phase, BackupPhase::kWaitingForWal);
  world.say("east", BackupReport::Phase::kCompleted);
  EXPECT_EQ(world.step().assignment->run->name, "two");
  EXPECT_EQ(world.backups[0].status.phase, BackupPhase::kCompleted);
  EXPECT_EQ(world.backups[0].status.label, "20261129-120000F");
}

TEST(BackupDecide, ABackupSaysWhichRepositoryItIsInAndOneThatIsAnotherBeginsItAnew) {
  World world;
  world.add("one");
  world.step();
  EXPECT_EQ(world.backups[0].status.stanza, "orders-12345678-77");
  EXPECT_EQ(world.backups[0].status.repository, api::repository_of(world.schedule.spec.destination.s3));
  EXPECT_FALSE(world.look().schedules.at("daily").last);
  world.schedule.spec.destination.s3.endpoint = "https://moved.example";
  world.step();
  EXPECT_EQ(world.backups[0].status.phase, BackupPhase::kPending);
  world.now += std::chrono::seconds(60);
  world.step();
  EXPECT_EQ(world.backups[0].status.repository, "https://moved.example//");
  world.say("east", BackupReport::Phase::kCompleted);
  EXPECT_EQ(world.step().schedules.at("daily").last->label, "20261129-120000F");
  world.schedule.spec.destination.s3.endpoint = "https://s3.example";
  EXPECT_FALSE(world.look().schedules.at("daily").last) << "it is in the other one";
}

TEST(BackupDecide, DamagedPagesAreToldOfAWholeBackup) {
  for (const auto corrupt : {std::optional<bool>(), std::optional(false), std::optional(true)}) {
    World world;
    world.add("one");
    world.step();
    world.say("east", BackupReport::Phase::kCompleted);
    world.members["east"].backup.run->corrupt = corrupt;
    world.members["east"].backup.run->message = corrupt.value_or(false) ? "pages with wrong checksums" : "";
    const BackupLook look = world.step();
    EXPECT_EQ(world.backups[0].status.phase, BackupPhase::kCompleted);
    EXPECT_EQ(world.backups[0].status.corrupt, corrupt);
    EXPECT_EQ(world.backups[0].status.message.has_value(), corrupt.value_or(false));
    EXPECT_EQ(look.schedules.at("daily").last->corrupt, corrupt);
  }
}

TEST(BackupDecide, ADueRunIsMadeOfAScheduleInForceAndOfNoOther) {
  for (const char* cron : {"0 11 * * *", "0 25 * * *"}) {
    World world;
    world.schedule.metadata.creation_timestamp = "2026-11-29T10:00:00Z";
    world.schedule.spec.full = api::ScheduledRuns{cron};
    const BackupLook look = world.look();
    const bool valid = std::string(cron) == "0 11 * * *";
    ASSERT_EQ(look.runs.contains("daily"), valid);
    EXPECT_EQ(valid && look.runs.at("daily").create, valid);
    EXPECT_EQ(look.busy, valid);
  }
}

TEST(BackupDecide, AnotherAttemptsReportSaysNothing) {
  World world;
  world.add("one");
  world.step();
  world.say("east", BackupReport::Phase::kCompleted);
  for (const auto& [uid, attempt] : {std::pair{"u-one", int64_t{2}}, {"u-two", int64_t{1}}}) {
    world.members["east"].backup.run->uid = uid;
    world.members["east"].backup.run->attempt = attempt;
    world.step();
    EXPECT_EQ(world.backups[0].status.phase, BackupPhase::kRunning);
  }
}

TEST(BackupDecide, AFailoverBeginsTheNextAttemptElsewhereAndThreeAreAllThereAre) {
  World world;
  world.add("one");
  world.step();
  world.link.status.primary = "west";
  const BackupLook moved = world.step();
  EXPECT_FALSE(moved.assignment->run) << "between two attempts there is a moment";
  EXPECT_EQ(world.backups[0].status.phase, BackupPhase::kPending);
  for (int64_t attempt = 2; attempt <= kBackupAttempts; ++attempt) {
    world.now += std::chrono::seconds(60);
    ASSERT_EQ(world.step().assignment->run, (api::BackupRun{"one", "u-one", "west", attempt, api::BackupKind::kFull}));
    world.say("west", BackupReport::Phase::kFailed);
    world.step();
  }
  EXPECT_EQ(world.backups[0].status.phase, BackupPhase::kFailed);
  EXPECT_NE(world.backups[0].status.message->find("words"), std::string::npos);
  EXPECT_FALSE(world.step().assignment->run);
}

// By what was stored, not by what was asked for: an agent that knows no kinds takes a Full whatever is wanted.
TEST(BackupDecide, ABackupIsCompletedOnlyIfWhatIsStoredIsOfItsKind) {
  using api::BackupKind;
  const std::pair<const char*, BackupKind> labels[] = {{"20261129-120000F", BackupKind::kFull},
                                                       {"20261129-120000F_20261129-130000D", BackupKind::kDifferential},
                                                       {"20261129-120000F_20261129-130000I", BackupKind::kIncremental}};
  for (const BackupKind asked : {BackupKind::kFull, BackupKind::kDifferential, BackupKind::kIncremental})
    for (const auto& [label, stored] : labels)
      for (const auto phase : {BackupReport::Phase::kCompleted, BackupReport::Phase::kFailed}) {
        World world;
        world.add("one").spec.kind = asked;
        EXPECT_EQ(world.step().assignment->run->kind, asked);
        world.say("east", phase);
        world.members["east"].backup.run->label = label;
        world.members["east"].backup.run->needs = {"20261129-110000F"};
        world.step();
        const api::BackupStatus& status = world.backups[0].status;
        if (asked == stored && phase == BackupReport::Phase::kFailed) continue;  // it failed for another reason
        EXPECT_EQ(status.phase, asked == stored ? BackupPhase::kCompleted : BackupPhase::kFailed);
        EXPECT_EQ(status.label, label);
        EXPECT_EQ(status.needs,
                  asked == stored ? std::vector<std::string>{"20261129-110000F"} : std::vector<std::string>{});
        EXPECT_EQ(status.message.has_value(), asked != stored);
      }
}

TEST(BackupDecide, AnIncrementWithoutAParentFailsAtOnceAndTheScheduleMakesAFull) {
  for (const bool no_parent : {false, true}) {
    World world;
    world.schedule.metadata.creation_timestamp = "2026-11-29T11:59:00Z";
    world.schedule.spec.full = api::ScheduledRuns{"0 2 * * 0"};
    world.schedule.spec.incremental = api::ScheduledRuns{"0 * * * *"};
    world.schedule.status.last = api::LastBackup{};
    world.schedule.status.last->stanza = World::healthy().stanza;
    world.schedule.status.last->repository = api::repository_of(world.schedule.spec.destination.s3);
    world.schedule.status.last->started_at = "2026-11-29T10:00:00Z";
    const auto due = world.step();
    world.schedule.status = due.schedules.at("daily");
    api::Backup& made = world.add(due.runs.at("daily").create->metadata.name);
    made.spec.kind = due.runs.at("daily").create->spec.kind;
    EXPECT_EQ(made.spec.kind, api::BackupKind::kIncremental);
    world.schedule.status = world.step().schedules.at("daily");
    world.say("east", BackupReport::Phase::kFailed);
    world.members["east"].backup.run->label.clear();
    world.members["east"].backup.run->no_parent = no_parent;
    const BackupLook look = world.step();
    EXPECT_EQ(world.backups[0].status.phase, no_parent ? BackupPhase::kFailed : BackupPhase::kPending);
    const auto& create = look.runs.at("daily").create;
    ASSERT_EQ(create.has_value(), no_parent);
    if (create) {
      EXPECT_EQ(create->spec.kind, api::BackupKind::kFull);
    }
  }
}

// West streams from east, and both know how a replica is backed up.
World with_a_replica() {
  World world;
  for (auto& [name, member] : world.members) {
    member.timeline = 1;
    member.backup.at_replicas = true;
  }
  world.members["west"].backup.timeline = 0;
  world.members["west"].lag_seconds = 0;
  world.members["east"].downstreams["west"].state = "streaming";
  return world;
}

TEST(BackupDecide, AReplicaTakesTheBackupAndThePrimaryStoresTheLog) {
  World world = with_a_replica();
  world.add("one");
  const BackupLook look = world.step();
  EXPECT_EQ(look.assignment->archiver, "east");
  EXPECT_EQ(look.assignment->run->endpoint, "west");
  world.say("west", BackupReport::Phase::kRunning);
  world.now += std::chrono::hours(3);
  EXPECT_EQ(world.step().assignment->run->attempt, 1) << "a copy of hours goes on";
  world.say("west", BackupReport::Phase::kCompleted);
  world.step();
  EXPECT_EQ(world.backups[0].status.phase, BackupPhase::kCompleted);
  EXPECT_EQ(world.backups[0].status.endpoint, "west");
}

TEST(BackupDecide, WhatIsToBeAReplicasWaitsForOneAndSaysWhy) {
  World world = with_a_replica();
  world.schedule.spec.take_from = api::TakeFrom::kReplica;
  world.members["west"].lag_seconds = 4000;
  world.add("one");
  EXPECT_FALSE(world.step().assignment->run);
  EXPECT_EQ(world.backups[0].status.phase, BackupPhase::kPending);
  EXPECT_EQ(world.backups[0].status.attempts, 0);
  EXPECT_NE(world.backups[0].status.message->find("west is 4000 s behind"), std::string::npos);
  world.members["west"].lag_seconds = 1;
  EXPECT_TRUE(world.step().assignment->run);
  EXPECT_FALSE(world.backups[0].status.message);
}

// The replica may be the new primary, or stay one of the new one's: what it copied was the former's.
TEST(BackupDecide, AFailoverEndsTheAttemptAtAReplica) {
  for (const char* next : {"west", "west-2"}) {
    World world = with_a_replica();
    world.add("one");
    world.step();
    world.say("west", BackupReport::Phase::kRunning);
    world.link.status.primary.reset();
    EXPECT_TRUE(world.step().assignment->run) << "while nobody is";
    world.link.status.primary = next;
    world.now += std::chrono::minutes(5);
    world.step();
    EXPECT_EQ(world.backups[0].status.attempts, 2) << "the next begins at once";
    EXPECT_EQ(world.backups[0].status.phase, BackupPhase::kRunning);
  }
}

TEST(BackupDecide, AReplicaThatIsGoneOrDoesNotBeginLosesTheAttempt) {
  for (const bool silent : {false, true})
    for (const bool begun : {false, true})
      for (const int seconds : {30, 90}) {
        World world = with_a_replica();
        world.add("one");
        world.step();
        if (begun) world.say("west", BackupReport::Phase::kRunning);
        if (silent) world.members.erase("west");
        if (silent) world.silent = {"west"};
        world.now += std::chrono::seconds(seconds);
        world.step();
        const bool lost = silent || (!begun && seconds > 60);
        EXPECT_EQ(world.backups[0].status.attempts, lost && seconds > 10 ? 2 : 1) << silent << begun << seconds;
      }
}

TEST(BackupDecide, AReplicaThatIsTakenOutOfTheLinkLosesTheAttempt) {
  World world = with_a_replica();
  world.add("one");
  world.step();
  ASSERT_EQ(world.backups[0].status.endpoint, "west");
  world.say("west", BackupReport::Phase::kRunning);
  world.link.spec.targets.clear();
  world.members.erase("west");
  world.now += std::chrono::minutes(1);
  world.step();
  world.now += std::chrono::minutes(5);
  world.step();
  EXPECT_EQ(world.backups[0].status.attempts, 2);
  EXPECT_EQ(world.backups[0].status.endpoint, "east");
}

TEST(BackupDecide, AScheduleThatIsWrongStoresNothingAndSaysWhichField) {
  for (const auto& [spoil, words] : std::vector<std::pair<std::function<void(World&)>, std::string>>{
           {[](World& w) { w.schedule.spec.destination.s3.endpoint = "http://s3.example"; },
            "spec.destination.s3.endpoint"},
           {[](World& w) { w.schedule.spec.destination.s3.endpoint = "https://10.0.0.1:9000"; },
            "spec.destination.s3.endpoint"},
           {[](World& w) { w.schedule.spec.destination.s3.prefix = "../x"; }, "spec.destination.s3.prefix"},
           {[](World& w) { w.schedule.spec.destination.s3.prefix = "/x"; }, "spec.destination.s3.prefix"},
           {[](World& w) { w.schedule.spec.full = api::ScheduledRuns{"0 0 2 * * 0"}; }, "spec.full.schedule"},
           {[](World& w) { w.schedule.spec.time_zone = "Berlin"; }, "spec.timeZone"},
           {[](World& w) { w.link.spec.engine = api::Engine::kS3; }, "spec.linkRef.name"}}) {
    World world;
    world.add("one");
    spoil(world);
    const BackupLook look = world.look();
    EXPECT_FALSE(look.assignment);
    EXPECT_TRUE(ready(look).message.starts_with(words)) << ready(look).message;
    EXPECT_EQ(look.backups.at("one").phase, BackupPhase::kPending);
    EXPECT_NE(look.backups.at("one").message->find(words), std::string::npos);
  }
}

TEST(BackupDecide, TheOlderOfTwoThatCanNotBothBeIsInForce) {
  World world;
  world.schedule.spec.destination.s3.bucket = "backups";
  world.schedule.spec.destination.s3.prefix = "shop/orders/";
  world.schedule.metadata.creation_timestamp = "2026-11-29T11:00:00Z";
  api::BackupSchedule other = world.schedule;
  other.metadata.name = "other";
  const auto refused = [&](const char* made_at) {
    other.metadata.creation_timestamp = made_at;
    world.others = {other};
    return ready(world.look()).status == api::ConditionStatus::kFalse;
  };
  const auto decided = [&] { return refused("2026-11-29T10:00:00Z") && !refused("2026-11-29T12:00:00Z"); };
  EXPECT_TRUE(decided()) << "of one link";
  EXPECT_EQ(ready(world.look()).reason, "Storing") << "the other is refused, not this one";
  other.spec.link_ref.name = "stock";
  other.metadata.ns = "another";
  for (const char* prefix : {"", "shop", "shop/", "shop/orders", "shop/orders/old/"}) {
    other.spec.destination.s3.prefix = prefix;
    EXPECT_TRUE(decided()) << prefix;
  }
  other.spec.destination.s3.endpoint = "https://S3.example:443/";
  EXPECT_TRUE(decided()) << "the same place, written otherwise";
  for (const char* prefix : {"shop/stock", "shop/orders2", "shop/order"}) {
    other.spec.destination.s3.prefix = prefix;
    EXPECT_FALSE(refused("2026-11-29T10:00:00Z")) << prefix;
  }
  other.spec.destination.s3.prefix = "";
  other.spec.destination.s3.bucket = "elsewhere";
  EXPECT_FALSE(refused("2026-11-29T10:00:00Z"));
}

struct Restoring {
  World world;
  api::Restore restore;
  std::optional<api::ReplicationLink> made;
  std::optional<BackupReport::Restored> said;
  std::map<std::string, bool> claims;
  std::optional<int64_t> writes = 3;

  Restoring() {
    world.schedule.status.stanza = "orders-12345678-77";
    world.schedule.status.archiver = "east";
    world.schedule.status.timeline = 3;
    restore.metadata.name = "before";
    restore.metadata.ns = "shop";
    restore.spec.from.schedule_ref = {"daily"};
    restore.spec.to.new_link = {"orders-1430"};
    restore.spec.target.latest = true;
  }
  RestoreLook step() {
    const RestoreLook look = decide_restore(
        {&restore, &world.schedule, &world.link, made ? &*made : nullptr, writes, said, claims, world.now});
    restore.status = look.status;
    if (look.create) {
      made = *look.create;
      made->metadata.uid = "new";
    }
    if (look.assign) made->status.restore = look.assign;
    if (look.detach) made->status.restore.reset();
    return look;
  }
};

TEST(RestoreDecide, TheLinkIsMadeThenToldThenFollowed) {
  Restoring all;
  all.restore.spec.target = {};
  all.restore.spec.target.time = "2026-11-29T11:00:00Z";
  const RestoreLook begun = all.step();
  ASSERT_TRUE(begun.create);
  EXPECT_EQ(begun.create->metadata.annotations.at(std::string(kRestoreAnnotation)), "before");
  EXPECT_EQ(begun.status.phase, RestorePhase::kFetching);
  const RestoreLook told = all.step();
  ASSERT_TRUE(told.assign);
  EXPECT_EQ(told.assign->timeline, 3) << "every restore names its timeline";
  EXPECT_EQ(told.assign->time, "2026-11-29T11:00:00Z");
  EXPECT_EQ(told.assign->until, to_rfc3339(all.world.now + std::chrono::minutes(10)));
  for (const auto& [step, phase] : {std::pair{BackupReport::Step::kFetching, RestorePhase::kFetching},
                                    {BackupReport::Step::kRecovering, RestorePhase::kRecovering},
                                    {BackupReport::Step::kRestored, RestorePhase::kRecovering}}) {
    all.said = {"before", step, ""};
    EXPECT_EQ(all.step().status.phase, phase);
  }
  EXPECT_TRUE(all.restore.status.recovered_at);
  all.said.reset();  // an agent that starts anew
  all.made->status.primary = "east";
  EXPECT_EQ(all.step().status.phase, RestorePhase::kAttaching);
  const auto link_is = [&](api::ConditionStatus status, const char* reason, const char* message) {
    api::set_condition(all.made->status.conditions, {"Ready", status, std::nullopt, "", reason, message}, 1,
                       all.world.now);
    return all.step().status;
  };
  for (const auto waiting : {api::ConditionStatus::kFalse, api::ConditionStatus::kUnknown}) {
    const auto status = link_is(waiting, "ReplicasNotStreaming", "0 of 1 replicas stream");
    EXPECT_EQ(status.phase, RestorePhase::kAttaching);
    EXPECT_EQ(status.message, "ReplicasNotStreaming: 0 of 1 replicas stream") << "what it waits for is told";
  }
  const auto done = link_is(api::ConditionStatus::kTrue, "Replicating", "");
  EXPECT_EQ(done.phase, RestorePhase::kCompleted);
  EXPECT_FALSE(done.message);
  all.made.reset();
  EXPECT_EQ(all.step().status.phase, RestorePhase::kCompleted) << "over is over";
}

// An agent of before such targets takes them for the latest, and says that it is done.
TEST(RestoreDecide, OtherDataThanWereAskedForAreNeverCalledRestored) {
  using Change = std::function<void(api::RestoreSpec&)>;
  const std::vector<std::pair<bool, Change>> specs{
      {true, [](api::RestoreSpec& spec) { spec.target.time = "2026-11-29T11:00:00Z"; }},
      {true, [](api::RestoreSpec& spec) { spec.target.latest = true; }},
      {false, [](api::RestoreSpec& spec) { spec.target.lsn = "0/5F000000"; }},
      {false, [](api::RestoreSpec& spec) { spec.target.transaction = "731"; }},
      {false, [](api::RestoreSpec& spec) { spec.target.restore_point = "before"; }},
      {false, [](api::RestoreSpec& spec) { spec.target.immediate = true; }},
      {false,
       [](api::RestoreSpec& spec) {
         spec.target.time = "2026-11-29T11:00:00Z";
         spec.target.exclusive = true;
       }},
      {false, [](api::RestoreSpec& spec) {
         spec.target.latest = true;
         spec.target.timeline = 2;
       }}};
  for (size_t i = 0; i < specs.size(); ++i)
    for (const bool new_agent : {false, true}) {
      Restoring all;
      all.restore.spec.target = {};
      specs[i].second(all.restore.spec);
      all.step();
      all.step();
      all.said = {"before", BackupReport::Step::kRestored, "", {}, new_agent ? "0/60000028" : ""};
      const RestoreLook look = all.step();
      const bool believed = specs[i].first || new_agent;
      EXPECT_EQ(look.status.phase == RestorePhase::kFailed, !believed) << i << new_agent;
      EXPECT_EQ(look.status.recovered_at.has_value(), believed) << i << new_agent;
    }
}

// Its agents read the repository's Secrets for as long as status.restore is there: never longer than it goes on.
TEST(RestoreDecide, TheLinkLetsGoOfTheRepositoryExactlyWhenItIsOver) {
  for (const auto phase : {RestorePhase::kFetching, RestorePhase::kRecovering, RestorePhase::kAttaching,
                           RestorePhase::kCompleted, RestorePhase::kFailed})
    for (const bool attached : {false, true})
      for (const bool others : {false, true}) {
        Restoring all;
        all.step();
        if (attached) all.step();
        all.restore.status.phase = phase;
        if (others) all.made->metadata.annotations.clear();
        const bool over = phase == RestorePhase::kCompleted || phase == RestorePhase::kFailed;
        const RestoreLook look = all.step();
        EXPECT_EQ(look.detach, over && attached && !others) << to_string(phase) << attached << others;
        EXPECT_FALSE(over && look.assign);
      }
  Restoring failing;
  failing.step();
  failing.step();
  failing.said = {"before", BackupReport::Step::kFailed, "2026-11-29T11:00:00Z can't be restored"};
  EXPECT_TRUE(failing.step().detach) << "in the look that ends it";
  EXPECT_FALSE(failing.made->status.restore);
  EXPECT_FALSE(failing.step().assign) << "it is not told again";
}

TEST(RestoreDecide, WhatCanNotBeIsRefusedBeforeAnythingIsMade) {
  const std::vector<std::pair<std::function<void(Restoring&)>, std::string>> wrong{
      {[](Restoring& r) {
         r.restore.spec.target = {};
         r.restore.spec.target.time = "2026-11-29T13:00:00Z";
       },
       "spec.target.time"},
      {[](Restoring& r) { r.restore.spec.target = {}; }, "spec.target"},
      {[](Restoring& r) {
         r.restore.spec.target = {};
         r.restore.spec.target.time = "2026-11-29T11:00:00Z";
         r.restore.spec.target.latest = true;
       },
       "spec.target"},
      {[](Restoring& r) { r.made = r.world.link; }, "spec.to.newLink.name"},
      {[](Restoring& r) {
         r.claims = {{"orders-1430-west-data", false}, {"orders-1430-east-data", true}};
       },
       "spec.to.newLink.name: volume claims"}};
  for (const auto& [spoil, words] : wrong) {
    Restoring all;
    spoil(all);
    const RestoreLook look = all.step();
    EXPECT_EQ(look.status.phase, RestorePhase::kFailed);
    EXPECT_FALSE(look.create);
    EXPECT_TRUE(look.status.message->starts_with(words)) << *look.status.message;
  }
  for (const std::optional<int64_t> writes : {std::optional<int64_t>(), std::optional<int64_t>(4)}) {
    Restoring moved;
    moved.writes = writes;
    EXPECT_EQ(moved.step().status.phase, RestorePhase::kPending) << "the schedule knows a former timeline only";
    EXPECT_FALSE(moved.made);
    moved.world.link.status.primary = "";
    EXPECT_EQ(moved.step().status.phase, RestorePhase::kFetching) << "without a primary the last one's word stands";
  }
  Restoring going;
  going.made = going.world.link;
  going.made->metadata.deletion_timestamp = "2026-11-29T11:59:59Z";
  EXPECT_EQ(going.step().status.phase, RestorePhase::kPending) << "one that is being deleted is waited for";
  Restoring leaving;
  leaving.claims = {{"orders-1430-west-data", true}};
  EXPECT_EQ(leaving.step().status.phase, RestorePhase::kPending) << "so are its claims";
  EXPECT_FALSE(leaving.made);
  Restoring waits;
  waits.world.schedule.status.stanza.reset();
  EXPECT_EQ(waits.step().status.phase, RestorePhase::kPending);
  EXPECT_FALSE(waits.made);
}

// Whatever else there is of the name: nothing is called restored but what the agent restored for this very Restore.
TEST(RestoreDecide, OtherDataAreNeverCalledRestored) {
  const auto open_and_ready = [](Restoring& all) {
    all.made->status.primary = "east";
    api::set_condition(all.made->status.conditions,
                       {"Ready", api::ConditionStatus::kTrue, std::nullopt, "", "Replicating", ""}, 1, all.world.now);
  };
  const std::vector<std::optional<BackupReport::Restored>> sayings{
      std::nullopt, BackupReport::Restored{"former", BackupReport::Step::kRestored, ""},
      BackupReport::Restored{"before", BackupReport::Step::kFetching, ""},
      BackupReport::Restored{"before", BackupReport::Step::kRecovering, ""}};
  for (const auto& said : sayings) {
    Restoring all;
    all.step();
    all.step();
    all.said = said;
    open_and_ready(all);
    const auto status = all.step().status;
    EXPECT_EQ(status.phase, RestorePhase::kFetching);
    ASSERT_TRUE(status.message);
    EXPECT_NE(status.message->find("does not say that anything was restored"), std::string::npos) << *status.message;
  }
  // Claims that came between the first look and the link: nothing is fetched.
  Restoring late;
  late.step();
  late.claims = {{"orders-1430-east-data", false}};
  const RestoreLook look = late.step();
  EXPECT_EQ(look.status.phase, RestorePhase::kFailed);
  EXPECT_FALSE(look.assign);
  // The failure of a former one of this name is not this one's.
  Restoring former;
  former.step();
  former.step();
  former.said = {"former", BackupReport::Step::kFailed, "words"};
  EXPECT_EQ(former.step().status.phase, RestorePhase::kFetching);
  // Without a primary again, while replicas are made: that is told, too.
  Restoring lost;
  lost.step();
  lost.step();
  lost.said = {"before", BackupReport::Step::kRestored, ""};
  lost.made->status.primary = "east";
  EXPECT_EQ(lost.step().status.phase, RestorePhase::kAttaching);
  lost.made->status.primary.reset();
  lost.said.reset();
  api::set_condition(lost.made->status.conditions,
                     {"Ready", api::ConditionStatus::kFalse, std::nullopt, "", "NoPrimary", "east: Starting"}, 1,
                     lost.world.now);
  const auto status = lost.step().status;
  EXPECT_EQ(status.phase, RestorePhase::kAttaching);
  EXPECT_EQ(status.message, "NoPrimary: east: Starting");
}

TEST(RestoreDecide, ATargetThatIsNotReachedAndALinkThatIsGoneAreSaid) {
  Restoring all;
  all.step();
  all.step();
  Restoring gone = all;
  all.said = {"before", BackupReport::Step::kFailed, "recovery ended before configured recovery target was reached"};
  EXPECT_EQ(all.step().status.phase, RestorePhase::kFailed);
  gone.step();
  gone.made.reset();
  EXPECT_EQ(gone.step().status.phase, RestorePhase::kFailed);
  // Somebody else's of the same name.
  Restoring other;
  other.step();
  other.made->metadata.annotations.clear();
  EXPECT_EQ(other.step().status.phase, RestorePhase::kFailed);
}

}  // namespace
}  // namespace twinspan::controllers
