#include "contract/assignment.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace twinspan {
namespace {

Result<std::optional<Assignment>> read(const char* assignment) {
  return assignment_of(*api::parse_link_status({{"assignment", Json::parse(assignment)}}));
}

TEST(AssignmentContract, NobodyIsAssignedWhereNothingIsSaid) {
  const auto none = assignment_of({});
  ASSERT_TRUE(none);
  EXPECT_FALSE(none->has_value());
}

// As versions 0.1 of the operator wrote it, for either engine.
TEST(AssignmentContract, ReadsWhatEarlierVersionsWrote) {
  EXPECT_EQ(read(R"({"epoch": 7, "primary": "east", "previous": "west", "cause": "ProcessDied"})"),
            (Assignment{{7}, "east", "west", Cause::kProcessDied}));
  EXPECT_EQ(read(R"({"epoch": 8, "primary": "", "previous": "east", "cause": "LeaseExpired",
                     "leaseDurationSeconds": 5, "leaseRenewSeconds": 1})"),
            (Assignment{{8}, "", "east", Cause::kLeaseExpired}));
  EXPECT_EQ(read(R"({"epoch": 2, "primary": "nyc", "previous": "sgp", "cause": "Switchover", "bothWaysSeconds": 300})"),
            (Assignment{{2}, "nyc", "sgp", Cause::kSwitchover}));
}

TEST(AssignmentContract, ComesBackAsItWasWrittenWhateverTheCause) {
  for (Cause cause :
       {Cause::kInitial, Cause::kProcessDied, Cause::kShutdown, Cause::kPrimaryUnreachable, Cause::kPrimaryFailing,
        Cause::kLeaseExpired, Cause::kSwitchover, Cause::kRestart, Cause::kRestore}) {
    const Assignment wanted{{3}, "west", "east", cause};
    api::LinkStatus status;
    status.assignment = status_of(wanted);
    EXPECT_EQ(assignment_of(status), wanted) << to_string(cause);
  }
}

TEST(AssignmentContract, NothingOfTheDecisionBeforeStaysBesideANewOne) {
  Assignment wanted{{3}, "west", "east", Cause::kInitial};
  wanted.final_position = Position{0x5000148};
  wanted.instance = "uid-1";
  api::LinkStatus status;
  status.assignment = status_of(wanted);
  EXPECT_EQ(assignment_of(status), wanted);
  const Json patch = merge_patch_of(status_of({{4}, "east", "west", Cause::kSwitchover}));
  EXPECT_TRUE(patch.at("finalPosition").is_null());
  EXPECT_TRUE(patch.at("instance").is_null());
  EXPECT_FALSE(read(R"({"epoch": 2, "primary": "a", "previous": "", "cause": "Switchover", "finalPosition": "far"})"));
}

TEST(AssignmentContract, GuessesNoCause) {
  for (const char* cause : {"Drained", "", "switchover"}) {
    const auto wrong = read(Json{{"epoch", 9}, {"primary", "east"}, {"previous", ""}, {"cause", cause}}.dump().c_str());
    ASSERT_FALSE(wrong) << cause;
    EXPECT_EQ(wrong.error().code, Code::kInvalid);
    EXPECT_NE(wrong.error().message.find("status.assignment.cause: \"" + std::string(cause) + "\""), std::string::npos)
        << wrong.error().message;
  }
}

}  // namespace
}  // namespace twinspan
