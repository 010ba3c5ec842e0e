#include "failover/log/elect.hpp"

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
  if (const auto* refused = std::get_if<Refused>(&result)) return std::string(to_string(refused->reason));
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

// Counting confirmations proves nothing of a replica that confirmed none of the primary's log, nor do its positions.
TEST(Election, NobodyGoesBackBehindARestore) {
  for (const bool synchronous : {true, false})
    for (const bool clean : {true, false})
      for (const bool follows : {true, false}) {
        ElectionInput input;
        input.durability = {synchronous, 1};
        input.epoch = {5};
        input.epochs = {{{5}, Position{}}};
        input.primary_last_known = Position{60};
        if (clean) input.final_position = Position{60};
        input.max_lag_bytes = 1000;
        input.replicas = {candidate("a", follows ? 60 : 100)};
        input.replicas[0].report->memory =
            follows ? MemberMemory{{5}, Epoch{5}, DataPart::kBegun, {}, input.epochs}
                    : MemberMemory{{5}, Epoch{4}, DataPart::kBegun, {}, {{{1}, Position{}}, {{4}, Position{50}}}};
        EXPECT_EQ(winner(input), follows ? "a" : "BeforeRestore") << synchronous << clean;
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

Candidate of_history(Candidate one, int64_t epoch, DataPart part) {
  one.report->memory = MemberMemory{{epoch}, Epoch{epoch}, part, {}};
  return one;
}

// Timelines are numbers that two members can give to different histories, and a log that nobody continued may be
// longer.
TEST(Election, DataOfAnEarlierHistoryAreNoCandidatesOnceSomebodyHasAllThatCameBefore) {
  for (DataPart a : {DataPart::kSome, DataPart::kBegun, DataPart::kPrimary})
    for (DataPart b : {DataPart::kSome, DataPart::kBegun, DataPart::kPrimary})
      for (int64_t epoch : {2, 3}) {
        ElectionInput input;
        input.durability = {true, 1};
        input.epoch = {3};
        input.replicas = {of_history(candidate("a", 100, 2), 3, a), of_history(candidate("b", 150, 2), epoch, b)};
        const bool left_behind = epoch < 3 && a != DataPart::kSome;
        EXPECT_EQ(winner(input), left_behind ? "a" : "b");
      }
}

// A replica whose agent is cut off goes on streaming from a primary that starts again in a later epoch, and confirms
// what it has never heard of.
TEST(Election, WhoHasTheSameLogHasWhatItsPositionSays) {
  for (DataPart part : {DataPart::kSome, DataPart::kBegun}) {
    ElectionInput input;
    input.durability = {true, 1};
    input.epoch = {6};
    input.replicas = {of_history(candidate("a", 191), 6, DataPart::kBegun), of_history(candidate("b", 192), 5, part)};
    input.replicas[0].report->memory->epochs = {{{1}, {0}}};
    input.replicas[1].report->memory->epochs = {{{1}, {0}}};
    EXPECT_EQ(winner(input), "b");
    input.replicas[0].report->memory->epochs = {{{1}, {0}}, {{6}, {190}}};
    EXPECT_EQ(winner(input), "a") << "another log";
    // Epoch 6 was another's, and the primary of the first log started again after it.
    input.replicas.push_back(of_history(candidate("c", 180), 7, DataPart::kBegun));
    input.replicas[2].report->memory->epochs = {{{1}, {0}}};
    EXPECT_EQ(winner(input), "b");
  }
}

// It answers, and what was confirmed here before it was cloned anew is gone.
TEST(Election, ACopyThatFollowsNobodyYetCountsForNothing) {
  ElectionInput input;
  input.durability = {true, 1};
  input.epoch = {3};
  input.replicas = {of_history(candidate("a", 100), 2, DataPart::kBegun),
                    of_history(candidate("b", 150), 0, DataPart::kSome)};
  EXPECT_EQ(winner(input), "NotEnoughReplicasHeard");
}

// What it wrote down before it would have promoted makes nobody else's data older.
TEST(Election, ACandidateThatOnlyPreparedDoesNotRuleTheOthersOut) {
  ElectionInput input;
  input.durability = {true, 1};
  input.epoch = input.unpromoted = {3};
  input.replicas = {of_history(candidate("a", 100), 3, DataPart::kPrimary),
                    of_history(candidate("b", 100), 2, DataPart::kBegun)};
  input.excluded = {"a"};
  EXPECT_EQ(winner(input), "b");
  input.replicas[1] = of_history(candidate("b", 99), 2, DataPart::kBegun);
  EXPECT_EQ(winner(input), "FurthestReplicaFailed");
}

TEST(Election, WhereTheOldPrimaryIsAmongThemOneMoreIsNeededOnlyForWhatItLacks) {
  for (int heard = 0; heard <= 3; ++heard) {
    ElectionInput input;
    input.durability = {true, 1};
    input.primary_among_them = true;
    for (int i = 0; i < 3; ++i) {
      const std::string name(1, static_cast<char>('a' + i));
      input.replicas.push_back(i < heard ? candidate(name, 100) : Candidate{name, {}});
    }
    EXPECT_EQ(winner(input).size() == 1, heard >= 2) << heard;
  }
}

}  // namespace
}  // namespace twinspan
