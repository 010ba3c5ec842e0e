#include "engines/postgres/owner.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace twinspan::postgres {
namespace {

class ReadOwner : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/owner.XXXXXX";
    folder_ = mkdtemp(name);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& key, const std::string& value) { std::ofstream(folder_ + "/" + key) << value; }
  std::string folder_;
};

TEST_F(ReadOwner, ALineBreakAtTheEndIsNoPartOfAValue) {
  for (const auto& [text, value] : {std::pair{"secret", "secret"},
                                    {"secret\n", "secret"},
                                    {"secret\r\n", "secret"},
                                    {" se cret ", " se cret "},
                                    {"two\nlines\n", "two\nlines"}}) {
    write("username", std::string("app\n"));
    write("password", text);
    const auto owner = read_owner(folder_);
    ASSERT_TRUE(owner) << owner.error().message;
    EXPECT_EQ(owner->username, "app");
    EXPECT_EQ(owner->password, value);
  }
}

TEST_F(ReadOwner, WhatIsMissingOrEmptyIsNamed) {
  EXPECT_EQ(read_owner(folder_).error().code, Code::kNotFound);
  write("username", "app");
  EXPECT_NE(read_owner(folder_).error().message.find("no key password"), std::string::npos);
  write("password", "\n");
  EXPECT_EQ(read_owner(folder_).error().message, "owner Secret, password: must not be empty");
}

}  // namespace
}  // namespace twinspan::postgres
