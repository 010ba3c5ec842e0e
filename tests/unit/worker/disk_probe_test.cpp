#include "worker/postgres/disk_probe.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <future>
#include <mutex>

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

TEST(DiskProbe, AWriteThatHangsIsSeenAndHoldsNobodyUp) {
  ManualClock clock;
  std::promise<void> began, answers;
  std::promise<postgres::Volume> told;
  std::once_flag first_touch, first_told;  // a slow machine may see a second one
  DiskProbe probe(
      clock,
      [&, answered = answers.get_future().share()]() -> Result<postgres::Volume> {
        std::call_once(first_touch, [&] {
          began.set_value();
          answered.wait();
        });
        return postgres::Volume{10, 4};
      },
      [&](const postgres::Volume& volume) { std::call_once(first_told, [&] { told.set_value(volume); }); });
  EXPECT_EQ(probe.waiting().count(), 0);
  probe.start();
  began.get_future().wait();
  clock.advance(milliseconds(31'000));
  EXPECT_GE(probe.waiting(), kDiskHangs);
  answers.set_value();
  EXPECT_EQ(told.get_future().get(), (postgres::Volume{10, 4}));
  EXPECT_LT(probe.waiting(), kDiskHangs);
  probe.stop();
}

TEST(DiskProbe, EndsThoughItsWriteNeverDoes) {
  ManualClock clock;
  // Outlives the test, as the thread that hangs does.
  auto* answers = new std::promise<void>;
  auto began = std::make_shared<std::promise<void>>();
  {
    DiskProbe probe(
        clock,
        [began, answered = answers->get_future().share()]() -> Result<postgres::Volume> {
          began->set_value();
          answered.wait();
          return postgres::Volume{};
        },
        [](const postgres::Volume&) { ADD_FAILURE() << "told after stop()"; });
    probe.start();
    began->get_future().wait();
  }
  answers->set_value();
}

class Directory : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/twinspan-disk-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    path = name;
  }
  void TearDown() override { std::filesystem::remove_all(path); }
  std::string path;
};

TEST_F(Directory, TouchingWritesAndMeasures) {
  const auto volume = touch_disk(path);
  ASSERT_TRUE(volume) << volume.error().message;
  EXPECT_GT(volume->total_bytes, volume->free_bytes);
  EXPECT_GT(volume->free_bytes, 0U);
  EXPECT_TRUE(touch_disk(path));
  EXPECT_FALSE(touch_disk(path + "/missing"));
}

// How integration tests hang a disk: a pipe that nobody reads blocks whoever opens it for writing.
TEST_F(Directory, APipeInThePlaceOfTheFileHangsTheWrite) {
  ASSERT_EQ(mkfifo((path + "/disk-probe").c_str(), 0600), 0);
  auto touched = std::async(std::launch::async, [&] { return touch_disk(path); });
  EXPECT_EQ(touched.wait_for(milliseconds(200)), std::future_status::timeout);
  const int reader = open((path + "/disk-probe").c_str(), O_RDONLY | O_NONBLOCK);
  ASSERT_GE(reader, 0);
  touched.wait();
  close(reader);
}

}  // namespace
}  // namespace twinspan::worker
