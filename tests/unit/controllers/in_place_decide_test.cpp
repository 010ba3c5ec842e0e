// Restores in the place of a link's data: what is ordered when, and when nothing may be.
#include "controllers/backup/in_place_decide.hpp"

#include <gtest/gtest.h>

#include "api/conditions.hpp"
#include "contract/names.hpp"
#include "controllers/backup/bring_back.hpp"

namespace twinspan::controllers {
namespace {

using api::RestorePhase;
using Step = BackupReport::Step;

struct InPlace {
  api::Restore restore;
  std::optional<api::BackupSchedule> schedule;
  std::optional<api::Backup> backup;
  std::optional<api::ReplicationLink> link;
  std::optional<int64_t> writes = 3;
  std::optional<BackupReport::Restored> said;
  bool settled = true, followed = true;
  std::vector<std::shared_ptr<const api::Restore>> others;
  WallTime now = *parse_rfc3339("2026-11-29T12:00:00Z");

  InPlace() {
    schedule.emplace();
    schedule->metadata.name = "daily";
    schedule->spec.link_ref.name = "orders";
    schedule->spec.destination.s3.bucket = "backups";
    schedule->status.stanza = "orders-12345678-77";
    schedule->status.timeline = 3;
    link.emplace();
    link->metadata.name = "orders";
    link->metadata.uid = "12345678-9abc";
    link->spec.engine = api::Engine::kPostgres;
    link->spec.source.name = "east";
    link->status.primary = "west";
    restore.metadata.name = "before";
    restore.metadata.ns = "shop";
    restore.metadata.uid = "aa-1";
    restore.metadata.creation_timestamp = "2026-11-29T11:59:00Z";
    restore.spec.to.in_place = api::InPlace{{"orders"}, "orders", 48};
    restore.spec.target.time = "2026-11-29T11:00:00Z";
    restore.spec.from.schedule_ref = {"daily"};
  }
  RestoreLook step() {
    RestoreSeen seen{
        &restore, schedule ? &*schedule : nullptr, link ? &*link : nullptr, link ? &*link : nullptr, writes, said, {},
        now,      backup ? &*backup : nullptr};
    seen.settled = settled;
    seen.followed = followed;
    seen.others = others;
    const RestoreLook look = decide_restore(seen);
    restore.status = look.status;
    EXPECT_FALSE(look.create);
    EXPECT_FALSE(look.assign && look.detach);
    if (look.assign) link->status.restore = look.assign;
    if (look.detach) link->status.restore.reset();
    return look;
  }
  void say(Step step, const std::string& message = "") {
    said = BackupReport::Restored{order_name(restore), step, message};
  }
  void ordered() {
    step();
    step();
  }
  void replacing() {
    ordered();
    say(Step::kPrepared);
    step();
  }
  void recovered() {
    replacing();
    say(Step::kRestored);
    said->until = "2026-12-01T12:00:00Z";
    step();
  }
  void ready(api::ConditionStatus status = api::ConditionStatus::kTrue) {
    api::set_condition(link->status.conditions, {"Ready", status, std::nullopt, "", "Replicating", ""}, 1, now);
  }
  void completed() {
    recovered();
    ready();
    step();
    ASSERT_EQ(restore.status.phase, RestorePhase::kCompleted) << message();
  }
  void annotate(const std::string& word) { restore.metadata.annotations[std::string(kBringBackAnnotation)] = word; }
  std::shared_ptr<const api::Restore> other(const std::string& name, RestorePhase phase, const std::string& created) {
    auto one = std::make_shared<api::Restore>(restore);
    one->metadata.name = name;
    one->metadata.uid = name + "-uid";
    one->metadata.creation_timestamp = created;
    one->status.phase = phase;
    return one;
  }
  std::string message() { return restore.status.message.value_or(""); }
  std::string back() { return restore.status.brought_back.value_or(""); }
  const std::optional<api::RestoreAssignment>& order() { return link->status.restore; }
};

// The data are replaced only once their successors are said to be whole, and the order is gone once they are.
TEST(InPlaceDecide, ItIsFetchedBesideThenReplacedThenAttached) {
  InPlace all;
  const RestoreLook begun = all.step();
  EXPECT_EQ(begun.status.phase, RestorePhase::kFetching) << all.message();
  EXPECT_EQ(begun.status.into, "orders");
  EXPECT_EQ(begun.status.endpoint, "west");
  EXPECT_EQ(begun.status.link, "12345678-9abc");
  EXPECT_FALSE(begun.assign) << "the status is written first";
  ASSERT_TRUE(all.step().assign);
  EXPECT_EQ(all.order()->name, "before@aa-1");
  EXPECT_EQ(all.order()->stanza, "orders-12345678-77");
  EXPECT_EQ(all.order()->timeline, 3);
  EXPECT_EQ(all.order()->time, "2026-11-29T11:00:00Z");
  EXPECT_EQ(all.order()->destination.s3.bucket, "backups");
  EXPECT_EQ(*all.order()->in_place, (api::InPlaceAssignment{"west", 48, false, false}));
  for (const auto& [step, phase] : {std::pair{Step::kFetching, RestorePhase::kFetching},
                                    {Step::kRecovering, RestorePhase::kRecovering},
                                    {Step::kPrepared, RestorePhase::kReplacing}}) {
    all.say(step, "words");
    EXPECT_EQ(all.step().status.phase, phase);
    EXPECT_EQ(all.message(), "words");
    EXPECT_EQ(all.order()->in_place->replace, phase == RestorePhase::kReplacing) << to_string(phase);
    EXPECT_TRUE(reads_repository(all.restore));
  }
  all.said.reset();
  all.link->status.primary = "";
  EXPECT_EQ(all.step().status.phase, RestorePhase::kReplacing) << "nobody is heard while it changes";
  EXPECT_TRUE(all.order()->in_place->replace);
  all.link->status.primary = "west";
  all.say(Step::kRestored);
  all.said->until = "2026-12-01T12:00:00Z";
  all.said->reached = "0/60000028";
  EXPECT_TRUE(all.step().detach) << "what is done must not be done again";
  EXPECT_EQ(all.restore.status.phase, RestorePhase::kAttaching);
  EXPECT_EQ(all.restore.status.recovered_at, to_rfc3339(all.now));
  EXPECT_EQ(all.restore.status.old_data_until, "2026-12-01T12:00:00Z");
  EXPECT_EQ(all.restore.status.reached, "0/60000028");
  all.ready(api::ConditionStatus::kFalse);
  EXPECT_EQ(all.step().status.phase, RestorePhase::kAttaching);
  all.ready();
  all.followed = false;
  EXPECT_EQ(all.step().status.phase, RestorePhase::kAttaching) << "Ready of before proves nothing";
  EXPECT_FALSE(all.restore.status.completed_at);
  all.followed = true;
  EXPECT_EQ(all.step().status.phase, RestorePhase::kCompleted);
  EXPECT_FALSE(all.step().again);
  EXPECT_FALSE(all.order());
}

TEST(InPlaceDecide, WhatCanNotBeIsRefusedBeforeAnythingIsOrdered) {
  using Spoil = std::function<void(InPlace&)>;
  const std::vector<std::pair<Spoil, std::string>> wrong{
      {[](InPlace& one) { one.restore.spec.target.time = "2026-11-29T12:00:01Z"; }, "spec.target.time: lies in the"},
      {[](InPlace& one) { one.restore.spec.to.in_place->confirm = "order"; }, "spec.to.inPlace.confirm: "},
      {[](InPlace& one) { one.restore.spec.to.new_link = api::NewLink{"again"}; }, "spec.to: exactly one"},
      {[](InPlace& one) {
         one.restore.spec.from = {};
         one.restore.spec.from.repository = {{}, "orders-12345678-77", {}};
       },
       "spec.from.repository: may be of any link"},
      {[](InPlace& one) { one.schedule->spec.link_ref.name = "stock"; },
       "spec.from.scheduleRef.name: BackupSchedule daily is of link stock"},
      {[](InPlace& one) {
         one.restore.spec.from = {};
         one.restore.spec.from.backup_ref = {"monday"};
         one.backup.emplace().spec.schedule_ref.name = "daily";
         one.backup->status = {};
         one.backup->status.phase = api::BackupPhase::kCompleted;
         one.backup->status.label = "20261129-010000F";
         one.backup->status.stanza = "orders-12345678-66";
       },
       "spec.from.backupRef.name: what it names is of stanza orders-12345678-66"},
      {[](InPlace& one) { one.link->spec.engine = api::Engine::kS3; }, "spec.to.inPlace.linkRef.name: link orders is"}};
  for (const auto& [spoil, words] : wrong) {
    InPlace one;
    spoil(one);
    EXPECT_EQ(one.step().status.phase, RestorePhase::kFailed) << words << ": " << one.message();
    EXPECT_NE(one.message().find(words), std::string::npos) << one.message();
    one.step();
    EXPECT_FALSE(one.order());
  }
}

TEST(InPlaceDecide, WhatMayStillComeIsWaitedFor) {
  using Spoil = std::function<void(InPlace&)>;
  const std::vector<std::pair<Spoil, std::string>> waits{
      {[](InPlace& one) { one.link.reset(); }, "there is no ReplicationLink \"orders\""},
      {[](InPlace& one) { one.link->metadata.deletion_timestamp = "2026-11-29T11:59:59Z"; }, "is being deleted"},
      {[](InPlace& one) { one.link->spec.paused = true; }, "link orders is paused"},
      {[](InPlace& one) { one.link->status.primary = ""; }, "has no primary"},
      {[](InPlace& one) { one.link->status.primary.reset(); }, "has no primary"},
      {[](InPlace& one) { one.settled = false; }, "a change of primary is under way"},
      {[](InPlace& one) { one.schedule.reset(); }, "there is no BackupSchedule \"daily\""},
      {[](InPlace& one) { one.schedule->status.stanza.reset(); }, "has stored nothing"},
      {[](InPlace& one) { one.schedule->status.stanza = "orders-87654321-77"; }, "has stored nothing of this link"},
      {[](InPlace& one) { one.writes.reset(); }, "does not know yet what timeline"},
      {[](InPlace& one) { one.writes = 4; }, "does not know yet what timeline"},
      {[](InPlace& one) { one.link->status.restore.emplace().name = "first"; }, "Restore first is at work"},
      {[](InPlace& one) { one.others = {one.other("first", RestorePhase::kAttaching, "2026-11-29T12:30:00Z")}; },
       "Restore first is at work"}};
  for (const auto& [spoil, words] : waits) {
    InPlace one;
    spoil(one);
    EXPECT_EQ(one.step().status.phase, RestorePhase::kPending) << words;
    EXPECT_NE(one.message().find(words), std::string::npos) << one.message();
  }
}

// Whatever two of them have seen of each other, one is ordered, and the other waits.
TEST(InPlaceDecide, OneAtATimeGoesIntoALink) {
  for (const auto mine : {RestorePhase::kPending, RestorePhase::kFetching})
    for (const auto its : {RestorePhase::kPending, RestorePhase::kFetching, RestorePhase::kReplacing,
                           RestorePhase::kAttaching, RestorePhase::kCompleted, RestorePhase::kFailed})
      for (const bool elder : {false, true}) {
        InPlace one;
        if (mine == RestorePhase::kFetching) one.step();
        one.others = {one.other("first", its, elder ? "2026-11-29T11:00:00Z" : "2026-11-29T11:59:59Z")};
        const bool begun =
            its != RestorePhase::kPending && its != RestorePhase::kCompleted && its != RestorePhase::kFailed;
        const bool waits = begun && (mine == RestorePhase::kPending || elder);
        one.step();
        if (mine == RestorePhase::kPending) {
          EXPECT_EQ(one.restore.status.phase == RestorePhase::kPending, waits) << to_string(its) << elder;
        } else {
          EXPECT_EQ(one.order().has_value(), !waits) << to_string(its) << elder;
        }
      }
  InPlace ordered;
  ordered.ordered();
  ordered.others = {ordered.other("first", RestorePhase::kFetching, "2026-11-29T11:00:00Z")};
  ordered.say(Step::kRecovering);
  EXPECT_EQ(ordered.step().status.phase, RestorePhase::kRecovering) << "whose order is there goes on";
}

// In every phase before the data are in their place.
TEST(InPlaceDecide, WhatFailsLeavesNoOrderBehind) {
  using Happens = std::function<void(InPlace&)>;
  const std::vector<std::pair<Happens, std::string>> all{
      {[](InPlace& one) { one.link->status.primary = "east"; }, "east"},
      {[](InPlace& one) { one.say(Step::kFailed, "no room"); }, "no room. Nothing was replaced"},
      {[](InPlace& one) { one.link->metadata.uid = "12345678-other"; }, "was deleted meanwhile"},
      {[](InPlace& one) { one.link.reset(); }, "was deleted meanwhile"}};
  for (const bool replacing : {false, true})
    for (const auto& [happens, words] : all) {
      InPlace one;
      replacing ? one.replacing() : one.ordered();
      ASSERT_TRUE(one.order());
      happens(one);
      EXPECT_EQ(one.step().status.phase, RestorePhase::kFailed) << words;
      EXPECT_NE(one.message().find(words), std::string::npos) << one.message();
      EXPECT_FALSE(one.link && one.order());
      one.say(Step::kRestored);
      EXPECT_EQ(one.step().status.phase, RestorePhase::kFailed) << "over is over";
      EXPECT_FALSE(one.restore.status.recovered_at);
    }
  InPlace deleted;
  deleted.replacing();
  deleted.restore.metadata.deletion_timestamp = "2026-11-29T12:00:01Z";
  EXPECT_TRUE(deleted.step().detach);
  EXPECT_FALSE(deleted.step().assign);
  InPlace moved;  // once they are in their place a failover is one like any other
  moved.recovered();
  moved.link->status.primary = "east";
  moved.ready();
  EXPECT_EQ(moved.step().status.phase, RestorePhase::kCompleted);
}

TEST(InPlaceDecide, OtherDataThanItsOwnAreNeverTakenForPrepared) {
  for (const char* name : {"before", "before@aa-0", "after@aa-1", ""})
    for (const auto step : {Step::kPrepared, Step::kRestored, Step::kFailed}) {
      InPlace one;
      one.ordered();
      one.said = BackupReport::Restored{name, step, "words"};
      EXPECT_EQ(one.step().status.phase, RestorePhase::kFetching) << name;
      EXPECT_FALSE(one.order()->in_place->replace);
      EXPECT_FALSE(one.restore.status.recovered_at);
    }
  InPlace anew;  // its volume was lost: what was prepared is not there any more
  anew.replacing();
  anew.say(Step::kFetching);
  EXPECT_EQ(anew.step().status.phase, RestorePhase::kFetching);
  EXPECT_FALSE(anew.order()->in_place->replace);
}

TEST(InPlaceDecide, AnAgentThatDoesNotTakeItUpIsNamed) {
  InPlace one;
  one.ordered();
  EXPECT_EQ(one.message(), "");
  one.now += std::chrono::minutes(3);
  one.step();
  EXPECT_EQ(one.restore.status.phase, RestorePhase::kFetching);
  EXPECT_NE(one.message().find("west"), std::string::npos);
  EXPECT_NE(one.message().find("managed.image"), std::string::npos);
  one.say(Step::kFetching);
  one.step();
  EXPECT_EQ(one.message(), "");
  InPlace paused;
  paused.replacing();
  paused.link->spec.paused = true;
  paused.step();
  EXPECT_NE(paused.message().find("is paused: west goes on"), std::string::npos) << paused.message();
}

TEST(InPlaceDecide, AnOrderIsOfOneRestoreAndOneLink) {
  InPlace one;
  one.ordered();
  const api::RestoreAssignment order = *one.order();
  EXPECT_EQ(restore_of_order(order.name), "before");
  EXPECT_TRUE(is_wanted(order, *one.link, &one.restore));
  EXPECT_FALSE(is_wanted(order, *one.link, nullptr));
  const std::vector<std::function<void(InPlace&)>> others{
      [](InPlace& x) { x.restore.metadata.uid = "aa-2"; },
      [](InPlace& x) { x.restore.metadata.deletion_timestamp = "2026-11-29T12:00:01Z"; },
      [](InPlace& x) { x.restore.status.link.reset(); },
      [](InPlace& x) { x.link->metadata.uid = "12345678-other"; },
      [](InPlace& x) { x.link->metadata.name = "stock"; },
      [](InPlace& x) {
        x.restore.spec.to = {api::NewLink{"orders"}, std::nullopt};
      }};
  for (const auto& change : others) {
    InPlace changed = one;
    change(changed);
    EXPECT_FALSE(is_wanted(order, *changed.link, &changed.restore));
  }
}

// A link that a Restore made goes on with its life: nothing of that one takes another's order away.
TEST(InPlaceDecide, TheRestoreThatMadeTheLinkLeavesItAlone) {
  InPlace one;
  one.ordered();
  api::Restore maker;
  maker.metadata.name = "before";
  maker.spec.to.new_link = api::NewLink{"orders"};
  maker.status.phase = RestorePhase::kCompleted;
  maker.status.link = one.link->metadata.uid;
  one.link->metadata.annotations[std::string(kRestoreAnnotation)] = "before";
  RestoreSeen seen;
  seen.restore = &maker;
  seen.made = &*one.link;
  EXPECT_FALSE(decide_restore(seen).detach);
}

TEST(BringBack, TheOldDataTakeTheirPlaceAgain) {
  for (const bool attaching : {false, true}) {
    InPlace one;
    attaching ? one.recovered() : one.completed();
    one.annotate("orders");
    EXPECT_TRUE(one.step().assign) << one.back();
    EXPECT_EQ(one.back(), kBringingBack);
    EXPECT_EQ(one.order()->name, "before@aa-1");
    EXPECT_EQ(*one.order()->in_place, (api::InPlaceAssignment{"west", 48, true, true}));
    one.link->status.primary = "";
    const RestoreLook meanwhile = one.step();
    EXPECT_TRUE(meanwhile.again);
    EXPECT_FALSE(meanwhile.assign || meanwhile.detach);
    one.link->status.primary = "west";
    one.said->brought_back = true;
    EXPECT_TRUE(one.step().detach);
    EXPECT_EQ(one.back(), kBroughtBack);
    EXPECT_EQ(one.restore.status.brought_back_at, to_rfc3339(one.now));
    EXPECT_FALSE(one.step().assign) << "the annotation is still there";
    one.ready();
    EXPECT_EQ(one.step().status.phase, RestorePhase::kCompleted);
  }
}

TEST(BringBack, WhatCanNotBeStaysSoUntilTheWordIsTakenAway) {
  using Spoil = std::function<void(InPlace&)>;
  const std::vector<std::pair<Spoil, std::string>> wrong{
      {[](InPlace& one) { one.annotate("order"); }, "the link's name orders is expected"},
      {[](InPlace& one) { one.now = *parse_rfc3339("2026-12-01T12:00:00Z"); }, "were kept until"},
      {[](InPlace& one) { one.link->status.primary = "east"; }, "switch over to west first"},
      {[](InPlace& one) { one.link->metadata.uid = "other"; }, "was deleted meanwhile"},
      {[](InPlace& one) { one.link.reset(); }, "was deleted meanwhile"}};
  for (const auto& [spoil, words] : wrong) {
    InPlace one, well;
    one.completed();
    well = one;
    one.annotate("orders");
    spoil(one);
    one.step();
    EXPECT_TRUE(one.back().starts_with("Failed: ")) << one.back();
    EXPECT_NE(one.back().find(words), std::string::npos) << one.back();
    one.link = well.link;
    one.now = well.now;
    EXPECT_FALSE(one.step().assign) << "a word of long ago";
    one.restore.metadata.annotations.clear();
    one.step();
    EXPECT_EQ(one.back(), "");
    one.annotate("orders");
    EXPECT_TRUE(one.step().assign);
  }
  InPlace failing;
  failing.completed();
  failing.annotate("orders");
  failing.step();
  failing.say(Step::kFailed, "they are not there");
  EXPECT_TRUE(failing.step().detach);
  EXPECT_EQ(failing.back(), "Failed: they are not there");
  InPlace early;
  early.annotate("orders");
  early.replacing();
  EXPECT_TRUE(early.back().starts_with("Failed: nothing was replaced yet")) << early.back();
  early.say(Step::kRestored);
  early.step();
  EXPECT_FALSE(early.order()) << "nobody meant that";
}

TEST(BringBack, WhatPassesIsWaitedFor) {
  using Spoil = std::function<void(InPlace&)>;
  const std::vector<std::pair<Spoil, std::string>> waits{
      {[](InPlace& one) { one.link->spec.paused = true; }, "is paused"},
      {[](InPlace& one) { one.link->status.primary = ""; }, "has no primary"},
      {[](InPlace& one) { one.settled = false; }, "a change of primary"},
      {[](InPlace& one) { one.others = {one.other("second", RestorePhase::kFetching, "2026-11-29T12:30:00Z")}; },
       "Restore second is at work"},
      {[](InPlace& one) { one.schedule.reset(); }, "no BackupSchedule says"}};
  for (const auto& [spoil, words] : waits) {
    InPlace one;
    one.completed();
    const InPlace well = one;
    one.annotate("orders");
    spoil(one);
    const RestoreLook look = one.step();
    EXPECT_FALSE(look.assign);
    EXPECT_TRUE(look.again) << words;
    EXPECT_NE(one.back().find(words), std::string::npos) << one.back();
    one.link = well.link;
    one.schedule = well.schedule;
    one.settled = true;
    one.others.clear();
    EXPECT_TRUE(one.step().assign) << one.back();
  }
  InPlace called_off;
  called_off.completed();
  called_off.annotate("orders");
  called_off.step();
  called_off.restore.metadata.annotations.clear();
  EXPECT_TRUE(called_off.step().detach);
  EXPECT_EQ(called_off.back(), "");
}

}  // namespace
}  // namespace twinspan::controllers
