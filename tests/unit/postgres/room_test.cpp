#include "engines/postgres/room.hpp"

#include <gtest/gtest.h>

#include "engines/postgres/settings.hpp"
#include "engines/postgres/slots.hpp"
#include "engines/postgres/upstream.hpp"

namespace twinspan::postgres {
namespace {

constexpr uint64_t kMiB = 1ULL << 20, kGiB = 1ULL << 30;

TEST(WalBounds, LeaveMostOfEveryVolumeToData) {
  for (uint64_t volume = kGiB; volume <= 64 * 1024 * kGiB; volume *= 2) {
    const WalBounds bounds = wal_bounds(volume);
    EXPECT_LE(bounds.slots_bytes + bounds.checkpoint_bytes + bounds.keep_bytes, volume * 35 / 100) << volume;
    EXPECT_GE(bounds.keep_bytes, 32 * kMiB);
    EXPECT_EQ(bounds.slots_bytes % kMiB, 0U);
  }
  EXPECT_EQ(wal_bounds(10 * kGiB).slots_bytes, 2 * kGiB);
  EXPECT_EQ(wal_bounds(100 * kGiB).slots_bytes, 4 * kGiB);
  EXPECT_EQ(wal_bounds(100 * kGiB).checkpoint_bytes, kGiB);
  EXPECT_EQ(wal_bounds(100 * kGiB).keep_bytes, 256 * kMiB);
}

TEST(WalBounds, ReachPostgresqlUnlessAPersonSaysOtherwise) {
  const Layout layout{"/pg/bin", "/data", "/run/ts", "/tls"};
  Settings settings;
  settings.endpoint = "east";
  settings.wal = wal_bounds(kGiB);
  std::string conf = render_conf(layout, settings);
  for (const char* line :
       {"max_slot_wal_keep_size = '204MB'\n", "max_wal_size = '102MB'\n", "wal_keep_size = '51MB'\n"})
    EXPECT_NE(conf.find(line), std::string::npos) << conf;
  settings.parameters["max_slot_wal_keep_size"] = "-1";
  conf = render_conf(layout, settings);
  EXPECT_NE(conf.find("max_slot_wal_keep_size = '-1'\n"), std::string::npos) << conf;
}

TEST(Room, IsLowBeforeItIsCritical) {
  for (const uint64_t total : {2 * kGiB, 10 * kGiB, 1000 * kGiB})
    for (uint64_t percent = 0; percent <= 100; ++percent) {
      const Volume volume{total, total / 100 * percent};
      EXPECT_TRUE(is_low(volume) || !is_critical(volume));
      if (percent >= 11) {
        EXPECT_FALSE(is_low(volume));
      }
      if (percent == 0) {
        EXPECT_TRUE(is_critical(volume));
      }
    }
  EXPECT_FALSE(is_low({1000 * kGiB, 11 * kGiB}));  // ten GiB are enough for everybody
}

Observation::Slot slot(const char* name, bool active, const char* wal, uint64_t kept) {
  return {name, active, wal, kept};
}

TEST(SlotPlan, FollowsTheWantedReplicas) {
  const SlotPlan plan =
      plan_slots({slot("twinspan_west", true, "reserved", 0), slot("twinspan_gone", false, "reserved", 0),
                  slot("twinspan_used", true, "reserved", 0), slot("theirs", false, "reserved", 0),
                  slot("twinspan_lost", false, "lost", 0)},
                 {"twinspan_west", "twinspan_lost", "twinspan_new"}, false);
  EXPECT_EQ(plan.drop, (std::vector<std::string>{"twinspan_gone", "twinspan_lost"}));
  EXPECT_EQ(plan.create, (std::vector<std::string>{"twinspan_lost", "twinspan_new"}));
  EXPECT_FALSE(plan.makes_room);
}

TEST(SlotPlan, LetsReplicasThatAreAwayGoBeforeThePrimaryDiesOfAFullVolume) {
  const std::vector<Observation::Slot> seen{
      slot("twinspan_west", true, "extended", kGiB), slot("twinspan_away", false, "extended", kGiB),
      slot("twinspan_near", false, "reserved", kMiB), slot("theirs", false, "extended", kGiB)};
  const std::vector<std::string> wanted{"twinspan_west", "twinspan_away", "twinspan_near", "twinspan_new"};
  const SlotPlan plan = plan_slots(seen, wanted, true);
  EXPECT_EQ(plan.drop, std::vector<std::string>{"twinspan_away"});
  EXPECT_TRUE(plan.create.empty()) << "a new slot would begin to fill the volume again";
  EXPECT_TRUE(plan.makes_room);
  EXPECT_TRUE(plan_slots(seen, wanted, false).drop.empty());
}

TEST(LogKept, IsAskedForByWholeSegments) {
  const LogKept kept{Position{0x5000000}, 0x1000000, 0};
  EXPECT_TRUE(has_log_after(kept, Position{0x5000000}));
  EXPECT_TRUE(has_log_after(kept, Position{0x5000148}));
  EXPECT_FALSE(has_log_after(kept, Position{0x4ffffff}));
  EXPECT_TRUE(has_log_after(kept, Position{0x6000000}));
}

}  // namespace
}  // namespace twinspan::postgres
