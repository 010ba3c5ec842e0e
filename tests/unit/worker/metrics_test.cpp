#include "worker/metrics.hpp"

#include <gtest/gtest.h>

#include "worker/jobs.hpp"

namespace twinspan::worker {
namespace {

TEST(Metrics, CountsWhatTheAgentDidByNameAndResult) {
  Metrics metrics({"orders", "shop", "west"});
  metrics.action(name_of(Job{Follow{"east"}}), true);
  metrics.action(name_of(Job{Follow{"north"}}), true);
  metrics.action(name_of(Job{Open{}}), false);
  const std::string text = metrics.text();
  const auto line = [&](const std::string& labels, const std::string& value) {
    for (size_t at = text.find("twinspan_agent_actions_total{"); at != std::string::npos;
         at = text.find("twinspan_agent_actions_total{", at + 1)) {
      const std::string found = text.substr(at, text.find('\n', at) - at);
      if (found.find(labels) != std::string::npos && found.ends_with(" " + value)) return true;
    }
    return false;
  };
  EXPECT_TRUE(line("action=\"Follow\",", "2")) << text;
  EXPECT_TRUE(line("result=\"error\"", "1")) << text;
  EXPECT_FALSE(line("action=\"Follow(", "1")) << text;
}

}  // namespace
}  // namespace twinspan::worker
