#include "engines/s3/verify.hpp"

#include <gtest/gtest.h>

#include "engines/s3/state_objects.hpp"
#include "sync_world.hpp"

namespace twinspan::s3 {
namespace {

constexpr size_t kFiveMiB = 5 << 20;

struct Planted : World {
  Planted() {
    for (int i = 0; i < 60; ++i) source.add(fmt::format("{:03}", i), body_of(100 + static_cast<size_t>(i)));
    source.add("parts", body_of(2 * kFiveMiB), {kFiveMiB, kFiveMiB});
    source.add("rich", "x").metadata.user["owner"] = "a";
    source.add("tagged", "x").tags["k"] = "v";
    sync();
  }
  VerificationReport verify(bool metadata = true, std::stop_source stop = std::stop_source{}) {
    Route route(settings, {source}, {target}, clock);
    source.died = target.died = [&] { stop.request_stop(); };
    Verification verification(route, {metadata, std::chrono::milliseconds(1)});
    return verification.run(stop.get_token());
  }
  VerificationReport stored() {
    const auto text = read_state(target, verification_key("backups", {}), {});
    return *parse_verification_report(Json::parse(*text));
  }
};

TEST(Verify, AMirrorIsConsistentAndTheReportSaysSo) {
  Planted world;
  const VerificationReport report = world.verify();
  EXPECT_TRUE(report.consistent) << to_json(report).dump(1);
  EXPECT_EQ(report.checked, 63u);
  EXPECT_TRUE(report.finished_at);
  EXPECT_TRUE(report.rest.empty());
  EXPECT_EQ(to_json(world.stored()), to_json(report));
}

TEST(Verify, FindsEveryPlantedDifferenceAndNamesIt) {
  Planted world;
  world.target.erase("001");
  world.target.add("002", "truncated");
  std::string changed = world.source.objects()["003"].body;
  changed[50] ^= 1;
  world.target.add("003", changed);
  auto held = world.target.objects();
  world.target.add("rich", "x").metadata.user["owner"] = "b";
  world.target.add("tagged", "x").tags["k"] = "w";
  world.target.add("planted", "x");
  const VerificationReport report = world.verify();
  EXPECT_TRUE(report.complete);
  EXPECT_FALSE(report.consistent);
  EXPECT_EQ(report.missing_sample, std::vector<std::string>{"001"});
  std::vector<std::string> different = report.different_sample;
  std::sort(different.begin(), different.end());
  EXPECT_EQ(different, (std::vector<std::string>{"002", "003", "rich", "tagged"}));
  EXPECT_EQ(report.extra_sample, std::vector<std::string>{"planted"});
  EXPECT_EQ(world.verify(false).different, 2u);
}

TEST(Verify, ExtraKeysMatterWhereDeletesAreReplicated) {
  Planted world;
  world.target.add("extra", "x");
  EXPECT_TRUE(world.verify().consistent);
  world.settings.deletes.mode = DeleteMode::kReplicate;
  EXPECT_FALSE(world.verify().consistent);
}

TEST(Verify, CopiesInOtherPartsAndEncryptedOnesAreConsistent) {
  Planted world;
  world.target.encrypted = true;
  world.source.add("plain", body_of(20 << 20));
  world.source.add("small", "small");
  world.sync();
  EXPECT_TRUE(world.verify().consistent);
}

TEST(Verify, AListingThatIsCutIsNotAReportOfMissingKeys) {
  Planted world;
  world.target.fault = [](const FakeBucket::Call& call) -> std::optional<Error> {
    if (call.name == "list") return Error{Code::kDenied, "no", false};
    return std::nullopt;
  };
  const VerificationReport report = world.verify();
  EXPECT_FALSE(report.complete);
  EXPECT_FALSE(report.consistent);
  EXPECT_EQ(report.missing, 0u);
  EXPECT_EQ(report.error, "no");
  EXPECT_EQ(world.stored().rest.size(), 1u);
}

TEST(Verify, GoesOnWhereItWasCutOffAndCountsNothingTwice) {
  for (int k = 5; k < 200; k += 13) {
    Planted world;
    world.target.erase("001");
    world.target.erase("055");
    world.target.add("extra", "x");
    world.source.forget_calls();
    world.source.die_at = k;
    world.source.death = FakeBucket::Death::kBefore;
    world.verify();
    world.source.revive();
    const VerificationReport report = world.verify();
    EXPECT_TRUE(report.complete);
    EXPECT_EQ(report.checked, 63u) << k;
    EXPECT_EQ(report.missing, 2u) << k;
    EXPECT_EQ(report.extra, 1u) << k;
    EXPECT_EQ(report.missing_sample.size(), 2u) << k;
  }
}

}  // namespace
}  // namespace twinspan::s3
