// twinspan-s3-open as people run it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "bodies.hpp"
#include "core/file.hpp"
#include "s3/digest.hpp"
#include "tests/places.hpp"

namespace twinspan::s3 {
namespace {

struct Program : testing::Test {
  Program() : folder(testing::TempDir() + "s3-open-" + std::to_string(::getpid())) {
    std::filesystem::create_directories(folder);
    write("key", base64_encode(key_of()->bytes()) + "\n");
  }
  ~Program() override { std::filesystem::remove_all(folder); }
  void write(const std::string& name, std::string_view bytes) const { std::ofstream(folder + "/" + name) << bytes; }
  std::string read(const std::string& name) const { return read_file(folder + "/" + name).value_or("?"); }
  int run(const std::string& flags) const {
    const std::string program = test::in_build("/bin/twinspan-s3-open ");
    return std::system(("cd " + folder + " && " + program + flags + " <stored >plain 2>said").c_str());
  }
  const std::string folder;
};

TEST_F(Program, OpensWhatIsStoredInEveryForm) {
  const std::string content = content_of((5 << 20) + 1);
  for (Packing packing : {Packing::kNone, Packing::kGzip, Packing::kZstd})
    for (bool sealed : {false, true}) {
      write("stored", stored_as({packing, sealed ? key_of() : nullptr}, content));
      EXPECT_EQ(run(sealed ? "--key-file key --name 'daily/a b'" : ""), 0) << read("said");
      EXPECT_TRUE(read("plain") == content);
    }
}

TEST_F(Program, EndsWithAnErrorAndSaysWhy) {
  write("stored", stored_as({Packing::kZstd, key_of()}, "text"));
  EXPECT_NE(run(""), 0);
  EXPECT_NE(read("said").find("a key is needed"), std::string::npos) << read("said");
  write("other", key_of(1)->bytes());
  EXPECT_NE(run("--key-file other"), 0);
  EXPECT_NE(read("said").find("sealed with key 630dcd2966c43366"), std::string::npos) << read("said");
  write("wrong", "too short\n");
  EXPECT_NE(run("--key-file wrong"), 0);
  EXPECT_NE(read("said").find("expected 32 bytes"), std::string::npos) << read("said");
  EXPECT_EQ(read("plain"), "");
  write("stored", stored_as({Packing::kNone, key_of()}, content_of(3 << 20)).substr(0, 2 << 20));
  EXPECT_NE(run("--key-file key"), 0);
  EXPECT_NE(read("said").find("does not open"), std::string::npos) << read("said");
}

TEST_F(Program, ShowsAHeaderWithoutAKey) {
  write("stored", stored_as({Packing::kZstd, key_of()}, "text"));
  EXPECT_EQ(run("--header"), 0);
  EXPECT_EQ(read("plain"), "key: 630dcd2966c43366\ncompression: zstd\noriginal size: 4 bytes\n");
}

}  // namespace
}  // namespace twinspan::s3
