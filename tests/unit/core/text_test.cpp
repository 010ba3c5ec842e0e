#include "core/text.hpp"

#include <gtest/gtest.h>

namespace twinspan {
namespace {

using Parts = std::vector<std::string_view>;

TEST(Split, WhatACharacterPartsAndWhatItEnds) {
  EXPECT_EQ(split("", ','), Parts{""});
  EXPECT_EQ(split("a", ','), Parts{"a"});
  EXPECT_EQ(split("a,,b,", ','), (Parts{"a", "", "b", ""}));
  EXPECT_EQ(split_ended("", ','), Parts{});
  EXPECT_EQ(split_ended(",", ','), Parts{""});
  EXPECT_EQ(split_ended("a,,b,", ','), (Parts{"a", "", "b"}));
  EXPECT_EQ(split_ended("a,,b", ','), (Parts{"a", "", "b"}));
  EXPECT_EQ(split_lines("one\n\nthree"), (Parts{"one", "", "three"}));
}

TEST(ReadNumber, AllOfTheTextOrNothing) {
  uint32_t number = 7;
  EXPECT_TRUE(read_number("4294967295", number));
  EXPECT_EQ(number, UINT32_MAX);
  EXPECT_TRUE(read_number("00ff", number, 16));
  EXPECT_EQ(number, 255U);
  for (const char* text : {"", " 1", "1 ", "-1", "+1", "4294967296", "0x1", "g"})
    EXPECT_FALSE(read_number(text, number)) << text;
}

TEST(OneLine, KeepsWhatCanBeReadAndNothingElse) {
  EXPECT_EQ(one_line("plain text", 100), "plain text");
  EXPECT_EQ(one_line("  two\r\n\tlines\n", 100), "two lines");
  EXPECT_EQ(one_line("\x1b[31mred", 100), "[31mred");
  EXPECT_EQ(one_line("\u00fcber \xff\xc3", 100), "\u00fcber");
  EXPECT_EQ(one_line("", 100), "");
}

TEST(OneLine, IsCutBetweenCharacters) {
  EXPECT_EQ(one_line("abcdef", 6), "abcdef");
  EXPECT_EQ(one_line("abcdefg", 6), "abcdef\u2026");
  EXPECT_EQ(one_line("abcde\u00fc", 6), "abcde\u2026");
}

}  // namespace
}  // namespace twinspan
