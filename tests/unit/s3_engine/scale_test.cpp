// Buckets of any size are compared in the same little memory.
// TWINSPAN_S3_KEYS=100000000 TWINSPAN_S3_LISTERS=2 test_unit_s3_engine --gtest_filter='Scale.*' for the full figure.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "engines/s3/likeness.hpp"
#include "engines/s3/walk.hpp"
#include "synthetic_bucket.hpp"

namespace twinspan::s3 {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitized = true;  // slow, and what was freed is kept
#else
constexpr bool kSanitized = false;
#endif

int64_t resident_bytes() {
  int64_t total = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

int64_t number(const char* name, int64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::atoll(text) : otherwise;
}

TEST(Scale, MemoryIsFlatHoweverManyKeysAreCompared) {
  const int64_t keys = number("TWINSPAN_S3_KEYS", kSanitized ? 100'000 : 1'000'000);
  SyntheticBucket source("source", keys, 1000, 0), target("target", keys, 777, 1001);
  Settings settings;
  settings.listers = static_cast<int>(number("TWINSPAN_S3_LISTERS", 2));
  const int64_t before = resident_bytes();
  std::atomic<int64_t> most{before}, seen{0}, missing{0}, extra{0}, different{0};
  const auto began = std::chrono::steady_clock::now();
  const Status walked = Walk(settings, {source}, {target})
                            .run({{}},
                                 [&](const Listed* ours, const Listed* theirs) -> Status {
                                   if (!ours) ++extra;
                                   if (!theirs) ++missing;
                                   if (ours && theirs && likeness(*ours, *theirs) == Likeness::kDifferent) ++different;
                                   if (++seen % 50000 == 0) most = std::max(most.load(), resident_bytes());
                                   return {};
                                 },
                                 {});
  ASSERT_TRUE(walked) << walked.error().message;
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  const auto count = [&](auto matches) {
    int64_t found = 0;
    for (int64_t i = 0; i < keys; ++i) found += matches(i);
    return found;
  };
  EXPECT_EQ(missing, count([](int64_t i) { return i % 1000 != 0 && i % 777 == 0; }));
  EXPECT_EQ(extra, count([](int64_t i) { return i % 1000 == 0 && i % 777 != 0; }));
  EXPECT_EQ(different, count([](int64_t i) { return i % 1000 != 0 && i % 777 != 0 && i % 1001 == 0; }));
  EXPECT_TRUE(kSanitized || most - before < 32 << 20) << (most - before) / 1024 << " KiB more memory";
  RecordProperty("keys_per_second", fmt::format("{:.0f}", static_cast<double>(keys) / seconds));
  RecordProperty("memory_bytes", fmt::format("{}", most - before));
  fmt::print("{} keys, {:.1f} s, {} KiB more memory\n", keys, seconds, (most - before) >> 10);
}

}  // namespace
}  // namespace twinspan::s3
