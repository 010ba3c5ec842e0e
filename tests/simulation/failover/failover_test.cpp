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

struct Sweep {
  uint64_t bad_seeds = 0;
  std::optional<uint64_t> first_bad;
  std::string first_violation;
  int64_t failovers = 0, acknowledged = 0;
};

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
      if (only_unsafe ? !outcome.unsafe : outcome.violations.empty()) continue;
      ++total.bad_seeds;
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

void expect_safe(const Options& options, uint64_t from, uint64_t count) {
  const Sweep total = sweep(from, count, options, false);
  EXPECT_EQ(total.bad_seeds, 0u) << "seed " << total.first_bad.value_or(0) << ": " << total.first_violation
                                 << "\nreplay with TWINSPAN_SEED=" << total.first_bad.value_or(0);
  // A simulation in which nothing fails over proves nothing.
  EXPECT_GT(total.failovers, static_cast<int64_t>(count));
  EXPECT_GT(total.acknowledged, static_cast<int64_t>(count) * 100);
  fmt::print("{} seeds, {} changes of primary, {} acknowledged writes\n", count, total.failovers, total.acknowledged);
}

const uint64_t kSeeds = number_from("TWINSPAN_SEEDS", 100'000);

TEST(FailoverSimulation, SyncNeverHasTwoPrimariesNorLosesAcknowledgedWrites) {
  Options options;
  if (const uint64_t seed = number_from("TWINSPAN_SEED", 0)) {
    options.trace = true;
    const Outcome outcome = run(seed, options);
    for (const std::string& line : outcome.trace) fmt::print("{}\n", line);
    EXPECT_TRUE(outcome.violations.empty());
    return;
  }
  expect_safe(options, 1, kSeeds * 7 / 10);
}

TEST(FailoverSimulation, AsyncNeverHasTwoPrimaries) {
  Options options;
  options.synchronous = false;
  expect_safe(options, 1'000'000, kSeeds * 2 / 10);
}

TEST(FailoverSimulation, TwoMembersNeverHaveTwoPrimaries) {
  Options options;
  options.members = 2;
  expect_safe(options, 2'000'000, kSeeds / 10);
}

TEST(FailoverSimulation, SameSeedIsTheSameRun) {
  Options options;
  options.trace = true;
  EXPECT_EQ(run(42, options).trace, run(42, options).trace);
}

TEST(FailoverSimulation, FindsABrokenFenceWithinAThousandSeeds) {
  Options options;
  options.broken_fence = true;
  const Sweep total = sweep(1, 1000, options, true);
  ASSERT_TRUE(total.first_bad) << "a holder that ignores the end of its lease went unnoticed";
  fmt::print("found at seed {}: {}\n", *total.first_bad, total.first_violation);
}

TEST(FailoverSimulation, FindsAnElectionOfUnfrozenPositions) {
  Options options;
  options.broken_election = true;
  const Sweep total = sweep(1, 20'000, options, true);
  ASSERT_TRUE(total.first_bad) << "comparing positions that still grow went unnoticed";
  fmt::print("found at seed {}: {}\n", *total.first_bad, total.first_violation);
}

}  // namespace
}  // namespace twinspan::simulation
