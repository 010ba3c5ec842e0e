// Safety of failover over many schedules. TWINSPAN_SEEDS sets how many, TWINSPAN_SEED replays one with its trace.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <mutex>
#include <thread>

#include "world.hpp"

namespace twinspan::simulation {
namespace {

uint64_t number_from(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

const uint64_t kSeeds = number_from("TWINSPAN_SEEDS", 30'000);

struct Sweep {
  std::optional<uint64_t> first_bad;
  std::string first_violation;
  int64_t failovers = 0, acknowledged = 0, restored = 0;
  Faults happened;
};

// `only_unsafe`: not recovering in time does not count.
Sweep sweep(uint64_t from, uint64_t count, const Options& options, bool only_unsafe) {
  Sweep total;
  std::mutex mutex;
  std::atomic<uint64_t> next = from;
  std::atomic<bool> enough = false;
  const auto work = [&] {
    for (uint64_t seed; !enough && (seed = next++) < from + count;) {
      const Outcome outcome = run(seed, options);
      std::lock_guard lock(mutex);
      total.failovers += outcome.failovers;
      total.acknowledged += outcome.acknowledged;
      total.restored += outcome.restored;
      total.happened |= outcome.happened;
      if (only_unsafe ? !outcome.unsafe : outcome.violations.empty()) continue;
      if (!total.first_bad || seed < *total.first_bad) {
        total.first_bad = seed;
        total.first_violation = outcome.violations.front();
      }
      enough = true;
    }
  };
  std::vector<std::jthread> threads;
  for (unsigned i = 0; i < std::max(1u, std::thread::hardware_concurrency()); ++i) threads.emplace_back(work);
  threads.clear();
  return total;
}

bool replayed(const Options& options) {
  const uint64_t seed = number_from("TWINSPAN_SEED", 0);
  if (seed == 0) return false;
  Options traced = options;
  traced.trace = true;
  const Outcome outcome = run(seed, traced);
  for (const std::string& line : outcome.trace) fmt::print("{}\n", line);
  EXPECT_EQ(outcome.violations, std::vector<std::string>());
  return true;
}

void expect_safe(const Options& options, uint64_t from, uint64_t count) {
  if (replayed(options)) return;
  const Sweep total = sweep(from, count, options, false);
  EXPECT_FALSE(total.first_bad) << "seed " << total.first_bad.value_or(0) << ": " << total.first_violation
                                << "\nreplay with TWINSPAN_SEED=" << total.first_bad.value_or(0)
                                << " and --gtest_filter="
                                << testing::UnitTest::GetInstance()->current_test_info()->name();
  // A simulation in which nothing fails over proves nothing.
  EXPECT_GT(total.failovers, static_cast<int64_t>(count));
  EXPECT_GT(total.acknowledged, static_cast<int64_t>(count) * 100);
  EXPECT_GT(total.restored, 0);
  EXPECT_EQ(total.happened, options.allowed) << "some kind of fault never happened";
  fmt::print("{} seeds, {} changes of primary, {} restores, {} acknowledged writes\n", count, total.failovers,
             total.restored, total.acknowledged);
}

Options with(bool synchronous, int members, Mode mode = Mode::kAutomatic) {
  Options options;
  if (const char* name = std::getenv("TWINSPAN_WITHOUT"))
    for (size_t i = 0; i < options.allowed.size(); ++i)
      if (std::string_view(name).find(to_string(static_cast<Fault>(i))) != std::string_view::npos)
        options.allowed.reset(i);
  // An election takes the durability that the spec has by then, not the one in which the last primary acknowledged.
  options.allowed.reset(static_cast<size_t>(Fault::kDurabilityChanges));
  options.synchronous = synchronous;
  options.members = members;
  options.mode = mode;
  return options;
}

TEST(FailoverSimulation, SyncNeverHasTwoPrimariesNorLosesAcknowledgedWrites) {
  expect_safe(with(true, 3), 1, kSeeds * 6 / 10);
}

TEST(FailoverSimulation, AsyncNeverHasTwoPrimaries) { expect_safe(with(false, 3), 1'000'000, kSeeds * 2 / 10); }

TEST(FailoverSimulation, TwoMembersNeverHaveTwoPrimaries) { expect_safe(with(true, 2), 2'000'000, kSeeds / 10); }

// Nothing but a person's word may lose what the last primary alone had.
TEST(FailoverSimulation, WhereNobodyElseMayBePromotedNothingIsLost) {
  Options options = with(false, 3, Mode::kManual);
  options.allowed.reset(static_cast<size_t>(Fault::kSwitchover));
  options.allowed.reset(static_cast<size_t>(Fault::kModeChanges));
  expect_safe(options, 3'000'000, kSeeds / 10);
}

TEST(FailoverSimulation, SameSeedIsTheSameRun) {
  Options options;
  options.trace = true;
  EXPECT_EQ(run(42, options).trace, run(42, options).trace);
}

// Each mistake is found by the faults that it makes dangerous.
struct Planted {
  Mistake mistake;
  Fault fault;  // in every seed
  bool only_unsafe = true;
  bool synchronous = true;
  uint64_t within = 3000;
};
constexpr Planted kPlanted[] = {
    {Mistake::kFenceIgnored, Fault::kCutFromApi},
    {Mistake::kUnfrozenElection, Fault::kDatabaseDies, true, true, 20'000},
    {Mistake::kReportsNeverAge, Fault::kCutFromOperators, true, true, 30'000},
    {Mistake::kPromotionAwaitedForEver, Fault::kPromotionHangs, false},
    {Mistake::kMemoryForgotten, Fault::kLinkApplied},
    {Mistake::kFreeLeaseAtOnce, Fault::kLeaseFreed},
    {Mistake::kLowerVersionsIgnored, Fault::kEtcdRestored, false},
    {Mistake::kOldLeaseTakenAgain, Fault::kEtcdRestored},
    {Mistake::kSilentIsEmpty, Fault::kLinkApplied},
    {Mistake::kSourceWasLast, Fault::kLeaseFreed, true, false},
    {Mistake::kNumbersTellHistories, Fault::kAgentRestarts, true, false},
    {Mistake::kWordNeverAges, Fault::kVolumeLost},
    {Mistake::kRestoredRemembersOld, Fault::kRestored},
    {Mistake::kRestoredNumberUsed, Fault::kRestored},
    {Mistake::kRestoreUndone, Fault::kRestored},
};

class PlantedMistake : public testing::TestWithParam<Planted> {};

TEST_P(PlantedMistake, IsFound) {
  Options options = with(GetParam().synchronous, 3);
  options.mistake = GetParam().mistake;
  options.always = GetParam().fault;
  // Each is looked for beside what makes it dangerous: restores give up writes whose loss would show the others.
  if (GetParam().fault != Fault::kRestored) options.allowed.reset(static_cast<size_t>(Fault::kRestored));
  if (replayed(options)) return;
  const Sweep total = sweep(1, GetParam().within, options, GetParam().only_unsafe);
  ASSERT_TRUE(total.first_bad) << "went unnoticed in " << GetParam().within << " seeds";
  fmt::print("found at seed {}: {}\n", *total.first_bad, total.first_violation);
  options.mistake = Mistake::kNone;
  EXPECT_EQ(run(*total.first_bad, options).violations, std::vector<std::string>()) << "found without the mistake";
}

INSTANTIATE_TEST_SUITE_P(FailoverSimulation, PlantedMistake, testing::ValuesIn(kPlanted),
                         [](const auto& planted) { return std::string(to_string(planted.param.mistake)); });

}  // namespace
}  // namespace twinspan::simulation
