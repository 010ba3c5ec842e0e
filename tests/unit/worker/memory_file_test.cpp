#include "worker/postgres/memory_file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace twinspan::worker {
namespace {

class MemoryFile : public ::testing::Test {
 protected:
  MemoryFile() {
    char name[] = "/tmp/memory-file-XXXXXX";
    dir_ = mkdtemp(name);
  }
  ~MemoryFile() override { std::filesystem::remove_all(dir_); }
  void put(const std::string& text) const { std::ofstream(memory_path(dir_)) << text; }
  std::string dir_;
  const StoredMemory stored_{{{3}, Epoch{2}, DataPart::kPrimary, std::chrono::seconds(5)}, "7001"};
};

TEST_F(MemoryFile, ReadsBackWhatWasWritten) {
  const auto none = read_memory(dir_);
  ASSERT_TRUE(none);
  EXPECT_FALSE(*none);
  ASSERT_TRUE(write_memory(dir_, stored_));
  EXPECT_EQ(read_memory(dir_).value(), stored_);
}

TEST_F(MemoryFile, IsNeverReadAsEmptyWhereItIsTornOrOfAnotherKind) {
  ASSERT_TRUE(write_memory(dir_, stored_));
  const uintmax_t size = std::filesystem::file_size(memory_path(dir_));
  for (uintmax_t torn = 0; torn + 2 < size; ++torn) {
    ASSERT_TRUE(write_memory(dir_, stored_));
    std::filesystem::resize_file(memory_path(dir_), torn);
    const auto read = read_memory(dir_);
    ASSERT_FALSE(read) << torn;
    EXPECT_NE(read.error().message.find(memory_path(dir_)), std::string::npos);
  }
  put("[]");
  EXPECT_FALSE(read_memory(dir_));
  std::filesystem::remove(memory_path(dir_));
  std::filesystem::create_directory(memory_path(dir_));
  EXPECT_FALSE(read_memory(dir_));
}

TEST_F(MemoryFile, AWriteThatFailsLeavesWhatWasThere) {
  ASSERT_TRUE(write_memory(dir_, stored_));
  std::filesystem::create_directory(memory_path(dir_) + ".new");  // as good as a full disk, for any user
  EXPECT_FALSE(write_memory(dir_, {{{9}, Epoch{9}, DataPart::kBegun, {}}, "7001"}));
  EXPECT_EQ(read_memory(dir_).value(), stored_);
}

TEST_F(MemoryFile, LeftoversOfACutWriteDoNotCount) {
  ASSERT_TRUE(write_memory(dir_, stored_));
  std::ofstream(memory_path(dir_) + ".new") << "{\"epo";
  EXPECT_EQ(read_memory(dir_).value(), stored_);
  EXPECT_TRUE(write_memory(dir_, stored_));
}

TEST(MemoryOfData, SpeaksOnlyOfTheDataItWasWrittenFor) {
  const StoredMemory stored{{{3}, Epoch{2}, DataPart::kPrimary, std::chrono::seconds(5)}, "7001"};
  EXPECT_EQ(memory_of(stored, true, "7001"), stored.memory);
  // Removed by hand: there is nothing to be of an epoch, but what was seen stays seen.
  EXPECT_EQ(memory_of(stored, false, ""), (MemberMemory{{3}, Epoch{0}, DataPart::kSome, std::chrono::seconds(5)}));
  // Replaced by hand: nobody knows of what epoch.
  EXPECT_EQ(memory_of(stored, true, "7002"),
            (MemberMemory{{3}, std::nullopt, DataPart::kSome, std::chrono::seconds(5)}));
  // An older version's data, and none at all.
  EXPECT_EQ(memory_of(std::nullopt, true, "7001"), (MemberMemory{{0}, std::nullopt, DataPart::kSome, {}}));
  EXPECT_EQ(memory_of(std::nullopt, false, ""), (MemberMemory{{0}, Epoch{0}, DataPart::kSome, {}}));
  // Made by us since, and never used.
  const StoredMemory before{{{1}, Epoch{0}, DataPart::kSome, {}}, ""};
  EXPECT_EQ(memory_of(before, true, "7001"), before.memory);
}

}  // namespace
}  // namespace twinspan::worker
