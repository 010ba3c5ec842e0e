#include "failover/report.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

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
  const auto parsed = parse_member_report(to_json(report));
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(to_json(*parsed), to_json(report));
}

TEST(MemberReport, WhatWasNotMeasuredStaysUnknown) {
  const auto parsed = parse_member_report(Json::object());
  ASSERT_TRUE(parsed);
  EXPECT_FALSE(parsed->received || parsed->timeline || parsed->lag_seconds || parsed->lag_bytes || parsed->sql_healthy);
  EXPECT_EQ(parsed->state, MemberState::kUnknown);
}

TEST(MemberReport, WrongInputIsAnErrorNotACrash) {
  for (const char* text : {R"({"received": "nonsense"})", R"({"received": 7})", R"({"role": "King"})", R"([])",
                           R"({"timeline": "x"})", R"({"history": [{"end": "0/0"}]})", R"({"downstreams": {"a": 3}})"})
    EXPECT_FALSE(parse_member_report(Json::parse(text))) << text;
}

TEST(Position, IsPrintedAndReadAsPostgresDoes) {
  EXPECT_EQ(to_string(Position{0x5000148}), "0/5000148");
  EXPECT_EQ(to_string(Position{0x1A00000000FFull}), "1A00/FF");
  EXPECT_EQ(parse_position("16/B374D848"), Position{0x16B374D848});
  for (const char* wrong : {"", "/", "0", "0/", "/0", "x/1", "0/1 ", "100000000/0"})
    EXPECT_FALSE(parse_position(wrong)) << wrong;
}

}  // namespace
}  // namespace twinspan
