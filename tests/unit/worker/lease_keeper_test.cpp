#include "worker/postgres/lease_keeper.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <deque>

namespace twinspan::worker {
namespace {

using std::chrono::milliseconds;

class ManualClock final : public Clock {
 public:
  BootTime boot_now() const override { return BootTime(milliseconds(now_)); }
  WallTime wall_now() const override { return WallTime{}; }
  void advance(milliseconds time) { now_ += time.count(); }

 private:
  std::atomic<int64_t> now_{1'000'000};
};

// A lease with the API server's rules: a write needs the version it was read at.
class FakeStore final : public LeaseStore {
 public:
  explicit FakeStore(ManualClock& clock) : clock_(clock) { lease_.record.version = "1"; }

  Result<StoredLease> read(std::stop_token) override {
    std::lock_guard lock(mutex_);
    return lease_;
  }
  Result<StoredLease> write(const LeaseRecord& record, milliseconds duration, bool, std::stop_token stop) override {
    if (stop.stop_requested()) return fail(Code::kCancelled, "stopped");
    std::lock_guard lock(mutex_);
    ++writes_;
    clock_.advance(takes_);
    if (failures_ > 0) {
      --failures_;
      if (failure_applies_ && record.version == lease_.record.version) store(record, duration);
      return fail(Code::kTimeout, "no answer");
    }
    if (record.version != lease_.record.version) return fail(Code::kConflict, "version");
    store(record, duration);
    return lease_;
  }
  StoredLease now() {
    std::lock_guard lock(mutex_);
    return lease_;
  }
  void overwrite(const std::function<void(LeaseRecord&)>& change) {
    std::lock_guard lock(mutex_);
    change(lease_.record);
    bump();
  }
  void set_back(StoredLease to) {
    std::lock_guard lock(mutex_);
    lease_ = std::move(to);
  }
  void fail_next(int count, bool applies) {
    std::lock_guard lock(mutex_);
    failures_ = count;
    failure_applies_ = applies;
  }
  void takes(milliseconds time) { takes_ = time; }
  int writes() {
    std::lock_guard lock(mutex_);
    return writes_;
  }

 private:
  void store(const LeaseRecord& record, milliseconds duration) {
    lease_.record = record;
    lease_.duration = duration;
    bump();
  }
  void bump() { lease_.record.version = std::to_string(std::stoi(lease_.record.version) + 1); }
  ManualClock& clock_;
  std::mutex mutex_;
  StoredLease lease_;
  int failures_ = 0, writes_ = 0;
  bool failure_applies_ = false;
  milliseconds takes_{0};
};

class Keeper : public ::testing::Test {
 protected:
  ManualClock clock;
  FakeStore store{clock};
  std::atomic<int64_t> fence_at{0};
  std::atomic<bool> fit{true};
  std::atomic<uint64_t> end{0};  // 0: not known
  LeaseKeeper keeper{
      store,
      clock,
      {"east", "uid-1", {}},
      {[this](BootTime at) { fence_at = at.time_since_epoch().count(); }, [] {}, [](bool) {},
       [this] { return fit.load(); }, [this] { return end == 0 ? std::nullopt : std::optional(Position{end}); }}};

  void SetUp() override {
    keeper.observed(store.now(), clock.boot_now());
    keeper.start();
  }
  bool eventually(const std::function<bool()>& holds) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!holds()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(milliseconds(1));
    }
    return true;
  }
  void another_holds_for(milliseconds duration) {
    store.overwrite([](LeaseRecord& record) {
      record.holder_endpoint = "west";
      record.holder_instance = "uid-9";
      record.epoch = {1};
    });
    StoredLease lease = store.now();
    lease.duration = duration;
    keeper.observed(lease, clock.boot_now());
  }
  bool take(Epoch epoch) {
    return keeper.take(store.now().record.version, epoch) && eventually([&] { return !keeper.view({}).busy; });
  }
};

TEST_F(Keeper, CountsItsRightFromWhenTheRequestWasSent) {
  store.takes(milliseconds(700));
  const BootTime sent = clock.boot_now();
  ASSERT_TRUE(take({1}));
  ASSERT_TRUE(keeper.view({}).tenure);
  EXPECT_EQ(keeper.view({}).fence_at, sent + milliseconds(4000));
  EXPECT_EQ(fence_at, (sent + milliseconds(4000)).time_since_epoch().count());
}

TEST_F(Keeper, RenewsWhenItIsTimeAndKeepsThePromotion) {
  ASSERT_TRUE(take({1}));
  ASSERT_TRUE(keeper.mark_promoted());
  ASSERT_TRUE(eventually([&] { return store.now().record.promoted; }));
  const std::string before = store.now().record.version;
  clock.advance(milliseconds(1001));
  ASSERT_TRUE(eventually([&] { return store.now().record.version != before; }));
  EXPECT_TRUE(store.now().record.promoted);
  EXPECT_EQ(store.now().record.epoch, Epoch{1});
}

TEST_F(Keeper, EveryRenewalSaysHowFarTheLogGoes) {
  const auto renewed = [&] {
    const std::string before = store.now().record.version;
    clock.advance(milliseconds(1001));
    return eventually([&] { return store.now().record.version != before; });
  };
  ASSERT_TRUE(take({1}));
  EXPECT_FALSE(store.now().record.end);
  end = 100;
  ASSERT_TRUE(keeper.mark_promoted());
  ASSERT_TRUE(eventually([&] { return store.now().record.end == Position{100}; }));
  end = 200;
  ASSERT_TRUE(renewed());
  EXPECT_EQ(store.now().record.end, Position{200});
  end = 0;  // the database does not answer: it had that much
  ASSERT_TRUE(renewed());
  EXPECT_EQ(store.now().record.end, Position{200});
}

TEST_F(Keeper, HasNoRightOnceItsTimeIsOverWhateverTheLeaseSays) {
  ASSERT_TRUE(take({1}));
  store.fail_next(1000, false);
  clock.advance(milliseconds(3999));
  EXPECT_TRUE(keeper.view({}).tenure);
  clock.advance(milliseconds(1));
  EXPECT_FALSE(keeper.view({}).tenure);
  EXPECT_TRUE(store.now().record.held());
}

TEST_F(Keeper, AnAnswerThatWasLostIsNoRightUntilItIsRenewed) {
  store.fail_next(1, true);
  ASSERT_TRUE(take({1}));
  EXPECT_FALSE(keeper.view({}).tenure);
  // It has read again: the lease names this very instance, and renewing it is what the decision asks for.
  ASSERT_EQ(keeper.view({}).record->holder_instance, "uid-1");
  ASSERT_TRUE(take({1}));
  EXPECT_EQ(keeper.view({}).tenure, Epoch{1});
}

// After an outage of the API: a link that had a primary in this epoch had one, whatever was renewed since.
TEST_F(Keeper, TakingItsOwnLeaseAgainKeepsItPromoted) {
  ASSERT_TRUE(take({1}));
  ASSERT_TRUE(keeper.mark_promoted());
  ASSERT_TRUE(eventually([&] { return store.now().record.promoted; }));
  ASSERT_TRUE(eventually([&] { return !keeper.view({}).busy; }));
  clock.advance(milliseconds(4001));
  EXPECT_FALSE(keeper.view({}).tenure);
  ASSERT_TRUE(take({1}));
  EXPECT_TRUE(keeper.view({}).tenure);
  EXPECT_TRUE(store.now().record.promoted);
  ASSERT_TRUE(take({2}));
  EXPECT_FALSE(store.now().record.promoted);
}

TEST_F(Keeper, LosesItsRightAsSoonAsItSeesAnotherHolder) {
  ASSERT_TRUE(take({1}));
  store.overwrite([](LeaseRecord& record) {
    record.holder_endpoint = "west";
    record.holder_instance = "uid-9";
    record.epoch = {2};
  });
  keeper.observed(store.now(), clock.boot_now());
  EXPECT_FALSE(keeper.view({}).tenure);
  EXPECT_FALSE(keeper.view({}).stood);
}

TEST_F(Keeper, DoesNotTakeAVersionThatHasChanged) {
  const std::string version = store.now().record.version;
  store.overwrite([](LeaseRecord& record) {
    record.holder_endpoint = "west";
    record.holder_instance = "uid-9";
    record.epoch = {1};
  });
  ASSERT_TRUE(keeper.take(version, {1}));
  ASSERT_TRUE(eventually([&] { return !keeper.view({}).busy; }));
  EXPECT_FALSE(keeper.view({}).tenure);
  EXPECT_EQ(store.now().record.holder_endpoint, "west");
}

TEST_F(Keeper, ReleaseEndsTheRightBeforeItIsAnswered) {
  ASSERT_TRUE(take({1}));
  store.fail_next(2, false);
  ASSERT_TRUE(keeper.release(Cause::kProcessDied, std::nullopt));
  EXPECT_FALSE(keeper.view({}).tenure);
  ASSERT_TRUE(eventually([&] { return !store.now().record.held(); }));
  EXPECT_EQ(store.now().record.release, (Release{"east", Cause::kProcessDied, std::nullopt}));
  EXPECT_EQ(store.now().record.epoch, Epoch{1});
}

// A pod that is deleted ends at once: without its release everybody would wait until the lease has run out.
TEST_F(Keeper, AReleaseIsWrittenAlsoOnTheWayOut) {
  ASSERT_TRUE(take({1}));
  store.fail_next(2, false);
  ASSERT_TRUE(keeper.release(Cause::kShutdown, Position{7}));
  keeper.stop();
  EXPECT_EQ(store.now().record.release, (Release{"east", Cause::kShutdown, Position{7}}));
}

TEST_F(Keeper, AnotherHoldersPromiseOfMoreTimeIsRespected) {
  another_holds_for(milliseconds(20000));
  clock.advance(milliseconds(6000));
  EXPECT_FALSE(keeper.view({}).stood);
  clock.advance(milliseconds(14000));
  EXPECT_TRUE(keeper.view({}).stood);
}

// Its holder was cut off when somebody edited the lease, and knows of the longer time alone.
TEST_F(Keeper, AShorterDurationTakesNothingBack) {
  another_holds_for(milliseconds(20000));
  store.overwrite([](LeaseRecord&) {});
  StoredLease edited = store.now();
  edited.duration = milliseconds(0);
  keeper.observed(edited, clock.boot_now());
  ASSERT_EQ(keeper.view({}).record->version, edited.record.version);
  clock.advance(milliseconds(19999));
  EXPECT_FALSE(keeper.view({}).stood);
  clock.advance(milliseconds(1));
  EXPECT_TRUE(keeper.view({}).stood);
  EXPECT_FALSE(keeper.view(milliseconds(20001)).stood) << "an earlier life knew of more";
}

TEST_F(Keeper, ALongerLeaseCountsOnceTheOthersCanReadOfIt) {
  ASSERT_TRUE(take({1}));
  const BootTime promised = keeper.view({}).fence_at;
  keeper.set_timing({milliseconds(20000), milliseconds(1000), milliseconds(4000)});
  EXPECT_EQ(keeper.view({}).fence_at, promised);
  clock.advance(milliseconds(1001));
  ASSERT_TRUE(eventually([&] { return keeper.view({}).fence_at > promised; }));
  EXPECT_EQ(store.now().duration, milliseconds(20000));
  EXPECT_EQ(keeper.view({}).fence_at, clock.boot_now() + milliseconds(16000));
}

TEST_F(Keeper, AnUnfitHolderLetsItsLeaseRunOutAndCannotHaveItBackMeanwhile) {
  ASSERT_TRUE(take({1}));
  const int writes = store.writes();
  fit = false;
  // Whether the keeper wakes once or a hundred times on the way makes no difference: it never writes.
  for (int i = 0; i < 8; ++i) {
    clock.advance(milliseconds(499));
    ASSERT_TRUE(keeper.mark_promoted());
    ASSERT_TRUE(eventually([&] { return !keeper.view({}).busy; }));
  }
  EXPECT_TRUE(keeper.view({}).tenure);
  clock.advance(milliseconds(8));
  EXPECT_FALSE(keeper.view({}).tenure);
  ASSERT_TRUE(take({1}));
  EXPECT_FALSE(keeper.view({}).tenure);
  EXPECT_EQ(store.writes(), writes);
  fit = true;
  ASSERT_TRUE(take({1}));
  EXPECT_EQ(keeper.view({}).tenure, Epoch{1});
}

// The API comes from an older backup: a renewal that conflicts reads again, and what that read answers is the truth.
TEST_F(Keeper, LosesItsRightWhereALeaseFromABackupNamesAnother) {
  StoredLease backup = store.now();
  backup.record.holder_endpoint = "west";
  backup.record.holder_instance = "uid-9";
  backup.record.epoch = {1};
  for (int i = 0; i < 5; ++i) store.overwrite([](LeaseRecord&) {});
  ASSERT_TRUE(take({2}));
  store.set_back(backup);
  clock.advance(milliseconds(1001));
  ASSERT_TRUE(eventually([&] { return !keeper.view({}).tenure; }));
  EXPECT_EQ(keeper.view({}).record->holder_endpoint, "west");
  EXPECT_TRUE(keeper.view({}).went_back);
  EXPECT_FALSE(keeper.view({}).stood);
}

TEST_F(Keeper, KeepsItsRightWhereALeaseFromABackupStillNamesIt) {
  for (int i = 0; i < 5; ++i) store.overwrite([](LeaseRecord&) {});
  ASSERT_TRUE(take({2}));
  const StoredLease backup = store.now();
  for (int i = 0; i < 5; ++i) {
    const std::string version = store.now().record.version;
    clock.advance(milliseconds(1001));
    ASSERT_TRUE(eventually([&] { return store.now().record.version != version; }));
  }
  store.set_back(backup);
  clock.advance(milliseconds(1001));
  ASSERT_TRUE(eventually([&] { return keeper.view({}).went_back; }));
  EXPECT_EQ(keeper.view({}).tenure, Epoch{2});
}

TEST_F(Keeper, TakesWhatIsToldAfterHistoryWentBack) {
  const StoredLease old = store.now();
  for (int i = 0; i < 5; ++i) store.overwrite([](LeaseRecord&) {});
  keeper.observed(store.now(), clock.boot_now());
  keeper.observed(old, clock.boot_now());
  EXPECT_NE(keeper.view({}).record->version, old.record.version) << "an event that comes late";
  keeper.history_went_back();
  keeper.observed(old, clock.boot_now());
  EXPECT_EQ(keeper.view({}).record->version, old.record.version);
  EXPECT_TRUE(keeper.view({}).went_back);
}

TEST_F(Keeper, IgnoresWhatIsOlderThanItKnows) {
  const StoredLease old = store.now();
  ASSERT_TRUE(take({1}));
  keeper.observed(old, clock.boot_now());
  EXPECT_EQ(keeper.view({}).tenure, Epoch{1});
  EXPECT_EQ(keeper.view({}).record->holder_endpoint, "east");
}

}  // namespace
}  // namespace twinspan::worker
