#include "core/zone.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "core/clock.hpp"
#include "core/file.hpp"

namespace twinspan {
namespace {

using std::chrono::hours, std::chrono::minutes, std::chrono::seconds, std::chrono::sys_seconds;

sys_seconds at(const char* text) { return std::chrono::floor<seconds>(*parse_rfc3339(text)); }

TimeZone zone(const char* name) {
  auto loaded = load_zone(name);
  EXPECT_TRUE(loaded) << (loaded ? "" : loaded.error().message);
  return loaded.value_or(TimeZone());
}

// The changes of the clock from `from` to `until`: "2026-03-29T01:00:00Z +3600" each.
std::string changes(const TimeZone& zone, const char* from, const char* until) {
  std::string out;
  for (auto span = zone.at(at(from)); span.until < at(until); span = zone.at(span.until)) {
    const auto change = zone.at(span.until).offset - span.offset;
    if (change != seconds(0)) out += to_rfc3339(span.until) + " " + std::to_string(change.count()) + "\n";
  }
  return out;
}

TEST(TimeZones, ChangeTheirClocksWhenTheyDo) {
  EXPECT_EQ(changes(zone("Europe/Berlin"), "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            "2026-03-29T01:00:00Z 3600\n2026-10-25T01:00:00Z -3600\n");
  EXPECT_EQ(changes(zone("America/New_York"), "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            "2026-03-08T07:00:00Z 3600\n2026-11-01T06:00:00Z -3600\n");
  EXPECT_EQ(changes(zone("Australia/Lord_Howe"), "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
            "2026-04-04T15:00:00Z -1800\n2026-10-03T15:30:00Z 1800\n");
  for (const char* still : {"Asia/Kolkata", "Asia/Tokyo", "Etc/GMT+5", "UTC"})
    EXPECT_EQ(changes(zone(still), "2026-01-01T00:00:00Z", "2060-01-01T00:00:00Z"), "") << still;
}

TEST(TimeZones, GoOnByTheRuleBeyondTheirTables) {
  EXPECT_EQ(changes(zone("Europe/Berlin"), "2099-01-01T00:00:00Z", "2100-01-01T00:00:00Z"),
            "2099-03-29T01:00:00Z 3600\n2099-10-25T01:00:00Z -3600\n");
  // Winter is what Ireland's rule counts as the exception; Gaza's rule names 50 o'clock of a Thursday, Nuuk's one
  // before midnight.
  EXPECT_EQ(changes(zone("Europe/Dublin"), "2099-01-01T00:00:00Z", "2100-01-01T00:00:00Z"),
            "2099-03-29T01:00:00Z 3600\n2099-10-25T01:00:00Z -3600\n");
  EXPECT_EQ(changes(zone("America/Nuuk"), "2050-01-01T00:00:00Z", "2051-01-01T00:00:00Z"),
            "2050-03-27T01:00:00Z 3600\n2050-10-30T01:00:00Z -3600\n");
  EXPECT_EQ(zone("Asia/Kolkata").at(at("2500-01-01T00:00:00Z")).until, sys_seconds::max());
}

TEST(TimeZones, TellTheLocalTime) {
  EXPECT_EQ(zone("Europe/Berlin").local(at("2026-03-29T00:59:59Z")).time_since_epoch(),
            at("2026-03-29T01:59:59Z").time_since_epoch());
  EXPECT_EQ(zone("Europe/Berlin").local(at("2026-03-29T01:00:00Z")).time_since_epoch(),
            at("2026-03-29T03:00:00Z").time_since_epoch());
  EXPECT_EQ(TimeZone().local(at("2026-03-29T01:00:00Z")).time_since_epoch(),
            at("2026-03-29T01:00:00Z").time_since_epoch());
}

seconds by_libc(sys_seconds time) {
  const time_t t = time.time_since_epoch().count();
  tm local{};
  localtime_r(&t, &local);
  return seconds(local.tm_gmtoff);
}

// The C library reads the same files with code of its own.
TEST(TimeZones, AreWhatTheCLibrarySaysOfEveryOneOfThem) {
  const char* before = std::getenv("TZ");
  const std::string restored = before ? before : "";
  size_t zones = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(kZoneFolder)) {
    const std::string name = entry.path().lexically_relative(kZoneFolder).string();
    if (!entry.is_regular_file() || name[0] < 'A' || name[0] > 'Z') continue;
    const TimeZone read = zone(name.c_str());
    setenv("TZ", (":" + entry.path().string()).c_str(), 1);
    tzset();
    ++zones;
    for (auto span = read.at(at("1900-01-01T00:00:00Z")); span.from < at("2120-01-01T00:00:00Z");
         span = read.at(span.until)) {
      if (span.from > sys_seconds::min()) {
        ASSERT_EQ(by_libc(span.from), span.offset) << name << " " << to_rfc3339(span.from);
        ASSERT_EQ(by_libc(span.from - seconds(1)), read.at(span.from - seconds(1)).offset)
            << name << " " << to_rfc3339(span.from);
        ASSERT_EQ(read.at(span.from).from, span.from) << name;
      }
      if (span.until == sys_seconds::max()) break;
      ASSERT_EQ(read.at(span.until - seconds(1)).from, span.from) << name;
      ASSERT_EQ(by_libc(span.until - seconds(1)), span.offset) << name << " " << to_rfc3339(span.until);
    }
    for (auto time = at("2020-01-01T00:30:00Z"); time < at("2050-01-01T00:00:00Z"); time += hours(24 * 5 + 1))
      ASSERT_EQ(by_libc(time), read.at(time).offset) << name << " " << to_rfc3339(time);
  }
  restored.empty() ? unsetenv("TZ") : setenv("TZ", restored.c_str(), 1);
  tzset();
  EXPECT_GT(zones, 400u);
}

TEST(TimeZones, ANameThatIsNoneIsRefusedWithTheOneThatWasMeant) {
  const std::pair<const char*, const char*> wrong[] = {{"Berlin", "as in Europe/Berlin"},
                                                       {"europe/berlin", "as in Europe/Berlin"},
                                                       {"New York", "as in America/New_York"},
                                                       {"lord_howe", "as in Australia/Lord_Howe"},
                                                       {"CEST", "as in Europe/Berlin"},
                                                       {"+01:00", "as in Europe/Berlin"},
                                                       {"GMT+2", "as in Europe/Berlin"},
                                                       {"Europe", "as in Europe/Berlin"},
                                                       {"", "as in Europe/Berlin"},
                                                       {"Europe/../Europe/Berlin", "as in"},
                                                       {"/usr/share/zoneinfo/UTC", "as in"},
                                                       {"tzdata.zi", "as in"},
                                                       {"right/Europe/Berlin", "as in"},
                                                       {"posixrules", "as in"},
                                                       {"Europe/Berlin\n", "as in"},
                                                       {"Mars/Olympus", "as in Europe/Berlin"}};
  for (const auto& [name, expected] : wrong) {
    const auto loaded = load_zone(name);
    ASSERT_FALSE(loaded) << name;
    EXPECT_EQ(loaded.error().code, Code::kInvalid) << name;
    EXPECT_NE(loaded.error().message.find(expected), std::string::npos) << loaded.error().message;
    EXPECT_TRUE(loaded.error().message.starts_with("\"")) << loaded.error().message;
  }
}

TEST(TimeZones, WhereNoneAreInstalledTheNameIsNotBlamed) {
  const auto loaded = load_zone("Europe/Berlin", "/nonexistent");
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, Code::kInternal);
  EXPECT_NE(loaded.error().message.find("tzdata"), std::string::npos);
  EXPECT_TRUE(load_zone("UTC", "/nonexistent"));
}

TEST(TimeZones, AFileThatIsCutOrBentAnywhereIsRefusedOrHasOffsets) {
  const std::string whole = *read_file(std::string(kZoneFolder) + "/Europe/Berlin");
  ASSERT_TRUE(TimeZone::parse(whole));
  for (size_t length = 0; length < whole.size(); ++length)
    EXPECT_FALSE(TimeZone::parse(whole.substr(0, length))) << length;
  for (size_t i = 0; i < whole.size(); ++i)
    for (const char bent : {'\0', '\x7f', '\xff'}) {
      std::string file = whole;
      file[i] = bent;
      if (const auto zone = TimeZone::parse(file)) zone->at(at("2026-01-01T00:00:00Z"));
    }
  EXPECT_FALSE(TimeZone::parse("TZif" + std::string(40, '\0'))) << "version 1 has no years beyond 2037";
}

TEST(TimeZones, RulesOfFootersAreReadInEveryForm) {
  const auto rule = parse_zone_rule("<-02>2<-01>,M3.5.0/-1,M10.5.0/0");
  ASSERT_TRUE(rule && rule->summer);
  EXPECT_EQ(rule->standard, hours(-2));
  EXPECT_EQ(rule->summer->offset, hours(-1));
  EXPECT_EQ(rule->summer->start.time, hours(-1));
  EXPECT_EQ(parse_zone_rule("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0")->standard, hours(10) + minutes(30));
  EXPECT_EQ(parse_zone_rule("IST-5:30")->summer, std::nullopt);
  for (const char* good :
       {"EST5EDT,0/0,J365/25", "XXX3:00:30", "EET-2EEST,M3.4.4/50,M10.4.4/50", "CET-1CEST-2,M3.5.0,M10.5.0/3"})
    EXPECT_TRUE(parse_zone_rule(good)) << good;
  for (const char* bad :
       {"", "CET", "CE-1", "CET-1CEST", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M3.6.0,M10.5.0",
        "CET-1CEST,M3.5.7,M10.5.0", "CET-25", "CET-1CEST,J0,J5", "CET-1CEST,M3.5.0,M10.5.0/3x", "<+1-1", "CET--1"})
    EXPECT_FALSE(parse_zone_rule(bad)) << bad;
}

}  // namespace
}  // namespace twinspan
