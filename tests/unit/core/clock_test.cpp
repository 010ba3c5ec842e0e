#include "core/clock.hpp"

#include <gtest/gtest.h>

#include "core/wait.hpp"

namespace twinspan {
namespace {

TEST(Rfc3339, ReadsWhatItWrites) {
  const WallTime time{std::chrono::microseconds(1'795'254'180'123'456)};
  EXPECT_EQ(parse_rfc3339(to_rfc3339_micro(time)), time);
  EXPECT_EQ(parse_rfc3339(to_rfc3339(time)), std::chrono::floor<std::chrono::seconds>(time));
}

TEST(Rfc3339, KnowsZonesAndFractions) {
  EXPECT_EQ(parse_rfc3339("2026-11-21T10:00:00+02:00"), parse_rfc3339("2026-11-21T08:00:00Z"));
  EXPECT_EQ(parse_rfc3339("2026-11-21T08:00:00.5Z"), parse_rfc3339("2026-11-21T08:00:00.500000000Z"));
}

TEST(Rfc3339, RefusesWhatIsNot) {
  for (const char* wrong : {"", "2026-11-21", "2026-13-21T08:00:00Z", "2026-11-21T25:00:00Z", "2026-11-21T08:00:00",
                            "2026-11-21T08:00:00.Z", "2026-11-21T08:00:00+0200", "2026-11-21T08:00:00Zx"})
    EXPECT_FALSE(parse_rfc3339(wrong)) << wrong;
}

TEST(Wait, EndsAtOnceWhenStopped) {
  std::stop_source source;
  source.request_stop();
  EXPECT_FALSE(wait_for(std::chrono::hours(1), source.get_token()));
}

TEST(Signal, IsNotLostWhenRaisedBeforeTheWait) {
  Signal signal;
  signal.raise();
  EXPECT_TRUE(signal.wait(std::chrono::hours(1), {}));
  EXPECT_FALSE(signal.wait(std::chrono::milliseconds(1), {}));
}

}  // namespace
}  // namespace twinspan
