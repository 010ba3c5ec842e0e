// Nothing that a program started outlives it, however it ends.
#include "engines/postgres/command.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <stop_token>

#include "engines/postgres/children.hpp"

namespace twinspan::postgres {
namespace {

using std::chrono::milliseconds;

struct Case {
  const char* name;
  const char* script;  // tells the pid of what it leaves behind
  milliseconds timeout;
  bool stopped;
};

class CommandEnds : public testing::TestWithParam<Case> {};

TEST_P(CommandEnds, LeavesNobodyBehind) {
  Children children;
  std::stop_source stop;
  pid_t left = 0;
  Command command{"/bin/sh", {"-c", GetParam().script}, {}, GetParam().timeout, [&](std::string_view line) {
                    left = std::atoi(std::string(line).c_str());
                    if (GetParam().stopped) stop.request_stop();
                  }};
  const auto start = std::chrono::steady_clock::now();
  (void)run(children, command, stop.get_token());
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(20));
  ASSERT_GT(left, 0);
  EXPECT_EQ(kill(left, 0), -1);
}

INSTANTIATE_TEST_SUITE_P(
    However, CommandEnds,
    testing::Values(Case{"Stopped", "sleep 600 & echo $! >&2; wait", milliseconds(60000), true},
                    Case{"TookTooLong", "sleep 600 & echo $! >&2; wait", milliseconds(500), false},
                    Case{"Killed", "sleep 600 >/dev/null 2>&1 & echo $! >&2; kill -9 $$", milliseconds(60000), false},
                    Case{"Failed", "sleep 600 >/dev/null 2>&1 & echo $! >&2; exit 1", milliseconds(60000), false},
                    Case{"Done", "sleep 600 >/dev/null 2>&1 & echo $! >&2", milliseconds(60000), false}),
    [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace twinspan::postgres
