#include "engines/postgres/archive/fetch.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "core/file.hpp"

namespace twinspan::postgres {
namespace {

constexpr uint64_t kSegment = backup::kSegmentBytes;

// An archive of files by name, and a place where they are written to.
struct Restoring {
  std::map<std::string, std::string> archive;
  std::filesystem::path folder =
      std::filesystem::path(testing::TempDir()) / ("fetch-" + std::to_string(static_cast<int64_t>(getpid())));

  Restoring() { std::filesystem::create_directories(folder); }
  ~Restoring() { std::filesystem::remove_all(folder); }
  std::string to() const { return folder / "RECOVERYXLOG"; }
  FetchAnswer ask(const std::string& name, backup::Timeline timeline, backup::Timeline taken = 0) {
    std::filesystem::remove(to());
    FetchSources sources;
    sources.archive_get = [&](const std::string& wanted, const std::string& path) -> std::optional<int> {
      const auto found = archive.find(wanted);
      if (found == archive.end()) return 1;
      std::ofstream(path, std::ios::binary) << found->second;
      return 0;
    };
    sources.list_tails = [](const std::string&) { return std::vector<backup::TailName>{}; };
    return fetch({timeline, name, to(), UINT64_MAX, taken}, sources);
  }
};

// A former primary may have filled its segment, and more, when the next one had none of that: what it wrote behind the
// fork was never the link's.
TEST(Fetch, OfAnEarlierTimelineNothingBehindTheForkIsReplayed) {
  Restoring restoring;
  const std::string before = backup::segment_name(1, 4), fork = backup::segment_name(1, 5),
                    after = backup::segment_name(1, 6);
  for (const std::string& name : {before, fork, after}) restoring.archive[name] = std::string(kSegment, 'x');
  restoring.archive["00000002.history"] = "1\t0/5000148\tno recovery target specified\n";
  EXPECT_EQ(restoring.ask(before, 2).code, 0);
  EXPECT_EQ(*read_file(restoring.to()), std::string(kSegment, 'x'));
  EXPECT_EQ(restoring.ask(fork, 2).code, 0);
  EXPECT_EQ(*read_file(restoring.to()), std::string(0x148, 'x') + std::string(kSegment - 0x148, '\0'));
  EXPECT_EQ(restoring.ask(after, 2).code, 1);
  EXPECT_FALSE(std::filesystem::exists(restoring.to()));
  EXPECT_EQ(restoring.ask(after, 1).code, 0) << "who follows the former timeline gets all of it";
}

TEST(Fetch, AHistoryThatCannotBeReadEndsNoRecovery) {
  Restoring restoring;
  restoring.archive[backup::segment_name(1, 4)] = std::string(kSegment, 'x');
  EXPECT_GE(restoring.ask(backup::segment_name(1, 4), 2).code, 126);
  // PostgreSQL keeps the one that it got.
  std::ofstream(restoring.folder / "00000002.history") << "1\t0/5000148\tno recovery target specified\n";
  EXPECT_EQ(restoring.ask(backup::segment_name(1, 4), 2).code, 0);
}

// PostgreSQL asks for one history after the other, and takes the first number that has none.
TEST(Fetch, ANumberThatIsTakenHasAHistory) {
  Restoring restoring;
  restoring.archive["00000004.history"] = "3\t0/5000148\tno recovery target specified\n";
  EXPECT_EQ(restoring.ask("00000002.history", 2, 6).code, 1) << "its own is there, or it is not";
  for (const char* name : {"00000003.history", "00000005.history", "00000006.history"}) {
    EXPECT_EQ(restoring.ask(name, 2, 6).code, 0) << name;
    EXPECT_TRUE(std::filesystem::exists(restoring.to())) << name;
  }
  EXPECT_EQ(restoring.ask("00000004.history", 2, 6).code, 0);
  EXPECT_EQ(*read_file(restoring.to()), restoring.archive["00000004.history"]) << "what is stored goes before";
  EXPECT_EQ(restoring.ask("00000007.history", 2, 6).code, 1);
  EXPECT_EQ(restoring.ask("00000003.history", 2).code, 1) << "nobody said that it is taken";
  EXPECT_EQ(restoring.ask(backup::segment_name(3, 5), 2, 6).code, 1) << "of log nothing is made up";
}

}  // namespace
}  // namespace twinspan::postgres
