#include "engines/postgres/tablespaces.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace twinspan::postgres {
namespace {

namespace fs = std::filesystem;

class Places : public ::testing::Test {
 protected:
  void SetUp() override {
    char name[] = "/tmp/twinspan-places-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    layout.data_dir = name;
    fs::create_directories(layout.pgdata() + "/pg_tblspc");
  }
  void TearDown() override { fs::remove_all(layout.data_dir); }
  void link(uint32_t oid, const std::string& location) {
    fs::create_directories(location);
    fs::create_directory_symlink(location, layout.pgdata() + "/pg_tblspc/" + std::to_string(oid));
  }
  Layout layout;
};

TEST(LiesWithin, ComparesWholeNames) {
  EXPECT_TRUE(lies_within("/data/x", "/data"));
  EXPECT_TRUE(lies_within("/data/x/y", "/data"));
  EXPECT_FALSE(lies_within("/data", "/data"));
  EXPECT_FALSE(lies_within("/database/x", "/data"));
  EXPECT_FALSE(lies_within("/data/../tmp/x", "/data"));
  EXPECT_FALSE(lies_within("/tmp/x", "/data"));
}

TEST(Mapping, EscapesWhatWouldDivideIt) { EXPECT_EQ(mapping("/a=b", "/c"), "/a\\=b=/c"); }

TEST_F(Places, OfACloneAreOnTheVolumeAndUnused) {
  const std::string old = layout.data_dir + "/tablespaces/1/16400";
  link(16400, old);
  const Tablespaces places = places_for_clone(layout, {{16400, "/elsewhere/fast"}, {16401, "/tmp/x"}});
  EXPECT_EQ(places.at(16400), layout.data_dir + "/tablespaces/2/16400");
  EXPECT_EQ(places.at(16401), layout.data_dir + "/tablespaces/2/16401");
}

TEST_F(Places, NobodyUsesAnyMoreAreRemovedAndNothingElse) {
  const std::string used = layout.data_dir + "/tablespaces/2/16400", old = layout.data_dir + "/fast",
                    cut = layout.data_dir + "/tablespaces/3/16400", theirs = layout.data_dir + "/tablespaces/notes",
                    outside = layout.data_dir + "-outside";
  link(16400, used);
  for (const std::string& path : {old, cut, theirs, outside}) fs::create_directories(path);
  const auto removed = remove_unused(layout, {{16400, old}, {16401, outside}});
  ASSERT_TRUE(removed) << removed.error().message;
  EXPECT_TRUE(fs::exists(used));
  EXPECT_FALSE(fs::exists(old));
  EXPECT_FALSE(fs::exists(cut));
  EXPECT_TRUE(fs::exists(theirs));
  EXPECT_TRUE(fs::exists(outside));
  fs::remove_all(outside);
}

// Data that a restore in place put aside may be brought back, whoever is cloned meanwhile.
TEST_F(Places, OfDataThatLieBesideAreUsedToo) {
  std::vector<std::string> used;
  for (const char* data : {"/before/back@1/pgdata", "/before/back@1/parked", "/restoring/pgdata"}) {
    used.push_back(layout.data_dir + "/tablespaces/" + std::to_string(used.size() + 1) + "/16400");
    fs::create_directories(used.back());
    fs::create_directories(layout.data_dir + data + "/pg_tblspc");
    fs::create_directory_symlink(used.back(), layout.data_dir + data + "/pg_tblspc/16400");
  }
  const std::string cut = layout.data_dir + "/tablespaces/4/16400";
  fs::create_directories(cut);
  const auto removed = remove_unused(layout, {{16400, used.front()}});
  ASSERT_TRUE(removed) << removed.error().message;
  for (const std::string& path : used) EXPECT_TRUE(fs::exists(path)) << path;
  EXPECT_FALSE(fs::exists(cut));
  EXPECT_EQ(tablespaces_but_of(layout.data_dir + "/restoring/pgdata", layout.data_dir).size(), 2U);
}

TEST_F(Places, ThatAreMissingAreMadeOnTheVolumeAlone) {
  const auto outside = make_missing_locations(
      layout, {{16400, layout.data_dir + "/fast/a"}, {16401, "/nowhere/b"}, {16402, layout.pgdata() + "/c"}});
  ASSERT_TRUE(outside) << outside.error().message;
  EXPECT_TRUE(fs::exists(layout.data_dir + "/fast/a"));
  EXPECT_EQ(*outside, (std::vector<std::string>{"/nowhere/b", layout.pgdata() + "/c"}));
  link(16401, layout.data_dir + "/tablespaces/1/16401");  // a clone put it there
  EXPECT_TRUE(make_missing_locations(layout, {{16401, "/nowhere/b"}})->empty());
}

}  // namespace
}  // namespace twinspan::postgres
