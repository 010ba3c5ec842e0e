#include "core/role_thread.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <string>
#include <vector>

#include "core/wait.hpp"

namespace twinspan {
namespace {

std::string own_name() {
  char name[16] = "";
  pthread_getname_np(pthread_self(), name, sizeof name);
  return name;
}

TEST(RoleThread, CarriesItsNameFromTheFirstInstructionOfItsRole) {
  std::promise<std::string> name;
  RoleThread thread("fifteen-bytes-x", [&](const std::stop_token&) { name.set_value(own_name()); });
  EXPECT_EQ(name.get_future().get(), "fifteen-bytes-x");
}

TEST(RoleThread, StopAsksAndWaitsForTheEnd) {
  std::atomic<bool> over{false};
  RoleThread thread("waits");
  EXPECT_FALSE(thread.started());
  EXPECT_FALSE(thread.stopping());
  thread.stop();  // nothing runs: nothing happens
  thread.start([&](const std::stop_token& stop) {
    while (wait_for(std::chrono::hours(1), stop)) {
    }
    over = true;
  });
  EXPECT_TRUE(thread.started());
  thread.request_stop();
  EXPECT_TRUE(thread.stopping());
  thread.stop();
  EXPECT_TRUE(over);
  EXPECT_FALSE(thread.started());
}

TEST(RoleThread, BeginsOnceUntilItIsStopped) {
  std::atomic<int> begun{0};
  const auto role = [&](const std::stop_token& stop) {
    ++begun;
    wait_for(std::chrono::hours(1), stop);
  };
  RoleThread thread("once");
  thread.start(role);
  thread.start(role);
  thread.stop();
  EXPECT_EQ(begun, 1);
  thread.start(role);
  EXPECT_FALSE(thread.stopping());
  thread.stop();
  EXPECT_EQ(begun, 2);
}

TEST(RoleThread, TheDestructorStops) {
  std::atomic<int> over{0};
  {
    std::vector<RoleThread> crew;
    for (int i = 0; i < 4; ++i)
      crew.emplace_back(RoleName("crew"), [&](const std::stop_token& stop) {
        wait_for(std::chrono::hours(1), stop);
        ++over;
      });
  }
  EXPECT_EQ(over, 4);
}

}  // namespace
}  // namespace twinspan
