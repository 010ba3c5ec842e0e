#include "api/patterns.hpp"

#include <gtest/gtest.h>

#include <regex>

#include "api/quantity.hpp"
#include "manifest.hpp"
#include "tests/places.hpp"

namespace twinspan::api {
namespace {

struct Matcher {
  std::string pattern;
  bool (*matches)(std::string_view);
  std::string alphabet;
  std::vector<std::string> starts = {""};
};

const std::vector<Matcher> kMatchers = {
    {"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", is_dns_label, "az09-.A_ "},
    {"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$", is_dns_label_or_empty, "az09-.A_"},
    {"^[a-z]([-a-z0-9]*[a-z0-9])?$", is_service_name, "az09-.A_"},
    {"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$", is_object_name, "az09-.A_"},
    {"^[a-z_][a-z0-9_]*$", is_sql_name, "az09-_A"},
    {"^[A-Za-z0-9][-A-Za-z0-9_.@]*$", is_word, "aZ0-_.@:"},
    {"^[A-Za-z_][A-Za-z0-9_]*$", is_variable_name, "aZ0_-."},
    {"^[0-9]+(\\.[0-9]+)?([kMGTPE]|[KMGTPE]i)?$", is_size, "09.kKMGi-"},
    {"^https?://[A-Za-z0-9.:_\\[\\]-]+$", is_origin, "aZ0.:_[]-/@? ", {"", "http:/", "https:/", "httpss:/"}},
    {"^[0-9A-Fa-f]{1,8}/[0-9A-Fa-f]{1,8}$", is_log_position, "0aF/g", {"", "0/", "1234567", "1/2345678"}},
    {"^[1-9][0-9]{0,18}$", is_transaction_number, "019-a", {"", "123456789012345678"}},
    {"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$", is_reason, "aZ0_,:-"},
    {"^(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9][-A-Za-z0-9._]*):[1-9][0-9]{0,4}$",
     is_broker,
     "aZ0:.[]-/1",
     {"", "b:", "[", "[::1]", "b:1234"}},
    {"^[A-Za-z0-9._-]*$", is_topic_part, "aZ0._-/: "},
};

// Every string of up to four characters of an alphabet that touches each class of the pattern, behind each start.
TEST(Patterns, AcceptWhatTheirRegularExpressionsAccept) {
  for (const Matcher& matcher : kMatchers) {
    const std::regex regex(matcher.pattern, std::regex::optimize);
    int accepted = 0;
    for (const std::string& start : matcher.starts) {
      std::vector<std::string> texts{start};
      for (size_t at = 0; at < texts.size(); ++at) {
        const std::string text = texts[at];
        const bool expected = std::regex_match(text, regex);
        accepted += expected;
        ASSERT_EQ(matcher.matches(text), expected) << matcher.pattern << " on \"" << text << '"';
        if (text.size() < start.size() + 4)
          for (char c : matcher.alphabet) texts.push_back(text + c);
      }
    }
    EXPECT_GT(accepted, 0) << matcher.pattern;
  }
}

TEST(Patterns, OfTheSchemasAllHaveAMatcher) {
  for (const char* file : {"replicationlinks", "failoverpolicies"}) {
    std::istringstream text(test::read_text(test::in_source("/crds/") + file + ".yaml"));
    for (std::string line; std::getline(text, line);) {
      const size_t at = line.find("pattern: ");
      if (at == std::string::npos) continue;
      std::string pattern = line.substr(at + 9);
      EXPECT_TRUE(std::any_of(kMatchers.begin(), kMatchers.end(), [&](const Matcher& m) {
        return m.pattern == pattern;
      })) << pattern;
    }
  }
}

TEST(Quantity, ReadsSuffixesAndExponents) {
  EXPECT_EQ(parse_quantity("10Gi"), 10.0L * 1024 * 1024 * 1024);
  EXPECT_EQ(parse_quantity("1.5Ki"), 1536.0L);
  EXPECT_EQ(parse_quantity("2k"), 2000.0L);
  EXPECT_EQ(parse_quantity("1e3"), 1000.0L);
  EXPECT_EQ(parse_quantity("-1"), -1.0L);
  EXPECT_LT(*parse_quantity("250m"), 1.0L);
  EXPECT_EQ(parse_quantity("1E"), 1e18L);
  for (const char* wrong : {"", "Gi", "1Q", "1 Gi", "ten", "1e", "1e999", ".", "-", "0x10", "1GiB"})
    EXPECT_EQ(parse_quantity(wrong), std::nullopt) << wrong;
}

}  // namespace
}  // namespace twinspan::api
