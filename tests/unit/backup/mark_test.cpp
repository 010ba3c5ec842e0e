#include "backup/mark.hpp"

#include <gtest/gtest.h>

namespace twinspan::backup {
namespace {

TEST(Marks, TheirNameReadsBackAndNothingElseDoes) {
  for (const Mark& one : {Mark{5, 3, 0x5000148, 1'795'998'962, 1'795'999'262},
                          {1, 1, 0, 0, 0},
                          {UINT64_MAX, UINT32_MAX, UINT64_MAX, 1, INT64_MAX}})
    EXPECT_EQ(parse_mark(to_string(one)), one) << to_string(one);
  const std::string good = to_string(Mark{5, 3, 0x5000148, 10, 20});
  for (const std::string& text :
       {std::string(), std::string("mark"), good + "0", good.substr(1), good + "-1", to_string(Mark{5, 0, 1, 10, 20}),
        to_string(Mark{5, 3, 1, 20, 10}), "x" + good.substr(1)})
    EXPECT_EQ(parse_mark(text), std::nullopt) << text;
}

TEST(Marks, TheLatestEpochsLastWordCounts) {
  const Mark early{4, 2, 900, 10, 500}, late{4, 2, 900, 10, 800}, next{5, 2, 950, 20, 400}, other{6, 3, 950, 20, 900};
  EXPECT_EQ(newest_mark({late, early}, 2), late);
  EXPECT_EQ(newest_mark({next, late, other, early}, 2), next) << "by the epoch first";
  EXPECT_EQ(newest_mark({next, late, other}, 3), other);
  EXPECT_EQ(newest_mark({next, late}, 1), std::nullopt);
  // A clock that was a day ahead for a second: what was written since has the word.
  const Mark ahead{5, 2, 950, 20, 99999}, honest{5, 2, 980, 1000, 1300};
  EXPECT_EQ(newest_mark({ahead, honest}, 2), honest);
  EXPECT_TRUE(is_newer(honest, ahead));
  EXPECT_FALSE(is_newer(ahead, honest));
}

}  // namespace
}  // namespace twinspan::backup
