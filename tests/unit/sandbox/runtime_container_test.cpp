// Containers against real processes: nothing of one may be left behind.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "core/wait.hpp"
#include "sandbox/runtime/container.hpp"

namespace twinspan::sandbox {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
namespace fs = std::filesystem;

bool eventually(const std::function<bool()>& condition, std::chrono::milliseconds patience = 10s) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    wait_for(2ms, {});
  }
  return true;
}

class ContainerTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string path = "/tmp/ts-container-XXXXXX";
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    root_ = path;
    fs::permissions(root_, fs::perms(0777));
  }
  void TearDown() override { fs::remove_all(root_); }

  Launch shell(const std::string& script) const {
    return {"/bin/sh", {"sh", "-c", script}, {{"PATH", "/usr/bin:/bin"}}, root_, root_ / "log", pod_account()};
  }
  std::unique_ptr<Container> start(const std::string& script) {
    return std::make_unique<Container>(default_shim(), shell(script), clock_, [this] { changes_ += 1; });
  }
  std::string read(const fs::path& name) const {
    std::ifstream file(root_ / name);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  pid_t pid_in(const fs::path& name) const {
    eventually([&] { return read(name).ends_with("\n"); });
    return static_cast<pid_t>(std::atol(read(name).c_str()));
  }
  static bool alive(pid_t pid) { return ::kill(pid, 0) == 0; }

  fs::path root_;
  SystemClock clock_;
  std::atomic<int> changes_{0};
};

TEST_F(ContainerTest, ReportsExitCodeOutputAndAccount) {
  auto container = start("id -u; echo problem >&2; exit 3");
  ASSERT_TRUE(eventually([&] { return container->exit().has_value(); }));
  EXPECT_EQ(container->exit()->code, 3);
  EXPECT_EQ(container->exit()->signal, 0);
  const uid_t expected = pod_account() ? pod_account()->uid : getuid();
  EXPECT_EQ(read("log"), std::to_string(expected) + "\nproblem\n");
  EXPECT_GE(changes_, 2);
}

TEST_F(ContainerTest, SaysWhyAProgramDoesNotStart) {
  Launch launch = shell("");
  launch.program = "/no/such/program";
  Container container(default_shim(), launch, clock_, [] {});
  ASSERT_TRUE(eventually([&] { return container.exit().has_value(); }));
  EXPECT_EQ(container.exit()->start_error, "No such file or directory");
}

TEST_F(ContainerTest, SignalGoesToTheMainProcessOnly) {
  auto container =
      start("trap 'echo stopped; exit 0' TERM; (trap '' HUP; echo $$ > ready; while :; do sleep 0.05; done) & wait");
  pid_in("ready");
  container->signal(SIGTERM);
  ASSERT_TRUE(eventually([&] { return container->exit().has_value(); }));
  EXPECT_EQ(container->exit()->code, 0);
  EXPECT_EQ(read("log"), "stopped\n");
}

TEST_F(ContainerTest, OrphansInOtherSessionsEndWithTheMainProcess) {
  auto container = start("setsid sh -c 'setsid sleep 600 & echo $! > orphan' & sleep 0.2; wait; exit 0");
  ASSERT_TRUE(eventually([&] { return container->exit().has_value(); }));
  const pid_t orphan = pid_in("orphan");
  ASSERT_GT(orphan, 1);
  EXPECT_FALSE(alive(orphan)) << "reported ended only after everything is gone";
}

TEST_F(ContainerTest, KillEndsEverything) {
  auto container = start("trap '' TERM; setsid sleep 600 & echo $! > child; wait");
  const pid_t child = pid_in("child");
  ASSERT_TRUE(alive(child));
  container->kill();
  ASSERT_TRUE(eventually([&] { return container->exit().has_value(); }));
  EXPECT_EQ(container->exit()->signal, SIGKILL);
  EXPECT_FALSE(alive(child));
}

TEST_F(ContainerTest, DestructionEndsEverythingBeforeItReturns) {
  auto container = start("setsid sleep 600 & echo $! > child; wait");
  const pid_t child = pid_in("child");
  container.reset();
  EXPECT_FALSE(alive(child));
}

TEST_F(ContainerTest, FreezeStopsTheWholeTreeUntilThawed) {
  auto container = start("setsid sh -c 'echo $$ > child; while :; do sleep 0.01; done' & wait");
  const pid_t child = pid_in("child");
  const auto stopped = [&] {
    std::ifstream file("/proc/" + std::to_string(child) + "/stat");
    std::string pid, name, state;
    file >> pid >> name >> state;
    return state == "T" || state == "D";  // D: waits for a child that was stopped between vfork and exec
  };
  container->freeze();
  ASSERT_TRUE(eventually(stopped));
  container->thaw();
  ASSERT_TRUE(eventually([&] { return !stopped(); }));
}

TEST_F(ContainerTest, NothingOutlivesAKilledRuntime) {
  const pid_t runtime = fork();  // stands for a runtime that is killed without a chance to clean up
  if (runtime == 0) {
    auto container = start("setsid sleep 600 & echo $! > child; wait");
    pause();
  }
  const pid_t child = pid_in("child");
  ASSERT_TRUE(alive(child));
  ::kill(runtime, SIGKILL);
  waitpid(runtime, nullptr, 0);
  EXPECT_TRUE(eventually([&] { return !alive(child); }));
}

}  // namespace
}  // namespace twinspan::sandbox
