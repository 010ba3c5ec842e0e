#include "core/text.hpp"

#include <gtest/gtest.h>

namespace twinspan {
namespace {

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
