#include "contract/member_report.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "contract/declared_objects.hpp"

namespace twinspan {
namespace {

TEST(MemberReport, SurvivesTheWire) {
  MemberReport report;
  report.endpoint = "west";
  report.instance = "uid-1";
  report.role = Role::kReplica;
  report.state = MemberState::kStreaming;
  report.received = Position{0x500000148};
  report.timeline = 3;
  report.history = {{1, Position{10}}, {2, Position{20}}};
  report.frozen_for = {4};
  report.sql_healthy = true;
  report.downstreams["north"].flushed = Position{7};
  report.progress = Progress{"Cloning", 1, 2};
  report.troubles = {{TroubleKind::kStorageLow, "1 GiB of 20 are free"}};
  report.volume = {20, 1};
  report.memory = MemberMemory{{4}, Epoch{3}, DataPart::kBegun, std::chrono::seconds(15)};
  report.prepared = "before";
  const auto parsed = parse_member_report(to_json(report));
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->memory, report.memory);
  EXPECT_EQ(parsed->prepared, "before");
  EXPECT_EQ(to_json(*parsed), to_json(report));
}

TEST(MemberReport, DeclaredObjectsSurviveTheJourney) {
  const ObjectsReport objects{"1234", {{"role reports", "no such Secret"}, {"database stock", "no owner"}}};
  for (const auto& said :
       {std::optional<ObjectsReport>(), std::optional(objects), std::optional(ObjectsReport{"5", {}})}) {
    MemberReport report;
    report.details = details_of(said);
    const auto parsed = parse_member_report(to_json(report));
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(objects_of(*parsed), said);
  }
  MemberReport strange;
  for (const char* text : {"[]", "7", R"({"objects": 1})"}) {
    strange.details = Json::parse(text);
    EXPECT_FALSE(objects_of(strange)) << text;
  }
  strange.details = Json::parse(R"({"objects": {"asked": 7, "troubles": [1, {"words": "w"}]}})");
  ASSERT_TRUE(objects_of(strange));
  EXPECT_EQ(objects_of(strange)->asked, "");
}

TEST(MemberReport, WhatWasNotMeasuredStaysUnknown) {
  const auto parsed = parse_member_report(Json::object());
  ASSERT_TRUE(parsed);
  EXPECT_FALSE(parsed->received || parsed->timeline || parsed->lag_seconds || parsed->lag_bytes || parsed->sql_healthy);
  EXPECT_FALSE(parsed->memory);
  EXPECT_EQ(parsed->prepared, "") << "an agent that says nothing of it has nothing";
  EXPECT_EQ(parsed->state, MemberState::kUnknown);
}

TEST(MemberReport, WrongInputIsAnErrorThatNamesFieldAndValue) {
  EXPECT_FALSE(parse_member_report(Json::parse("[]")));
  for (const auto& [text, words] : std::initializer_list<std::pair<const char*, const char*>>{
           {R"({"received": "nonsense"})", R"(received: "nonsense")"},
           {R"({"received": 7})", "received: 7"},
           {R"({"timeline": "x"})", R"(timeline: "x")"},
           {R"({"timeline": -1})", "timeline: -1"},
           {R"({"timeline": 4294967296})", "timeline: 4294967296"},
           {R"({"epoch": 1e30})", "epoch: 1e+30"},
           {R"({"epoch": 18446744073709551615})", "epoch: 18446744073709551615"},
           {R"({"sqlFailures": 3000000000})", "sqlFailures: 3000000000"},
           {R"({"holdsLease": 1})", "holdsLease: 1"},
           {R"({"endpoint": 3})", "endpoint: 3"},
           {R"({"lagSeconds": "1"})", R"(lagSeconds: "1")"},
           {R"({"history": [{"end": "0/0"}]})", "history.timeline: null"},
           {R"({"downstreams": {"a": 3}})", "downstreams.a: 3"},
           {R"({"memory": {"epochSeen": 3}})", "leaseSeconds: null"},
           {R"({"memory": {"epochSeen": 3, "leaseSeconds": 9223372036854775807, "dataPart": "Some"}})",
            "leaseSeconds: 9223372036854775807"},
       }) {
    const auto read = parse_member_report(Json::parse(text));
    ASSERT_FALSE(read) << text;
    EXPECT_NE(read.error().message.find(words), std::string::npos) << read.error().message;
  }
}

// The API takes it from a hand, and a volume remembers it: neither member nor memory is unreadable for that.
TEST(MemberReport, TheLongestLeaseThatTheApiTakesIsReadBack) {
  const auto read = parse_member_report(
      Json::parse(R"({"memory": {"epochSeen": 4, "dataPart": "Some", "leaseSeconds": 2147483647}})"));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->memory->lease, std::chrono::seconds(2147483647));
}

// A member of a newer version is not silent for it.
TEST(MemberReport, WordsThatAreNotKnownAndNullSayNothing) {
  const auto read = parse_member_report(Json::parse(R"({
    "role": "Witness", "endpoint": "west", "received": null, "timeline": null, "history": null, "downstreams": null,
    "progress": null, "volume": null, "parameters": null, "epoch": 4, "frozenFor": null,
    "memory": {"epochSeen": 4, "dataEpoch": 4, "dataPart": "Mirrored", "leaseSeconds": 5}})"));
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->role, Role::kNone);
  EXPECT_EQ(read->epoch, Epoch{4});
  EXPECT_FALSE(read->memory || read->received || read->timeline || read->progress || read->volume || read->parameters);
}

TEST(Position, IsPrintedAndReadAsPostgresDoes) {
  EXPECT_EQ(to_string(Position{0x5000148}), "0/5000148");
  EXPECT_EQ(to_string(Position{0x1A00000000FFull}), "1A00/FF");
  EXPECT_EQ(parse_position("16/B374D848"), Position{0x16B374D848});
  for (const char* wrong : {"", "/", "0", "0/", "/0", "x/1", "0/1 ", "100000000/0"})
    EXPECT_FALSE(parse_position(wrong)) << wrong;
}

// As agents of versions 0.1 say it, before and after they kept a memory: this text is never to follow a change of the
// program.
TEST(MemberReport, ReadsWhatEarlierVersionsSay) {
  const auto first = parse_member_report(Json::parse(R"({
    "role": "Replica", "state": "Streaming", "endpoint": "west", "instance": "uid-1-abc", "address": "10.0.0.7",
    "message": "", "databaseRunning": true, "acceptsReads": true, "sqlHealthy": true, "sqlFailures": 0,
    "systemId": "7301", "timeline": 3, "received": "0/5000148", "replayed": "0/5000100", "receiverStopped": false,
    "frozenFor": 0, "upstream": "east", "lagSeconds": 0.5, "lagBytes": 72, "epoch": 3, "holdsLease": false,
    "restartPending": false, "generation": 4, "version": "15.20",
    "history": [{"timeline": 1, "end": "0/3000000"}, {"timeline": 2, "end": "0/4000000"}],
    "downstreams": {"north": {"state": "streaming", "syncState": "quorum", "flushed": "0/5000100"}}})"));
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->role, Role::kReplica);
  EXPECT_EQ(first->state, MemberState::kStreaming);
  EXPECT_EQ(first->received, Position{0x5000148});
  EXPECT_EQ(first->history, (std::vector<TimelineSwitch>{{1, Position{0x3000000}}, {2, Position{0x4000000}}}));
  EXPECT_TRUE(first->downstreams.at("north").commits_wait_for_it());
  EXPECT_FALSE(first->memory || first->parameters || first->volume);
  const auto later = parse_member_report(Json::parse(R"({
    "role": "Primary", "state": "Running", "epoch": 4, "holdsLease": true, "history": [], "downstreams": {},
    "memory": {"epochSeen": 4, "dataEpoch": 4, "dataPart": "Primary", "leaseSeconds": 5},
    "parameters": {"asked": "ab12", "outcome": "Undone", "words": "could not map", "notInForce":
      [{"name": "shared_buffers", "text": "100TB"}], "takenBackCount": 1},
    "volume": {"totalBytes": 20, "freeBytes": 1}, "troubles": [{"kind": "OfANewerVersion", "text": "?"}]})"));
  ASSERT_TRUE(later) << later.error().message;
  EXPECT_EQ(later->memory, (MemberMemory{{4}, Epoch{4}, DataPart::kPrimary, std::chrono::seconds(5)}));
  EXPECT_EQ(later->parameters->outcome, TrialOutcome::kUndone);
  EXPECT_EQ(later->parameters->not_in_force.at(0).name, "shared_buffers");
  EXPECT_TRUE(later->troubles.empty()) << "a kind that nobody here knows says nothing";
}

// What a newer version adds is no reason to know nothing at all of a member.
TEST(MemberReport, FieldsOfANewerVersionAreLetBe) {
  const auto read = parse_member_report({{"state", "Vacuuming"}, {"endpoint", "west"}, {"phase", {{"of", "moon"}}}});
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->state, MemberState::kUnknown);
  EXPECT_EQ(read->endpoint, "west");
}

}  // namespace
}  // namespace twinspan
