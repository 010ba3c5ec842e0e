// Decisions, then whole fleets of workers with every interleaving that a seed picks: never two at one share, never two
// divisions at once, and in the end every share in the right hands.
#include "worker/s3/shares.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <random>

#include "kube/lease.hpp"

namespace twinspan::worker_s3 {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kDuration{15000};
const BootTime kNow{std::chrono::hours(1)};
const SharesPatience kPatience{seconds(3), seconds(12)};

ShareLease lease(const std::string& holder, int64_t division, seconds unchanged, const std::string& wanted_by = "") {
  return {holder, wanted_by, division, holder.empty() ? seconds(0) : kDuration, kNow - unchanged};
}

// Emptied by a hand, or deleted and made anew: it may have a holder that does not know of it.
ShareLease unreleased(int64_t division, seconds unchanged) { return {"", "", division, kDuration, kNow - unchanged}; }

SharesSeen seen_by(int ordinal, Division division, std::vector<std::optional<ShareLease>> leases,
                   std::set<int> in_use = {}) {
  return {division, ordinal, "pod-" + std::to_string(ordinal) + "/x", std::move(leases), std::move(in_use), kNow};
}

// "take 1 mark 0 release 2 ask use 0"
std::string planned(const SharesSeen& seen) {
  const SharesPlan plan = plan_shares(seen, kPatience);
  std::string out;
  for (const auto& [name, shares] : {std::pair{"take", &plan.take}, {"mark", &plan.mark}, {"release", &plan.release}})
    for (const int share : *shares) out += std::string(name) + " " + std::to_string(share) + " ";
  if (plan.ask) out += "ask ";
  for (const int share : plan.use) out += "use " + std::to_string(share) + " ";
  return out.substr(0, out.empty() ? 0 : out.size() - 1);
}

TEST(Shares, AWorkerAloneTakesItsLeaseAndCopiesEverything) {
  const Division alone;
  EXPECT_EQ(planned(seen_by(0, alone, {lease("", 0, seconds(0))})), "take 0");
  EXPECT_EQ(planned(seen_by(0, alone, {lease("pod-0/x", 0, seconds(2))})), "use 0");
  EXPECT_EQ(planned(seen_by(0, alone, {lease("pod-0/former", 0, seconds(14))})), "ask");
  EXPECT_EQ(planned(seen_by(0, alone, {lease("pod-0/former", 0, seconds(15))})), "take 0");
  EXPECT_EQ(planned(seen_by(0, alone, {std::nullopt})), "");
  EXPECT_EQ(planned(seen_by(0, alone, {})), "");
}

TEST(Shares, AContainerThatStartsAgainHasWhatItsPredecessorHeld) {
  SharesSeen seen = seen_by(0, {1, 2}, {lease("pod-0/uid-one", 1, seconds(1)), lease("pod-1/uid-one", 1, seconds(1))});
  seen.identity = "pod-0/uid-two";
  EXPECT_EQ(planned(seen), "take 0");
  seen.identity = "pod-0/other-two";  // another pod of that name: the one before it may still run on a silent node
  EXPECT_EQ(planned(seen), "ask");
  seen.identity = "pod-0";
  EXPECT_EQ(planned(seen), "ask");
  seen.leases[0]->division = 0;  // what it held for another division keeps nobody from beginning
  seen.leases[0]->holder = seen.leases[1]->holder = "pod-0/uid-one";
  seen.identity = "pod-0/uid-two";
  EXPECT_EQ(planned(seen), "take 0");
}

TEST(Shares, WhatNobodyReleasedIsFreeToNobodyUntilItsHolderMustHaveStopped) {
  EXPECT_EQ(planned(seen_by(0, {}, {unreleased(0, seconds(14))})), "");
  EXPECT_EQ(planned(seen_by(0, {}, {unreleased(0, seconds(15))})), "take 0");
  const auto second = [](ShareLease one) {
    return planned(seen_by(0, {1, 2}, {lease("pod-0/x", 1, seconds(1)), std::move(one)}));
  };
  EXPECT_EQ(second(unreleased(1, seconds(26))), "use 0");
  EXPECT_EQ(second(unreleased(1, seconds(27))), "take 1 use 0");
  EXPECT_EQ(second(unreleased(0, seconds(14))), "") << "of which division its holder is, nobody says any more";
  EXPECT_EQ(second(unreleased(0, seconds(15))), "use 0");
}

TEST(Shares, AForeignShareIsTakenOnlyOnceItWasFreeForAWhile) {
  const Division three{1, 3};
  const auto with = [&](std::optional<ShareLease> second) {
    return planned(
        seen_by(0, three, {lease("pod-0/x", 1, seconds(1)), std::move(second), lease("pod-2/x", 1, seconds(1))}));
  };
  EXPECT_EQ(with(lease("pod-1/x", 1, seconds(14))), "use 0");
  EXPECT_EQ(with(lease("pod-1/x", 1, seconds(17))), "use 0");
  EXPECT_EQ(with(lease("pod-1/x", 1, seconds(18))), "take 1 use 0");
  EXPECT_EQ(with(lease("", 1, seconds(11))), "use 0");
  EXPECT_EQ(with(lease("", 1, seconds(12))), "take 1 use 0");
  EXPECT_EQ(with(std::nullopt), "use 0");
}

TEST(Shares, WhoHasTakenOneOverWaitsLongerForTheNext) {
  const Division four{1, 4};
  const auto after = [&](seconds unchanged) {
    return planned(seen_by(0, four,
                           {lease("pod-0/x", 1, seconds(1)), lease("pod-0/x", 1, seconds(1)),
                            lease("pod-2/x", 1, unchanged), lease("pod-3/x", 1, seconds(1))}));
  };
  EXPECT_EQ(after(seconds(20)), "use 0 use 1");
  EXPECT_EQ(after(seconds(21)), "take 2 use 0 use 1");
}

TEST(Shares, AShareIsAskedForAndHandedBackOnlyWhenNothingOfItRuns) {
  const Division two{1, 2};
  EXPECT_EQ(planned(seen_by(1, two, {lease("pod-0/x", 1, seconds(1)), lease("pod-0/x", 1, seconds(1))})), "ask");
  EXPECT_EQ(planned(seen_by(1, two, {lease("pod-0/x", 1, seconds(1)), lease("pod-0/x", 1, seconds(1), "pod-1/x")})),
            "");
  // A restarted owner asks for itself.
  EXPECT_EQ(planned(seen_by(1, two, {lease("pod-0/x", 1, seconds(1)), lease("pod-0/x", 1, seconds(1), "pod-1/old")})),
            "ask");
  const std::vector<std::optional<ShareLease>> asked = {lease("pod-0/x", 1, seconds(1)),
                                                        lease("pod-0/x", 1, seconds(1), "pod-1/x")};
  EXPECT_EQ(planned(seen_by(0, two, asked, {0, 1})), "use 0");
  EXPECT_EQ(planned(seen_by(0, two, asked, {0})), "release 1 use 0");
  // It asked and died: the share is free, and carried on again after a while.
  EXPECT_EQ(planned(seen_by(0, two, {lease("pod-0/x", 1, seconds(1)), lease("", 1, seconds(12), "pod-1/x")})),
            "take 1 use 0");
}

TEST(Shares, NothingOfANewDivisionBeginsWhileSomebodyMayBeAtTheOld) {
  const Division one{0, 1}, three{1, 3};
  // The first worker copies everything still.
  EXPECT_EQ(planned(seen_by(
                1, three,
                {lease("pod-0/x", 0, seconds(1)), lease("pod-1/x", 1, seconds(1)), lease("pod-2/x", 1, seconds(1))})),
            "");
  // It hears of the division: it stops, marks, and all begin.
  const auto first = [&](Division division, int64_t marked, std::set<int> in_use) {
    return planned(seen_by(
        0, division,
        {lease("pod-0/x", marked, seconds(1)), lease("pod-1/x", 1, seconds(1)), lease("pod-2/x", 1, seconds(1))},
        std::move(in_use)));
  };
  EXPECT_EQ(first(three, 0, {0}), "");
  EXPECT_EQ(first(three, 0, {}), "mark 0");
  EXPECT_EQ(first(three, 1, {}), "use 0");
  // Who has not heard of it yet does nothing more.
  EXPECT_EQ(first(one, 0, {0}), "");
  EXPECT_EQ(first(one, 1, {0}), "");
  EXPECT_EQ(first(one, 1, {}), "");
  EXPECT_EQ(planned(seen_by(0, one, {lease("", 1, seconds(1))})), "");
  // A dead worker's lease does not hold the others up, but the first share's must say which division it is.
  EXPECT_EQ(
      planned(seen_by(1, three,
                      {lease("pod-0/x", 1, seconds(16)), lease("pod-1/x", 1, seconds(1)), lease("", 0, seconds(1))})),
      "use 1");
  EXPECT_EQ(
      planned(seen_by(1, three,
                      {lease("pod-0/x", 0, seconds(16)), lease("pod-1/x", 1, seconds(1)), lease("", 0, seconds(1))})),
      "");
}

TEST(Shares, FewerSharesAreLetGoBeforeTheRestBegins) {
  const Division one{2, 1};
  const auto third = [&](std::set<int> in_use) {
    return planned(seen_by(2, one,
                           {lease("pod-0/x", 2, seconds(1)), lease("", 1, seconds(1)), lease("pod-2/x", 1, seconds(1))},
                           std::move(in_use)));
  };
  EXPECT_EQ(third({2}), "");
  EXPECT_EQ(third({}), "release 2");
  EXPECT_EQ(planned(seen_by(
                0, one, {lease("pod-0/x", 2, seconds(1)), lease("", 1, seconds(1)), lease("pod-2/x", 1, seconds(1))})),
            "");
  EXPECT_EQ(
      planned(seen_by(0, one, {lease("pod-0/x", 2, seconds(1)), lease("", 1, seconds(1)), lease("", 1, seconds(1))})),
      "use 0");
}

// Workers that die, freeze, come back, read stale links and lose answers, on leases as the API server keeps them.
struct Fleet {
  struct Stored {
    std::string holder, wanted_by;
    int64_t division = 0, version = 1;
    milliseconds duration = kDuration;
  };
  struct Worker {
    int ordinal = 0, life = 0;
    bool alive = false, look_due = true;
    Division division;  // as it has heard of it
    std::map<int, int64_t> versions;
    std::map<int, BootTime> since;
    std::map<int, BootTime> renewed;
    std::map<int, Stored> read;
    std::set<int> use, in_use;
    Division use_division, in_use_division;
    std::string identity() const { return "pod-" + std::to_string(ordinal) + "/" + std::to_string(life); }
  };

  explicit Fleet(unsigned seed, int most) : random(seed) {
    leases.resize(static_cast<size_t>(most));
    for (Stored& one : leases) one.duration = kube::kReleasedDuration;
    for (int i = 0; i < most; ++i) workers.emplace_back().ordinal = i;
  }

  int pick(int below) { return static_cast<int>(random() % static_cast<unsigned>(below)); }

  void look(Worker& worker) {
    for (size_t i = 0; i < leases.size(); ++i) {
      const int share = static_cast<int>(i);
      if (worker.versions[share] != leases[i].version) worker.since[share] = now;
      worker.versions[share] = leases[i].version;
      worker.read[share] = leases[i];
    }
    for (const auto& [share, at] : worker.renewed)
      if (leases[static_cast<size_t>(share)].holder != worker.identity()) return die(worker);  // lost
  }

  // What a hand does to a lease; whoever holds it hears of it when it looks next.
  void by_hand(Stored& stored) {
    ++stored.version;
    switch (pick(3)) {
      case 0: stored.holder.clear(); break;
      case 1: stored = {"", "", 0, stored.version, milliseconds(0)}; break;  // deleted, and made anew by the operator
      default: stored.duration = milliseconds(pick(6000));
    }
  }

  // What was read may be old by now: a write has what was read as its precondition.
  bool write(Worker& worker, int share, const std::function<void(Stored&)>& change) {
    Stored& stored = leases[static_cast<size_t>(share)];
    if (stored.version != worker.versions[share]) return false;
    change(stored);
    ++stored.version;
    worker.read[share] = stored;
    worker.versions[share] = stored.version;
    worker.since[share] = now;
    return true;
  }

  void act(Worker& worker) {
    if (std::exchange(worker.look_due, false)) look(worker);
    if (!worker.alive) return;
    SharesSeen seen;
    seen.division = worker.division;
    seen.ordinal = worker.ordinal;
    seen.identity = worker.identity();
    seen.in_use = worker.in_use;
    seen.in_use.insert(worker.use.begin(), worker.use.end());
    seen.now = now;
    for (size_t i = 0; i < leases.size(); ++i) {
      const Stored& one = worker.read[static_cast<int>(i)];
      if (worker.division == Division{} && i > 0) break;  // it looks at no other
      seen.leases.push_back(ShareLease{one.holder, one.wanted_by, one.division,
                                       kube::may_be_held_for(!one.holder.empty(), one.duration, kDuration),
                                       worker.since[static_cast<int>(i)]});
    }
    const SharesPlan plan = plan_shares(seen, kPatience);
    worker.use = plan.use;
    worker.use_division = worker.division;
    for (const int share : plan.take)
      if (write(worker, share, [&](Stored& stored) {
            stored = {worker.identity(), "", worker.division.generation, stored.version, kDuration};
          }))
        worker.renewed[share] = now;
    for (const int share : plan.mark)
      if (write(worker, share, [&](Stored& stored) { stored.division = worker.division.generation; }))
        worker.renewed[share] = now;
    for (const int share : plan.release) {
      worker.renewed.erase(share);
      write(worker, share, [&](Stored& stored) {
        stored.holder.clear();
        stored.duration = milliseconds(1000);
      });
    }
    if (!plan.take.empty() || !plan.mark.empty()) worker.look_due = worker.division != Division{};
    if (plan.ask) write(worker, worker.ordinal, [&](Stored& stored) { stored.wanted_by = worker.identity(); });
  }

  void renew(Worker& worker) {
    for (auto& [share, at] : worker.renewed)
      if (write(worker, share, [](Stored&) {})) at = now;
  }

  // The other thread: begins and ends what may be.
  void run(Worker& worker) {
    if (worker.use_division == worker.division) {
      worker.in_use = worker.use;
      worker.in_use_division = worker.use_division;
    } else {
      worker.in_use.clear();
    }
  }

  void die(Worker& worker) {
    Worker next;
    next.ordinal = worker.ordinal;
    next.life = worker.life + 1;
    worker = std::move(next);
  }

  // A frozen worker's guard: it ends before its lease does.
  void fence() {
    for (Worker& worker : workers)
      for (const auto& [share, at] : worker.renewed)
        if (worker.alive && now - at >= seconds(10)) {
          die(worker);
          break;
        }
  }

  void expect_safe() {
    std::map<int, int> at;
    std::set<int64_t> divisions;
    for (const Worker& worker : workers)
      for (const int share : worker.alive ? worker.in_use : std::set<int>{}) {
        EXPECT_EQ(++at[share], 1) << "share " << share;
        divisions.insert(worker.in_use_division.generation);
      }
    EXPECT_LE(divisions.size(), 1u);
  }

  std::mt19937 random;
  BootTime now = kNow;
  Division division{0, 1};
  std::vector<Stored> leases;
  std::vector<Worker> workers;
};

TEST(Shares, FleetsNeverCopyAShareTwiceAndAlwaysEndWithEveryShareAtHome) {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    Fleet fleet(seed, 4);
    for (int step = 0; step < 600; ++step) {
      fleet.now += milliseconds(fleet.pick(2000));
      fleet.fence();
      Fleet::Worker& worker = fleet.workers[static_cast<size_t>(fleet.pick(4))];
      switch (const int what = fleet.pick(40)) {
        case 0: fleet.die(worker); break;
        case 1: fleet.division = {fleet.division.generation + 1, 1 + fleet.pick(4)}; break;
        case 2: fleet.by_hand(fleet.leases[static_cast<size_t>(fleet.pick(4))]); break;
        default:
          if (!worker.alive) {
            if (worker.ordinal < fleet.division.shares && what < 8) {
              worker.alive = true;
              if (what < 6) worker.division = fleet.division;  // else it believes what it begins with
            }
          } else if (what < 12) {
            worker.division = fleet.division;
          } else if (what < 20) {
            fleet.look(worker);
          } else if (what < 27) {
            fleet.act(worker);
          } else if (what < 34) {
            fleet.renew(worker);
          } else {
            fleet.run(worker);
          }
      }
      fleet.expect_safe();
      if (testing::Test::HasFailure()) return;
    }
    // Everything calm: all who are wanted are there, the others are not.
    for (Fleet::Worker& worker : fleet.workers)
      if (worker.ordinal >= fleet.division.shares) fleet.die(worker);
    for (int round = 0; round < 60; ++round)
      for (Fleet::Worker& worker : fleet.workers) {
        fleet.now += milliseconds(300);
        fleet.fence();
        if (worker.ordinal >= fleet.division.shares) continue;
        worker.alive = true;
        worker.division = fleet.division;
        fleet.look(worker);
        fleet.act(worker);
        fleet.renew(worker);
        fleet.run(worker);
        fleet.expect_safe();
      }
    for (const Fleet::Worker& worker : fleet.workers)
      EXPECT_EQ(worker.in_use,
                worker.ordinal < fleet.division.shares ? std::set<int>{worker.ordinal} : std::set<int>{});
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace twinspan::worker_s3
