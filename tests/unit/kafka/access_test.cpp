#include "kafka/access.hpp"

#include <gtest/gtest.h>

#include "kafka/exchange.hpp"
#include "kafka/scram.hpp"

namespace twinspan::kafka {
namespace {

TEST(Address, IsHostAndPort) {
  EXPECT_EQ(parse_address("kafka-0.west:9092"), (Address{"kafka-0.west", 9092}));
  EXPECT_EQ(parse_address("[2001:db8::1]:9092"), (Address{"2001:db8::1", 9092}));
  for (const char* wrong : {"", "host", "host:", ":9092", "host:0", "host:70000", "host:9x", "host:-1",
                            "SASL_SSL://host:9092", "host:9092/path", "2001:db8::1:9092", "[::1:9092", "a b:1"}) {
    const auto read = parse_address(wrong);
    ASSERT_FALSE(read) << wrong;
    EXPECT_NE(read.error().message.find("expected HOST:PORT"), std::string::npos);
  }
}

TEST(Versions, TheHighestThatBothKnow_W13) {
  const ApiVersionsResponse theirs{
      .apis = {{.key = 0, .min = 3, .max = 13}, {.key = 26, .min = 0, .max = 5}, {.key = 1, .min = 4, .max = 11}}};
  EXPECT_EQ(choose_version(ProduceRequest::kApi, theirs), 11);
  EXPECT_EQ(choose_version(EndTxnRequest::kApi, theirs), 4) << "5 lets the epoch grow";
  EXPECT_FALSE(choose_version(FetchRequest::kApi, theirs)) << "too old to tell of truncation";
  EXPECT_FALSE(choose_version(MetadataRequest::kApi, theirs)) << "not known to it";
}

TEST(Exchange, AnAnswerToAnotherRequestIsNone) {
  std::string bytes;
  Writer out(bytes);
  out.put(int32_t{7});
  out.put(int32_t{0});
  out.put(ErrorCode::kNone);
  EXPECT_TRUE(read_answer(EndTxnRequest{}, 1, 7, bytes));
  EXPECT_FALSE(read_answer(EndTxnRequest{}, 1, 8, bytes)) << "another number";
  EXPECT_FALSE(read_answer(EndTxnRequest{}, 1, 7, bytes + "x")) << "more than it is";
}

// The exchange of RFC 7677, section 3.
TEST(Scram, ProvesBothSides) {
  const Sasl user{.mechanism = SaslMechanism::kScramSha256, .user = "user", .password = "pencil"};
  const auto challenged = [&](std::string_view last) -> Status {
    Authentication way(user, "rOprNGfwEbeRWgbNEkqO");
    EXPECT_EQ(way.answer(""), "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    EXPECT_TRUE(way.check("anything"));
    EXPECT_EQ(
        way.answer("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"),
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    auto checked = way.check(last);
    EXPECT_EQ(way.done(), checked.has_value());
    return checked;
  };
  EXPECT_TRUE(challenged("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
  EXPECT_FALSE(challenged("v=7rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="))
      << "a broker that does not know the password";
  EXPECT_FALSE(challenged(""));
}

TEST(Scram, AChallengeThatIsNoneIsRefused) {
  const Sasl user{.mechanism = SaslMechanism::kScramSha512, .user = "a,b=c", .password = "p"};
  for (const char* wrong : {"", "r=nonce,s=QUJD,i=4096", "r=other,s=QUJD,i=4096", "r=nonceX,s=,i=4096",
                            "r=nonceX,s=QUJD,i=1", "r=nonceX,s=QUJD,i=2000000000", "r=nonceX,s=QUJD,i=x"}) {
    Authentication way(user, "nonce");
    EXPECT_EQ(way.answer(""), "n,,n=a=2Cb=3Dc,r=nonce");
    EXPECT_FALSE(way.answer(wrong)) << wrong;
  }
}

TEST(Plain, IsUserAndPassword) {
  const Sasl user{.mechanism = SaslMechanism::kPlain, .user = "u", .password = "p"};
  Authentication way(user);
  EXPECT_EQ(way.answer(""), std::string("\0u\0p", 4));
  EXPECT_TRUE(way.check(""));
  EXPECT_TRUE(way.done());
}

}  // namespace
}  // namespace twinspan::kafka
