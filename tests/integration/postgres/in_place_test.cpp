// A restore in place, from what pgBackRest wrote: the primary goes on while its former data are fetched and recovered
// beside it, they change places, and what was there before comes back by one word. Skipped where pgBackRest is not
// installed.
#include <filesystem>
#include <mutex>

#include "backup/archive.hpp"
#include "engines/postgres/files.hpp"
#include "engines/postgres/processes.hpp"
#include "integration/postgres/stored.hpp"
#include "worker/postgres/backup/in_place_keeper.hpp"
#include "worker/postgres/backup/left_log.hpp"
#include "worker/postgres/backup/restore_data.hpp"
#include "worker/postgres/backup/restored_mark.hpp"
#include "worker/postgres/memory_file.hpp"

namespace twinspan::worker {
namespace {

using Step = BackupReport::Step;

class InPlaceTest : public Stored {
 protected:
  // An agent's keeper beside the running primary: of the agent nothing else is needed.
  struct Agent {
    explicit Agent(InPlaceTest& test)
        : places(test.east.layout.data_dir),
          local([this] { note(); }),
          keeper({test.children, test.east.layout, places, test.access_, test.clock_, local,
                  [&test] {
                    std::lock_guard lock(test.mutex_);
                    return test.standing_;
                  },
                  [&test] { return test.program_; }}) {
      local.update([](Local& one) { one.timeline = 1; });
      keeper.start();
    }
    void note() {
      const auto said = local.copy().backup;
      std::lock_guard lock(mutex);
      if (said && said->restored && (steps.empty() || steps.back() != said->restored->step))
        steps.push_back(said->restored->step);
    }
    std::vector<Step> told() {
      std::lock_guard lock(mutex);
      return steps;
    }
    // The last word of its report.
    BackupReport::Restored said() const {
      const auto report = local.copy().backup;
      return report && report->restored ? *report->restored : BackupReport::Restored{};
    }
    bool comes_to(Step step) {
      return eventually([&] { return said().step == step || (step != Step::kFailed && said().step == Step::kFailed); },
                        std::chrono::minutes(3));
    }

    InPlace places;
    std::mutex mutex;
    std::vector<Step> steps;
    LocalState local;
    InPlaceKeeper keeper;
  };

  void stand(bool may_write, const std::optional<api::RestoreAssignment>& order) {
    auto desired = std::make_shared<Desired>();
    desired->settings = east.settings;
    desired->restore = order;
    std::lock_guard lock(mutex_);
    standing_ = {std::move(desired), may_write, 1};
  }
  api::RestoreAssignment order_to(const Commit& commit) {
    api::RestoreAssignment order = assignment();
    order.name = "back@1";
    order.lsn = commit.position;
    order.in_place = api::InPlaceAssignment{"east", 24, false, false};
    return order;
  }
  // What the job does while the database is stopped.
  void change_places(Agent& agent, Epoch epoch, bool back) {
    ASSERT_TRUE(east.postmaster->stop(postgres::StopMode::kFast, std::chrono::seconds(60)));
    const Status done = agent.places.exchange({"back@1", epoch, clock_.wall_now() + 24h, back});
    ASSERT_OK(done);
    agent.local.update([](Local& one) {
      one.backup.reset();
      one.prepared.clear();
    });
    ASSERT_OK(east.start());
  }
  std::string rows() { return east.value("SELECT coalesce(string_agg(i::text, ' ' ORDER BY i), 'none') FROM rows"); }
  // As if the last segment had not been stored when they stopped: it has the same bytes there.
  void store_what_the_old_data_left() {
    const std::string kept = east.layout.data_dir + "/before/back@1/pgdata";
    std::string newest;
    for (const auto& entry : std::filesystem::directory_iterator(kept + "/pg_wal/archive_status"))
      if (const std::string name = entry.path();
          name.ends_with(".done") && backup::is_whole_segment(entry.path().stem().string()))
        newest = std::max(newest, name);
    ASSERT_FALSE(newest.empty());
    std::filesystem::rename(newest, newest.substr(0, newest.size() - 5) + ".ready");
    ASSERT_FALSE(left_log(kept).empty());
    for (bool stored = true; stored;) {
      const auto one = store_left(*program_, kept, {});
      ASSERT_OK(one);
      stored = *one;
    }
    EXPECT_TRUE(left_log(kept).empty());
    EXPECT_TRUE(std::filesystem::exists(newest));
  }
  std::string timeline() { return east.value("SELECT timeline_id FROM pg_control_checkpoint()"); }

  std::mutex mutex_;
  InPlaceKeeper::Standing standing_;
};

TEST_F(InPlaceTest, ADroppedTableIsBackAndTheNewerDataComeBackByAWord) {
  ASSERT_OK(write_memory(east.layout.data_dir,
                         {{{6}, Epoch{6}, DataPart::kPrimary, std::chrono::seconds(15), {{{6}, {}}}}, "7001"}));
  commit(0);
  back_up();
  commit(1);
  const Commit last = commit(2);
  ASSERT_OK(east.sql("DROP TABLE rows"));
  ASSERT_OK(east.sql("CREATE TABLE newer AS SELECT 7 AS i"));
  store_all();

  api::RestoreAssignment order = order_to(last);
  stand(true, order);
  {
    Agent agent(*this);
    ASSERT_TRUE(agent.comes_to(Step::kPrepared)) << agent.said().message;
    ASSERT_EQ(agent.said().step, Step::kPrepared) << agent.said().message;
    EXPECT_EQ(agent.told(), (std::vector<Step>{Step::kFetching, Step::kRecovering, Step::kPrepared}));
    EXPECT_FALSE(agent.said().reached.empty());
    EXPECT_EQ(agent.local.copy().prepared, "back@1");
    EXPECT_TRUE(postgres::server_processes(beside(east.layout).pgdata(), {}).empty());
    EXPECT_FALSE(postgres::exists(beside(east.layout).run_dir)) << "the repository's keys are in there";
  }
  ASSERT_OK(east.sql("INSERT INTO newer VALUES (8)"));  // the primary went on

  // What is whole is known to an agent that starts anew, and fetched no second time.
  Agent agent(*this);
  ASSERT_TRUE(agent.comes_to(Step::kPrepared)) << agent.said().message;
  EXPECT_EQ(agent.told(), std::vector<Step>{Step::kPrepared});
  order.in_place->replace = true;
  stand(false, order);
  change_places(agent, Epoch{7}, false);
  EXPECT_EQ(rows(), "0 1 2");
  EXPECT_NE(east.value("SELECT count(*) FROM newer").find("does not exist"), std::string::npos);
  EXPECT_EQ(east.value("SELECT pg_is_in_recovery()::text"), "false");
  EXPECT_EQ(read_memory(east.layout.data_dir).value()->memory.epochs, (EpochHistory{{{7}, {}}}));
  const auto mark = read_restored_mark(east.layout.data_dir);
  ASSERT_TRUE(mark);
  EXPECT_EQ(said_of(*mark).step, Step::kRestored);
  EXPECT_FALSE(said_of(*mark).until.empty());
  // The numbers of before are never used again, stored or not.
  EXPECT_EQ(timeline(), "6");
  commit(3);
  store_all();
  EXPECT_TRUE(eventually([&] {
    const auto got = program_->run({"archive-get", "00000006.history", scratch.path() + "/history"}, {}, {});
    return got && got->exit.clean();
  }));

  store_what_the_old_data_left();
  order.in_place->bring_back = true;
  stand(true, order);
  ASSERT_TRUE(agent.comes_to(Step::kPrepared)) << agent.said().message;
  ASSERT_TRUE(eventually([&] { return agent.local.copy().prepared == "back@1"; }));
  stand(false, order);
  change_places(agent, Epoch{8}, true);
  EXPECT_EQ(east.value("SELECT string_agg(i::text, ' ' ORDER BY i) FROM newer"), "7 8");
  EXPECT_NE(rows().find("does not exist"), std::string::npos);
  EXPECT_EQ(timeline(), "1");
  EXPECT_EQ(read_memory(east.layout.data_dir).value()->memory.epochs, (EpochHistory{{{6}, {}}}));
  EXPECT_TRUE(read_restored_mark(east.layout.data_dir).value_or(RestoredMark{}).brought_back);
  ASSERT_OK(east.sql("INSERT INTO newer VALUES (9)"));
  agent.keeper.stop();
  EXPECT_EQ(agent.places.remove_kept(clock_.wall_now() + 25h, ""), std::vector<std::string>{"back@1"});
  EXPECT_FALSE(postgres::exists(east.layout.data_dir + "/before/back@1"));
}

// What can't be reached is said, nothing of it stays, and the primary never noticed.
TEST_F(InPlaceTest, WhatCanNotBeRestoredTouchesNothing) {
  back_up();
  const Commit one = commit(1);
  store_all();
  api::RestoreAssignment order = order_to(one);
  order.lsn = "7/5F000000";
  stand(true, order);
  Agent agent(*this);
  ASSERT_TRUE(agent.comes_to(Step::kFailed)) << agent.said().message;
  EXPECT_NE(agent.said().message.find("can't be restored"), std::string::npos) << agent.said().message;
  EXPECT_EQ(agent.local.copy().prepared, "");
  EXPECT_FALSE(postgres::exists(east.layout.data_dir + "/restoring"));
  EXPECT_EQ(rows(), "1");
  // Once nobody asks for it any more it is not spoken of.
  stand(true, std::nullopt);
  EXPECT_TRUE(eventually([&] { return !agent.local.copy().backup->restored; }));
}

// Replaying its making would write into the directory that is in use.
TEST_F(InPlaceTest, ATablespaceOfAfterTheBackupIsNotReplayedBesideTheOneInUse) {
  back_up();
  const std::string place = east.layout.data_dir + "/fast";
  ASSERT_TRUE(std::filesystem::create_directory(place));
  ASSERT_OK(east.sql(fmt::format("CREATE TABLESPACE fast LOCATION '{}'", place)));
  ASSERT_OK(east.sql("CREATE TABLE quick (i int) TABLESPACE fast"));
  ASSERT_OK(east.sql("INSERT INTO quick VALUES (1)"));
  const Commit last = commit(1);
  store_all();
  stand(true, order_to(last));
  Agent agent(*this);
  ASSERT_TRUE(agent.comes_to(Step::kFailed)) << agent.said().message;
  EXPECT_NE(agent.said().message.find(place), std::string::npos) << agent.said().message;
  ASSERT_OK(east.sql("CHECKPOINT"));
  EXPECT_EQ(east.value("SELECT count(*) FROM quick"), "1");
}

}  // namespace
}  // namespace twinspan::worker
