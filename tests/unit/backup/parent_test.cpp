#include "backup/parent.hpp"

#include <gtest/gtest.h>

namespace twinspan::backup {
namespace {

BackupSet set_of(const char* label, bool corrupt = false, const char* system_id = "77") {
  BackupSet one;
  one.label = label;
  one.kind = *kind_of_label(label);
  one.corrupt = corrupt;
  one.system_id = system_id;
  return one;
}

constexpr const char* kFull = "20261126-020000F";
constexpr const char* kDiff = "20261126-020000F_20261127-020000D";
constexpr const char* kIncr = "20261126-020000F_20261127-030000I";

std::string parent(Kind kind, const std::vector<BackupSet>& backups) {
  const auto found = parent_for(kind, backups, "77");
  return found ? *found : found.error().message;
}

TEST(BackupParent, OfADifferentialIsTheNewestFullAndOfAnIncrementalTheNewestOfAnyKind) {
  const std::vector<BackupSet> all{set_of(kFull), set_of(kDiff), set_of(kIncr)};
  for (size_t count = 1; count <= all.size(); ++count) {
    const std::vector<BackupSet> there(all.begin(), all.begin() + static_cast<long>(count));
    EXPECT_EQ(parent(Kind::kFull, there), "");
    EXPECT_EQ(parent(Kind::kDifferential, there), kFull);
    EXPECT_EQ(parent(Kind::kIncremental, there), there.back().label);
  }
}

TEST(BackupParent, WithoutOneAFullIsAskedForInWords) {
  for (const Kind kind : {Kind::kDifferential, Kind::kIncremental})
    for (const auto& there :
         {std::vector<BackupSet>{}, {set_of(kFull, false, "66")}, {set_of(kFull, true)}, {set_of(kIncr, true)}}) {
      const std::string said = parent(kind, there);
      EXPECT_TRUE(said.ends_with(": make a full")) << said;
      EXPECT_NE(said.find(to_string(kind)), std::string::npos) << said;
      EXPECT_EQ(parent(Kind::kFull, there), "");
    }
}

// A damaged increment is in the way of the next increment, and of no differential.
TEST(BackupParent, DamagedPagesMatterWhereTheyWouldBeTakenOver) {
  const std::vector<BackupSet> there{set_of(kFull), set_of(kIncr, true)};
  EXPECT_EQ(parent(Kind::kDifferential, there), kFull);
  EXPECT_NE(parent(Kind::kIncremental, there).find(kIncr), std::string::npos);
}

TEST(BackupLabel, TellsTheKindThatWasStored) {
  EXPECT_EQ(kind_of_label(kFull), Kind::kFull);
  EXPECT_EQ(kind_of_label(kDiff), Kind::kDifferential);
  EXPECT_EQ(kind_of_label(kIncr), Kind::kIncremental);
  for (const char* label :
       {"", "F", "20261126-020000", "20261126-020000I", "20261126-02000xF", "20261126-020000F_", "20261126020000F0",
        "20261126-020000F_20261127-030000F", "20261126-020000F_20261127-030000", "20261126-020000F-20261127-030000I"})
    EXPECT_EQ(kind_of_label(label), std::nullopt) << label;
}

}  // namespace
}  // namespace twinspan::backup
