// tests/golden/pgbackrest holds what pgBackRest 2.45 answered: a stanza with three backups, one with corrupt pages, one
// more while a backup ran, one after a promotion; none; one set whose damaged files are named; and repositories that
// can't be read.
#include "backup/pgbackrest.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/file.hpp"
#include "core/json.hpp"
#include "tests/places.hpp"

namespace twinspan::backup {
namespace {

std::string answer(const std::string& name) {
  return read_file(test::in_source("/tests/golden/pgbackrest/") + name + ".json").value_or("");
}

TEST(PgBackRestInfo, IsReadAsBackups) {
  const auto info = parse_info(answer("promoted"), "orders");
  ASSERT_TRUE(info) << info.error().message;
  EXPECT_TRUE(info->exists);
  EXPECT_FALSE(info->backup_running);
  ASSERT_EQ(info->backups.size(), 6u);
  BackupSet expected;
  expected.label = "20261129-124322F_20261129-124442I";
  expected.kind = Kind::kIncremental;
  expected.timeline = 1;
  expected.start = *parse_position("0/8000028");
  expected.stop = *parse_position("0/8000100");
  expected.started_at = *parse_rfc3339("2026-11-29T12:44:42Z");
  expected.stopped_at = *parse_rfc3339("2026-11-29T12:44:44Z");
  expected.needs = {"20261129-124322F", "20261129-124322F_20261129-124415D"};
  expected.size_bytes = 25966288;
  expected.read_bytes = 3186954;
  expected.stored_bytes = 143472;
  expected.corrupt = false;
  expected.system_id = "7713572754364823084";  // more digits than a double has
  EXPECT_EQ(info->backups[2], expected);
  EXPECT_EQ(info->backups[0].needs, std::vector<std::string>());
  EXPECT_EQ(info->backups[1].kind, Kind::kDifferential);
  EXPECT_EQ(info->backups[3].corrupt, true);
  EXPECT_EQ(info->backups[5].timeline, 2u);
  EXPECT_EQ(info->backups[5].made_for, "") << "by hand";
  EXPECT_EQ(info->oldest_segment, "000000010000000000000001");
}

TEST(PgBackRestInfo, TellsNothingStoredFromNothingKnown) {
  for (const char* name : {"missing", "none"}) {
    const auto info = parse_info(answer(name), "orders");
    ASSERT_TRUE(info) << name;
    EXPECT_EQ(*info, StanzaInfo{}) << name;
  }
  const auto fresh = parse_info(answer("nobackup"), "orders");
  ASSERT_TRUE(fresh);
  EXPECT_TRUE(fresh->exists);
  EXPECT_TRUE(fresh->backups.empty());
  EXPECT_EQ(fresh->oldest_segment, "");
  EXPECT_FALSE(parse_info(answer("promoted"), "other")->exists);
  const std::pair<const char*, const char*> away[] = {{"wrongkey", "passphrase"},
                                                      {"nokey", "passphrase"},
                                                      {"altered", "missing '=' in key/value"},
                                                      {"denied", "Permission denied"}};
  for (const auto& [name, said] : away) {
    const auto info = parse_info(answer(name), "orders");
    ASSERT_FALSE(info) << name;
    EXPECT_EQ(info.error().code, Code::kUnavailable) << info.error().message;
    EXPECT_NE(info.error().message.find(said), std::string::npos) << info.error().message;
    EXPECT_EQ(info.error().message.find('\n'), std::string::npos);
    EXPECT_EQ(info.error().message.find("passphrase") != std::string::npos, std::string(said) == "passphrase") << name;
  }
}

TEST(PgBackRestInfo, TellsThatABackupRunsWhichIsNotAmongThem) {
  const auto info = parse_info(answer("running"), "orders");
  ASSERT_TRUE(info);
  EXPECT_TRUE(info->backup_running);
  EXPECT_EQ(info->backups.size(), 4u);
}

// Every field of the answer removed, and made another type: either it isn't read at all, or it is missed by name.
void each_path(const Json& json, const std::string& path, std::vector<std::string>& out) {
  if (!path.empty()) out.push_back(path);
  if (json.is_object())
    for (const auto& [key, value] : json.items()) each_path(value, path + "/" + key, out);
  else if (json.is_array())
    for (size_t i = 0; i < json.size(); ++i) each_path(json[i], path + "/" + std::to_string(i), out);
}

TEST(PgBackRestInfo, MissesWhatItNeedsAndNothingElse) {
  Json whole = Json::parse(answer("promoted"));
  whole[0]["backup"] = Json::array({whole[0]["backup"][2]});
  const auto good = parse_info(whole.dump(), "orders");
  ASSERT_TRUE(good);
  std::vector<std::string> paths;
  each_path(whole[0], "/0", paths);
  std::string passed_over;
  for (const std::string& path : paths) {
    if (path == "/0" || path == "/0/name") continue;
    Json without = whole;
    without[Json::json_pointer(path)] = Json::object({{"another", "type"}});
    const auto info = parse_info(without.dump(), "orders");
    if (info && *info == *good)
      passed_over += path + "\n";
    else if (!info) {
      EXPECT_NE(info.error().message.find("pgbackrest info: "), std::string::npos) << info.error().message;
    } else {
      EXPECT_EQ(path, "/0/backup/0/error") << "half of an answer is none";
    }
  }
  EXPECT_EQ(passed_over,
            "/0/archive/0/database\n/0/archive/0/database/id\n/0/archive/0/database/"
            "repo-key\n/0/archive/0/id\n"
            "/0/backup/0/backrest\n/0/backup/0/backrest/format\n/0/backup/0/backrest/version\n/0/"
            "backup/0/database/repo-key\n"
            "/0/backup/0/info/repository/size\n/0/cipher\n/0/db/0/repo-key\n/0/db/0/version\n/0/repo/0/cipher\n/0/repo/"
            "0/key\n/0/repo/0/status/message\n"
            "/0/status/code\n/0/status/message\n");
}

TEST(PgBackRestInfo, KnowsNothingOfWhatALaterVersionAdds) {
  Json more = Json::parse(answer("promoted"));
  more[0]["later"] = more[0]["backup"][0]["later"] = more[0]["backup"][0]["info"]["later"] = {{"x", 1}};
  EXPECT_EQ(*parse_info(more.dump(), "orders"), *parse_info(answer("promoted"), "orders"));
}

TEST(PgBackRestInfo, IsRefusedWhereItIsNone) {
  for (const char* text :
       {"", "{}", "null", "[", "ERROR: [031]: invalid option '--nonsense=1'", "[{\"name\":\"orders\"}]", "[1]x"}) {
    const auto info = parse_info(text, "orders");
    ASSERT_FALSE(info) << text;
    EXPECT_EQ(info.error().code, Code::kInvalid);
  }
}

TEST(PgBackRestInfo, AnIncrementNeedsWhatItWasMadeUponAlsoWhereNoFileOfItIsLeft) {
  Json json = Json::parse(answer("promoted"));
  json[0]["backup"][2]["reference"] = {"20261129-124322F"};
  EXPECT_EQ(parse_info(json.dump(), "orders")->backups[2].needs,
            (std::vector<std::string>{"20261129-124322F", "20261129-124322F_20261129-124415D"}));
}

TEST(PgBackRestInfo, SaysWhomABackupWasMadeFor) {
  Json json = Json::parse(answer("promoted"));
  json[0]["backup"][2]["annotation"] = {{"twinspan", "u-1"}, {"another", "x"}};
  EXPECT_EQ(parse_info(json.dump(), "orders")->backups[2].made_for, "u-1");
}

TEST(PgBackRestLog, WaitingForTheLogIsNotLookingAtWhatCameBefore) {
  EXPECT_TRUE(
      waits_for_wal("P00   INFO: check archive for segment(s) 000000010000000000000002:000000010000000000000002"));
  EXPECT_FALSE(waits_for_wal("P00   INFO: check archive for prior segment 000000010000000000000001"));
}

TEST(PgBackRestExit, IsToldInWords) {
  const char* locked =
      "WARN: something\nERROR: [050]: unable to acquire lock on file '/lock/orders-backup.lock': Resource temporarily "
      "unavailable\n"
      "       HINT: is another pgBackRest process running?\nINFO: later";
  const Error error = error_of_exit(50, locked);
  EXPECT_EQ(error.code, Code::kConflict);
  EXPECT_TRUE(error.retryable);
  EXPECT_EQ(error.message,
            "another backup or expire holds the lock (pgBackRest 050): unable to acquire lock on file "
            "'/lock/orders-backup.lock': Resource "
            "temporarily unavailable HINT: is another pgBackRest process running?");
  const std::pair<int, Code> codes[] = {{31, Code::kInvalid},      {45, Code::kInvalid}, {56, Code::kUnavailable},
                                        {58, Code::kUnavailable},  {82, Code::kTimeout}, {95, Code::kInvalid},
                                        {103, Code::kUnavailable}, {105, Code::kDenied}, {137, Code::kCancelled},
                                        {1, Code::kInternal}};
  for (const auto& [code, meaning] : codes) {
    EXPECT_EQ(error_of_exit(code, "").code, meaning) << code;
    EXPECT_FALSE(error_of_exit(code, "").message.empty());
  }
  EXPECT_NE(error_of_exit(99, "odd words").message.find("odd words"), std::string::npos);
}

TEST(PgBackRestInfo, FilesWithDamagedPagesAreNamed) {
  EXPECT_EQ(parse_info(answer("damaged"), "orders")->backups.at(0).corrupt, true);
  const auto files = damaged_files(answer("damaged"));
  EXPECT_EQ(files, (std::vector<std::string>{"base/5/16384", "base/5/16389"}));
  EXPECT_TRUE(damage_words(files).starts_with("pages with wrong checksums in base/5/16384 and 1 more: "));
  for (const char* text :
       {"", "{}", "[]", "[{}]", R"([{"backup":[{"error-list":null}]}])", R"([{"backup":[{"error-list":[7]}]}])"})
    EXPECT_TRUE(damage_words(damaged_files(text)).starts_with("pages with wrong checksums: ")) << text;
}

}  // namespace
}  // namespace twinspan::backup
