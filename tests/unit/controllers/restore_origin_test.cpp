// Where a Restore's data come from, and into which link they may go.
#include <gtest/gtest.h>

#include "contract/names.hpp"
#include "controllers/backup/restore_decide.hpp"

namespace twinspan::controllers {
namespace {

using api::RestorePhase;

struct Seen {
  api::Restore restore;
  std::optional<api::BackupSchedule> schedule;
  std::optional<api::Backup> backup;
  std::optional<api::ReplicationLink> source, made;
  std::optional<int64_t> writes = 3;
  std::optional<BackupReport::Restored> said;
  std::map<std::string, bool> claims;
  WallTime now = *parse_rfc3339("2026-11-29T12:00:00Z");

  Seen() {
    schedule.emplace();
    schedule->metadata.name = "daily";
    schedule->spec.link_ref.name = "orders";
    schedule->spec.destination.s3.bucket = "backups";
    schedule->status.stanza = "orders-1-77";
    schedule->status.timeline = 3;
    source.emplace();
    source->metadata.name = "orders";
    source->spec.engine = api::Engine::kPostgres;
    source->status.primary = "east";
    restore.metadata.name = "before";
    restore.metadata.ns = "shop";
    restore.spec.to.new_link = {"again"};
    restore.spec.target.latest = true;
    restore.spec.from.schedule_ref = {"daily"};
  }
  void from_backup() {
    restore.spec.from = {};
    restore.spec.from.backup_ref = {"monday"};
    backup.emplace();
    backup->metadata.name = "monday";
    backup->spec.schedule_ref.name = "daily";
    backup->status.phase = api::BackupPhase::kCompleted;
    backup->status.label = "20261129-010000F";
    backup->status.stanza = "orders-1-77";
  }
  // Nothing but a bucket, and a manifest that somebody kept.
  void from_repository() {
    schedule.reset();
    source.reset();
    restore.spec.from = {};
    restore.spec.from.repository = {{}, "orders-1-77", api::SecretKeyReference{"backup-key", "key"}};
    restore.spec.from.repository->s3.endpoint = "https://s3.example";
    restore.spec.from.repository->s3.bucket = "kept";
  }
  void make_own() {
    made.emplace();
    made->metadata.name = "again";
    made->metadata.uid = "own";
    made->metadata.annotations[std::string(kRestoreAnnotation)] = "before";
    made->spec.engine = api::Engine::kPostgres;
  }
  RestoreLook step() {
    const RestoreLook look =
        decide_restore({&restore, schedule ? &*schedule : nullptr, source ? &*source : nullptr, made ? &*made : nullptr,
                        writes, said, claims, now, backup ? &*backup : nullptr});
    restore.status = look.status;
    if (look.create) {
      made = *look.create;
      made->metadata.uid = "new";
    }
    if (look.assign) made->status.restore = look.assign;
    return look;
  }
  std::string message() { return restore.status.message.value_or(""); }
};

TEST(RestoreOrigin, EveryTargetIsToldAsItIs) {
  const auto told = [](const std::function<void(api::RestoreTarget&)>& set) {
    Seen seen;
    seen.restore.spec.target = {};
    set(seen.restore.spec.target);
    seen.step();
    const auto look = seen.step();
    EXPECT_TRUE(look.assign) << seen.message();
    return look.assign.value_or(api::RestoreAssignment{});
  };
  const auto latest = told([](auto& target) { target.latest = true; });
  EXPECT_FALSE(latest.time || latest.lsn || latest.transaction || latest.restore_point || latest.immediate);
  EXPECT_FALSE(latest.label) << "its agent chooses";
  EXPECT_EQ(told([](auto& target) { target.time = "2026-11-29T11:00:00Z"; }).time, "2026-11-29T11:00:00Z");
  EXPECT_EQ(told([](auto& target) { target.lsn = "0/5000028"; }).lsn, "0/5000028");
  EXPECT_EQ(told([](auto& target) { target.transaction = "731"; }).transaction, "731");
  EXPECT_EQ(told([](auto& target) { target.restore_point = "x"; }).restore_point, "x");
  EXPECT_TRUE(told([](auto& target) { target.immediate = true; }).immediate);
  EXPECT_TRUE(told([](auto& target) {
                target.lsn = "0/5000028";
                target.exclusive = true;
              }).exclusive);
  for (const int64_t timeline : {1, 3}) {
    const auto followed = told([&](auto& target) {
      target.latest = true;
      target.timeline = timeline;
    });
    EXPECT_EQ(followed.timeline, timeline);
    EXPECT_EQ(followed.until.has_value(), timeline == 3) << "nothing comes any more to a timeline that was left";
  }
}

TEST(RestoreOrigin, ABackupIsBegunWithOnceItIsWhole) {
  for (const auto phase : {api::BackupPhase::kPending, api::BackupPhase::kRunning, api::BackupPhase::kWaitingForWal,
                           api::BackupPhase::kCompleted, api::BackupPhase::kFailed})
    for (const bool there : {false, true}) {
      Seen seen;
      seen.from_backup();
      seen.backup->status.phase = phase;
      if (!there) seen.backup.reset();
      seen.step();
      const bool whole = there && phase == api::BackupPhase::kCompleted;
      const bool failed = there && phase == api::BackupPhase::kFailed;
      EXPECT_EQ(seen.restore.status.phase, whole    ? RestorePhase::kFetching
                                           : failed ? RestorePhase::kFailed
                                                    : RestorePhase::kPending);
      EXPECT_EQ(seen.message().empty(), whole);
      EXPECT_EQ(seen.made.has_value(), whole);
      if (!whole) continue;
      const auto look = seen.step();
      ASSERT_TRUE(look.assign);
      EXPECT_EQ(look.assign->label, "20261129-010000F");
      EXPECT_EQ(look.assign->timeline, 3);
    }
  Seen former;  // of a link that was made anew since: another stanza, whose timelines mean nothing there
  former.from_backup();
  former.backup->status.stanza = "orders-0-66";
  former.writes.reset();
  former.step();
  const auto look = former.step();
  ASSERT_TRUE(look.assign) << former.message();
  EXPECT_EQ(look.assign->stanza, "orders-0-66");
  EXPECT_EQ(look.assign->timeline, 0) << "the newest that is stored";
  EXPECT_FALSE(look.assign->until);
}

TEST(RestoreOrigin, ARepositoryAloneFillsTheLinkThatWasMadeForIt) {
  Seen seen;
  seen.from_repository();
  EXPECT_FALSE(seen.step().create) << "no manifest is known";
  EXPECT_EQ(seen.restore.status.phase, RestorePhase::kPending);
  EXPECT_NE(seen.message().find("twinspan.dev/restore: before"), std::string::npos) << seen.message();
  seen.make_own();
  seen.step();
  EXPECT_EQ(seen.restore.status.phase, RestorePhase::kFetching) << seen.message();
  EXPECT_EQ(seen.restore.status.link, "own");
  const auto look = seen.step();
  ASSERT_TRUE(look.assign);
  EXPECT_EQ(look.assign->destination.s3.bucket, "kept");
  EXPECT_EQ(look.assign->encryption->key_secret_ref.name, "backup-key");
  EXPECT_EQ(look.assign->stanza, "orders-1-77");
  EXPECT_EQ(look.assign->timeline, 0);
  seen.said = BackupReport::Restored{"before", BackupReport::Step::kFetching, ""};
  seen.said->plan = {"20261129-010000F", "Full", "0/5F0139A0", 4, 620};
  seen.step();
  ASSERT_TRUE(seen.restore.status.plan);
  EXPECT_EQ(seen.restore.status.plan->kind, api::BackupKind::kFull);
  EXPECT_EQ(seen.restore.status.timeline, 4);
  seen.said = BackupReport::Restored{"before", BackupReport::Step::kRestored, "", {}, "0/60000028"};
  seen.step();
  EXPECT_EQ(seen.restore.status.reached, "0/60000028");
  EXPECT_TRUE(seen.restore.status.plan) << "an agent that starts anew does not know it, and takes nothing away";
  seen.made.reset();
  seen.step();
  EXPECT_EQ(seen.restore.status.phase, RestorePhase::kFailed);
  EXPECT_NE(seen.message().find("deleted meanwhile"), std::string::npos);
}

// A link that has data, or another place to take them from, is never touched.
TEST(RestoreOrigin, NoOtherLinkIsFilled) {
  using Spoil = std::function<void(Seen&)>;
  const std::vector<std::pair<Spoil, std::string>> wrong{
      {[](Seen& seen) { seen.made->metadata.annotations.clear(); }, "exists, another name"},
      {[](Seen& seen) { seen.made->metadata.annotations[std::string(kRestoreAnnotation)] = "other"; },
       "exists, another name"},
      {[](Seen& seen) { seen.made->status.primary = "east"; }, "has data"},
      {[](Seen& seen) { seen.made->spec.engine = api::Engine::kS3; }, "engine"},
      {[](Seen& seen) { seen.made->spec.postgres.bootstrap.emplace(); }, "bootstrap"},
      {[](Seen& seen) { seen.made->status.restore.emplace().name = "before"; }, "an earlier Restore of this name"},
      {[](Seen& seen) {
         seen.said = BackupReport::Restored{"before", BackupReport::Step::kFailed, "words"};
       },
       "an earlier Restore of this name"},
      {[](Seen& seen) {
         seen.claims = {{"again-east-data", false}};
       },
       "volume claims of an earlier link"}};
  for (const bool repository : {false, true})
    for (const auto& [spoil, words] : wrong) {
      Seen seen;
      if (repository) seen.from_repository();
      seen.make_own();
      spoil(seen);
      const auto look = seen.step();
      EXPECT_EQ(look.status.phase, RestorePhase::kFailed) << words;
      EXPECT_FALSE(look.assign || look.create || look.detach);
      EXPECT_NE(seen.message().find(words), std::string::npos) << seen.message();
    }
  Seen paused;
  paused.from_repository();
  paused.make_own();
  paused.made->spec.paused = true;
  paused.step();
  EXPECT_EQ(paused.restore.status.phase, RestorePhase::kPending);
  Seen own;  // with a spec of its own, also where the schedule's link is gone
  own.source.reset();
  EXPECT_FALSE(own.step().create);
  own.make_own();
  EXPECT_FALSE(own.step().create);
  EXPECT_EQ(own.restore.status.phase, RestorePhase::kFetching) << own.message();
}

// Between the first look and the link all that it refers to may go.
TEST(RestoreOrigin, WhatIsGoneMeanwhileIsWaitedFor) {
  for (const bool schedule : {false, true})
    for (const bool source : {false, true}) {
      Seen seen;
      seen.restore.status.phase = RestorePhase::kFetching;
      if (!schedule) seen.schedule.reset();
      if (!source) seen.source.reset();
      EXPECT_EQ(seen.step().create.has_value(), source) << schedule;
      EXPECT_EQ(seen.restore.status.phase, RestorePhase::kFetching);
      EXPECT_EQ(seen.message().empty(), source) << seen.message();
      if (!source) continue;
      EXPECT_EQ(seen.step().assign.has_value(), schedule) << seen.message();
    }
}

// What neither the schema nor CEL can tell.
TEST(RestoreOrigin, AWrongFieldIsNamedBeforeAnythingIsMade) {
  using Spoil = std::function<void(Seen&)>;
  const std::vector<std::pair<Spoil, std::string>> wrong{
      {[](Seen& seen) { seen.restore.spec.target.timeline = int64_t{1} << 32; }, "spec.target.timeline: "},
      {[](Seen& seen) {
         seen.restore.spec.target = {};
         seen.restore.spec.target.time = "yesterday";
       },
       "spec.target.time: "},
      {[](Seen& seen) { seen.restore.spec.target.lsn = "0/5000028"; }, "spec.target: exactly one"},
      {[](Seen& seen) { seen.restore.spec.target.exclusive = true; }, "spec.target.exclusive: "},
      {[](Seen& seen) { seen.restore.spec.from = {}; }, "spec.from: exactly one"},
      {[](Seen& seen) {
         seen.from_repository();
         seen.restore.spec.from.repository->s3.endpoint = "https://192.0.2.7";
       },
       "spec.from.repository.s3.endpoint: needs a host name"}};
  for (const auto& [spoil, words] : wrong) {
    Seen seen;
    spoil(seen);
    EXPECT_FALSE(seen.step().create) << words;
    EXPECT_EQ(seen.restore.status.phase, RestorePhase::kFailed);
    EXPECT_NE(seen.message().find(words), std::string::npos) << seen.message();
  }
}

TEST(RestoreOrigin, ATimeInTheFutureIsToldTheNewest) {
  for (const bool known : {false, true}) {
    Seen seen;
    if (known) seen.schedule->status.windows = {{"2026-11-01T00:00:00Z", "2026-11-29T11:59:00Z", 3}};
    seen.restore.spec.target = {};
    seen.restore.spec.target.time = "2026-11-29T12:00:01Z";
    seen.step();
    EXPECT_EQ(seen.restore.status.phase, RestorePhase::kFailed);
    EXPECT_NE(seen.message().find(known ? "the newest that can be restored is 2026-11-29T11:59:00Z" : "latest takes"),
              std::string::npos)
        << seen.message();
  }
}

}  // namespace
}  // namespace twinspan::controllers
