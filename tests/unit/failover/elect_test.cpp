#include "failover/elect.hpp"

#include <gtest/gtest.h>

namespace twinspan {
namespace {

Candidate candidate(const std::string& name, uint64_t received, uint32_t timeline = 1) {
  MemberReport report;
  report.endpoint = name;
  report.role = Role::kReplica;
  report.database_running = true;
  report.received = Position{received};
  report.replayed = Position{received};
  report.timeline = timeline;
  report.state = MemberState::kDisconnected;
  return {name, report};
}

std::string winner(const ElectionInput& input) {
  const ElectionResult result = elect(input);
  if (const auto* refused = std::get_if<Refused>(&result)) return refused->reason;
  return std::get<Elected>(result).name;
}

// Two replicas, each silent or at one of three positions, under every rule: small enough to enumerate.
TEST(Election, SyncPromotesOnlyWhoIsKnownToHaveEveryAcknowledgedCommit) {
  for (int confirmations : {1, 2})
    for (int a = 0; a < 4; ++a)
      for (int b = 0; b < 4; ++b)
        for (int excluded = 0; excluded < 3; ++excluded) {
          ElectionInput input;
          input.durability = {true, confirmations};
          input.replicas = {a ? candidate("a", static_cast<uint64_t>(a)) : Candidate{"a", {}},
                            b ? candidate("b", static_cast<uint64_t>(b)) : Candidate{"b", {}}};
          if (excluded) input.excluded = {excluded == 1 ? "a" : "b"};
          const std::string name = winner(input);
          if (name != "a" && name != "b") continue;
          const int heard = (a > 0) + (b > 0);
          EXPECT_GE(heard, 2 - confirmations + 1);
          EXPECT_EQ(name == "a" ? a : b, std::max(a, b)) << "somebody heard has more";
        }
}

TEST(Election, AsyncRefusesWhoLacksMoreThanTheBound) {
  for (uint64_t known : {100u, 150u, 151u}) {
    ElectionInput input;
    input.replicas = {candidate("a", 100), candidate("b", 90)};
    input.primary_last_known = Position{known};
    input.max_lag_bytes = 50;
    EXPECT_EQ(winner(input), known <= 150 ? "a" : "CandidateTooFarBehind") << known;
  }
}

TEST(Election, AMissingMeasurementIsNoMeasurementOfZero) {
  ElectionInput input;
  input.replicas = {candidate("a", 100)};
  EXPECT_EQ(winner(input), "LagUnknown");
  input.replicas[0].report->received.reset();
  input.primary_last_known = Position{0};
  EXPECT_EQ(winner(input), "ReplicasUnreachable");
}

TEST(Election, ACleanEndSettlesWhatSilentReplicasCouldNot) {
  ElectionInput input;
  input.durability = {true, 1};
  input.replicas = {candidate("a", 100), Candidate{"b", {}}};
  EXPECT_EQ(winner(input), "NotEnoughReplicasHeard");
  input.final_position = Position{100};
  EXPECT_EQ(winner(input), "a");
  input.final_position = Position{101};
  input.max_lag_bytes = 1000;
  EXPECT_EQ(winner(input), "CandidateTooFarBehind") << "Sync loses nothing, whatever the bound";
}

TEST(Election, ANewerTimelineBeatsALongerLog) {
  ElectionInput input;
  input.replicas = {candidate("a", 100, 2), candidate("b", 110, 1)};
  input.primary_last_known = Position{100};
  EXPECT_EQ(winner(input), "a");
}

TEST(Election, PreferenceDecidesAmongEquals) {
  ElectionInput input;
  input.replicas = {candidate("a", 100), candidate("b", 100)};
  input.primary_last_known = Position{100};
  EXPECT_EQ(winner(input), "a");
  input.prefer = {"b"};
  EXPECT_EQ(winner(input), "b");
  input.replicas[0] = candidate("a", 101);
  EXPECT_EQ(winner(input), "a") << "log counts before preference";
}

TEST(Election, SaysWhoIsMissingAndByHowMuch) {
  ElectionInput input;
  input.durability = {true, 1};
  input.replicas = {candidate("a", 100), Candidate{"b", {}}};
  EXPECT_NE(std::get<Refused>(elect(input)).message.find("silent: b"), std::string::npos);
}

}  // namespace
}  // namespace twinspan
