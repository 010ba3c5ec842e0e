#include "engines/kafka/name_choice.hpp"

#include <gtest/gtest.h>

namespace twinspan::kafka_engine {
namespace {

NameChoice groups(std::vector<std::string> include, std::vector<std::string> exclude = {}) {
  auto parsed = NameChoice::parse(include, exclude, "groups", "a group");
  EXPECT_TRUE(parsed) << parsed.error().message;
  return parsed.value_or(NameChoice());
}

TEST(NameChoice, NamesAreNamesAndPatternsMatchWholeNames_KF6) {
  const NameChoice chosen = groups({"billing", "a.b", "shipping.*"}, {".*-test", "shipping-old"});
  for (const char* yes : {"billing", "a.b", "shipping", "shipping-1"}) EXPECT_TRUE(chosen.chooses(yes)) << yes;
  for (const char* no : {"billing2", "my-billing", "aXb", "shipping-test", "shipping-old", "other", ""})
    EXPECT_FALSE(chosen.chooses(no)) << no;
  EXPECT_EQ(chosen.named(), (std::set<std::string>{"billing", "a.b"}));
}

TEST(NameChoice, GroupsMayBeCalledAnyhow_KF6) {
  const NameChoice chosen = groups({".*"});
  for (const char* yes : {"__mine", "with blank", "a/b", "über", "."}) EXPECT_TRUE(chosen.chooses(yes)) << yes;
  EXPECT_TRUE(groups({"with blank"}).chooses("with blank")) << "a pattern that is itself";
}

TEST(NameChoice, WhatIsNoPatternIsRefusedByName_KF6) {
  for (const char* wrong : {"[", "(a", "(a)\\1", "a{2,1}"})
    for (const bool excluded : {false, true}) {
      const std::vector<std::string> fine{"fine"}, bad{wrong};
      const auto parsed = NameChoice::parse(excluded ? fine : bad, excluded ? bad : fine, "groups", "a group");
      ASSERT_FALSE(parsed) << wrong;
      EXPECT_EQ(parsed.error().code, Code::kInvalid);
      const std::string field = excluded ? "groups.exclude" : "groups.include";
      EXPECT_NE(parsed.error().message.find(field + ": \"" + wrong), std::string::npos) << parsed.error().message;
      EXPECT_NE(parsed.error().message.find("a group's name"), std::string::npos) << parsed.error().message;
    }
}

}  // namespace
}  // namespace twinspan::kafka_engine
