#include "api/conditions.hpp"

#include <gtest/gtest.h>

namespace twinspan::api {
namespace {

const WallTime kNoon = *parse_rfc3339("2026-01-01T12:00:00Z");
const WallTime kLater = *parse_rfc3339("2026-01-01T12:05:00Z");

Condition ready(ConditionStatus status, std::string reason = "Replicating", std::string message = "2 of 2") {
  return {.type = "Ready",
          .status = status,
          .observed_generation = {},
          .last_transition_time = "",
          .reason = std::move(reason),
          .message = std::move(message)};
}

TEST(Conditions, AreAddedOnce) {
  std::vector<Condition> conditions;
  EXPECT_TRUE(set_condition(conditions, ready(ConditionStatus::kFalse), 3, kNoon));
  ASSERT_EQ(conditions.size(), 1u);
  EXPECT_EQ(conditions[0].observed_generation, 3);
  EXPECT_EQ(conditions[0].last_transition_time, "2026-01-01T12:00:00Z");
  EXPECT_FALSE(set_condition(conditions, ready(ConditionStatus::kFalse), 4, kLater));
  ASSERT_EQ(conditions.size(), 1u);
  EXPECT_EQ(conditions[0].observed_generation, 4);
}

TEST(Conditions, TransitionTimeMovesOnlyWithStatus) {
  std::vector<Condition> conditions;
  set_condition(conditions, ready(ConditionStatus::kFalse), 1, kNoon);
  EXPECT_TRUE(set_condition(conditions, ready(ConditionStatus::kFalse, "Cloning", "1 of 2"), 1, kLater));
  EXPECT_EQ(conditions[0].last_transition_time, "2026-01-01T12:00:00Z");
  EXPECT_EQ(conditions[0].reason, "Cloning");
  EXPECT_TRUE(set_condition(conditions, ready(ConditionStatus::kTrue), 1, kLater));
  EXPECT_EQ(conditions[0].last_transition_time, "2026-01-01T12:05:00Z");
}

TEST(Conditions, AreFoundAndRemovedByType) {
  std::vector<Condition> conditions;
  EXPECT_EQ(find_condition(conditions, "Ready"), nullptr);
  EXPECT_FALSE(is_true(conditions, "Ready"));
  set_condition(conditions, ready(ConditionStatus::kTrue), 1, kNoon);
  ASSERT_NE(find_condition(conditions, "Ready"), nullptr);
  EXPECT_TRUE(is_true(conditions, "Ready"));
  EXPECT_TRUE(remove_condition(conditions, "Ready"));
  EXPECT_FALSE(remove_condition(conditions, "Ready"));
  EXPECT_TRUE(conditions.empty());
}

}  // namespace
}  // namespace twinspan::api
