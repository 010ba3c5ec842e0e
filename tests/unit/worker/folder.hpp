// A folder of a test's own, gone with it.
#pragma once
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <string>

namespace twinspan::worker {

class InAFolder : public testing::Test {
 protected:
  InAFolder() {
    char name[] = "/tmp/twinspan-worker.XXXXXX";
    dir_ = mkdtemp(name);
  }
  ~InAFolder() override { std::filesystem::remove_all(dir_); }

  std::string dir_;
};

}  // namespace twinspan::worker
