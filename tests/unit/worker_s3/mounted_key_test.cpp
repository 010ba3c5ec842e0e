#include "worker/s3/mounted_key.hpp"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace twinspan::worker_s3 {
namespace {

struct Mounted : testing::Test {
  Mounted() : folder(testing::TempDir() + "mounted-key-" + std::to_string(::getpid())) {
    std::filesystem::create_directories(folder + "/client_encryption");
    spec.settings.client_encryption = api::ClientEncryption{{"backup-key", "aes"}};
  }
  ~Mounted() override { std::filesystem::remove_all(folder); }
  void write(const std::string& text) const { std::ofstream(folder + "/" + kKeyFile) << text; }
  std::string refusal() const {
    const auto key = mounted_key(spec, folder);
    return key ? "" : key.error().message;
  }
  const std::string folder;
  RouteSpec spec;
};

TEST_F(Mounted, AKeySealsOrOpensOnTheWayBack) {
  write(std::string(32, 'k'));
  for (bool restore : {false, true}) {
    s3::Settings settings;
    settings.restore = restore;
    use_key(mounted_key(spec, folder).value_or(nullptr), settings);
    EXPECT_EQ(settings.stored.key != nullptr, !restore);
    EXPECT_EQ(settings.restore_key != nullptr, restore);
    EXPECT_FALSE(key_changed(spec, folder, settings));
  }
}

TEST_F(Mounted, WhatIsNoKeyIsSaidInPlainWordsWithoutShowingIt) {
  EXPECT_EQ(refusal(), "Secret backup-key does not exist, or has no key aes");
  write("hunter2");
  EXPECT_EQ(refusal(), "Secret backup-key: aes is no key: expected 32 bytes, or their Base64 (44 characters)");
}

TEST_F(Mounted, AnotherKeyOrNoneIsNoticed) {
  write(std::string(32, 'k'));
  s3::Settings settings;
  use_key(mounted_key(spec, folder).value_or(nullptr), settings);
  write(std::string(32, 'l'));
  EXPECT_TRUE(key_changed(spec, folder, settings));
  std::filesystem::remove(folder + "/" + kKeyFile);
  EXPECT_TRUE(key_changed(spec, folder, settings));
}

TEST_F(Mounted, WhereNoneIsNamedNoneIsRead) {
  write("hunter2");
  spec.settings.client_encryption.reset();
  EXPECT_EQ(mounted_key(spec, folder), nullptr);
  EXPECT_FALSE(key_changed(spec, folder, {}));
}

}  // namespace
}  // namespace twinspan::worker_s3
