#include "engines/postgres/scram.hpp"

#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <memory>

namespace twinspan::postgres {
namespace {

// RFC 7677, section 3: user "user", password "pencil". Its proof there was made with this StoredKey.
const std::string kOfTheRfc =
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";

TEST(IsVerifierOf, ThePasswordThatItWasMadeOfAndNoOther) {
  EXPECT_TRUE(is_verifier_of(kOfTheRfc, "pencil"));
  for (const char* other : {"", "Pencil", "pencil ", "penci", "pencils", "pencil\n"})
    EXPECT_FALSE(is_verifier_of(kOfTheRfc, other)) << other;
}

TEST(IsVerifierOf, WhatLibpqMakes) {
  const std::unique_ptr<char, decltype(&PQfreemem)> other(PQencryptPassword("pencil", "app"), PQfreemem);
  EXPECT_FALSE(is_verifier_of(other.get(), "pencil")) << "an MD5 digest is no verifier: it is replaced";
}

// Whatever stands in the catalogue: no crash, no endless work, and never "it fits".
TEST(IsVerifierOf, NoOtherFormFits) {
  const auto with = [](const std::string& from, const std::string& to) {
    std::string text = kOfTheRfc;
    return text.replace(text.find(from), from.size(), to);
  };
  for (const std::string& text :
       {std::string(), std::string("SCRAM-SHA-256$"), std::string("SCRAM-SHA-256$4096"), with("4096", "4095"),
        with("4096", "0"), with("4096", "-1"), with("4096", ""), with("4096", "4096x"), with("4096", "2000000000"),
        with("4096", "99999999999999999999"), with("W22Z", "W22z"), with("W22Z", "!!!!"), with("WG5d", "Wg5d"),
        with("WG5d8oPm", ""), with("==$", "=="), with(":wf", "wf"), with(":wf", ":Wf"), with("dU=", ""),
        with("SCRAM-SHA-256", "SCRAM-SHA-512")})
    EXPECT_FALSE(is_verifier_of(text, "pencil")) << text;
  for (size_t length = 0; length < kOfTheRfc.size(); ++length)
    EXPECT_FALSE(is_verifier_of(kOfTheRfc.substr(0, length), "pencil")) << length;
}

}  // namespace
}  // namespace twinspan::postgres
