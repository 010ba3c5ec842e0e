// What tests/bad_manifests does not reach of roles and databases: what is allowed, and each rule by its neighbours.
#include "api/declared_objects.hpp"

#include <gtest/gtest.h>

namespace twinspan::api {
namespace {

DeclaredRole role(std::string name, std::vector<std::string> in_roles = {}, Ensure ensure = Ensure::kPresent) {
  DeclaredRole one;
  one.name = std::move(name);
  one.in_roles = std::move(in_roles);
  one.ensure = ensure;
  return one;
}
DeclaredDatabase database(std::string name, std::optional<std::string> owner = {}) {
  DeclaredDatabase one;
  one.name = std::move(name);
  one.owner = std::move(owner);
  return one;
}
std::vector<std::string> fields(const ReplicationLink& link) {
  std::vector<FieldError> errors;
  check_objects(link, errors);
  std::vector<std::string> names;
  for (const FieldError& error : errors) {
    names.push_back(error.field);
    EXPECT_FALSE(error.message.empty());
  }
  return names;
}
using Names = std::vector<std::string>;

TEST(DeclaredObjects, OfAnyOrderAndOwnerAreAllowed) {
  ReplicationLink link;
  link.spec.postgres.database = "shop";
  link.spec.postgres.roles = {role("reports", {"readers", "pg_read_all_data"}), role("readers"),
                              role("old", {}, Ensure::kAbsent)};
  link.spec.postgres.databases = {database("shop"), database("stock", "readers"), database("more", "made_by_hand"),
                                  database("mine")};
  EXPECT_EQ(fields(link), Names());
}

TEST(DeclaredObjects, ReservedNamesAreRefusedWhereverTheyStand) {
  for (const char* name : {"postgres", "public", "none", "twinspan_replication", "twinspan_metrics", "pg_monitor"}) {
    ReplicationLink link;
    link.spec.postgres.roles = {role(name)};
    EXPECT_EQ(fields(link), Names{"spec.postgres.roles[0].name"}) << name;
    link.spec.postgres.roles = {};
    link.spec.postgres.databases = {database("stock", name)};
    EXPECT_EQ(fields(link), Names{"spec.postgres.databases[0].owner"}) << name;
    link.spec.postgres.databases = {};
    link.spec.postgres.roles = {role("app_reader", {name})};
    EXPECT_EQ(fields(link), name == std::string("pg_monitor") ? Names() : Names{"spec.postgres.roles[0].inRoles[0]"})
        << name;
  }
}

TEST(DeclaredObjects, TheOwnersRoleIsItsSecretsAffair) {
  ReplicationLink link;
  link.spec.postgres.database = "shop";
  link.spec.postgres.roles = {role("shop")};
  EXPECT_EQ(fields(link), Names{"spec.postgres.roles[0].name"});
  link.spec.postgres.owner_secret_ref = SecretReference{"mine"};  // it may have another name in it
  EXPECT_EQ(fields(link), Names());
  link.spec.postgres.databases = {database("shop", "reports")};
  EXPECT_EQ(fields(link), Names{"spec.postgres.databases[0].owner"});
}

TEST(DeclaredObjects, WhatIsToBeAbsentIsNeededByNobody) {
  ReplicationLink link;
  link.spec.postgres.roles = {role("old", {}, Ensure::kAbsent), role("reports", {"old"})};
  link.spec.postgres.databases = {database("stock", "old")};
  EXPECT_EQ(fields(link), (Names{"spec.postgres.roles[1].inRoles[0]", "spec.postgres.databases[0].owner"}));
}

// Every graph of memberships of three roles: refused of exactly those that lead back to themselves.
TEST(DeclaredObjects, NobodyIsAMemberOfItself) {
  const std::vector<std::string> names = {"a", "b", "c"};
  for (unsigned graph = 0; graph < 512; ++graph) {
    bool reaches[3][3];
    ReplicationLink link;
    for (unsigned from = 0; from < 3; ++from) {
      std::vector<std::string> groups;
      for (unsigned to = 0; to < 3; ++to) {
        reaches[from][to] = ((graph >> (3 * from + to)) & 1) != 0;
        if (reaches[from][to]) groups.push_back(names[to]);
      }
      link.spec.postgres.roles.push_back(role(names[from], groups));
    }
    for (unsigned by = 0; by < 3; ++by)
      for (unsigned from = 0; from < 3; ++from)
        for (unsigned to = 0; to < 3; ++to) reaches[from][to] |= reaches[from][by] && reaches[by][to];
    Names expected;
    for (unsigned one = 0; one < 3; ++one)
      if (reaches[one][one]) expected.push_back("spec.postgres.roles[" + std::to_string(one) + "].inRoles");
    EXPECT_EQ(fields(link), expected) << graph;
  }
}

TEST(DeclaredObjects, APasswordIsForWhoMayLogIn) {
  ReplicationLink link;
  link.spec.postgres.roles = {role("app_reader")};
  link.spec.postgres.roles[0].password_secret_ref = SecretKeyReference{"passwords", "reader"};
  EXPECT_EQ(fields(link), Names{"spec.postgres.roles[0].passwordSecretRef"});
  link.spec.postgres.roles[0].login = true;
  EXPECT_EQ(fields(link), Names());
}

TEST(DeclaredObjects, InitdbGetsAnIcuLocaleExactlyWithIcu) {
  for (const auto provider : {LocaleProvider::kLibc, LocaleProvider::kIcu})
    for (const bool named : {false, true})
      for (const auto encoding : {Encoding::kUTF8, Encoding::kLATIN1})
        for (const char* locale : {"C.UTF-8", "C"}) {
          InitdbSettings initdb;
          initdb.locale_provider = provider;
          if (named) initdb.icu_locale = "de-AT";
          initdb.encoding = encoding;
          initdb.locale = locale;
          std::vector<FieldError> errors;
          check_initdb(initdb, errors);
          const bool fits = encoding == Encoding::kUTF8 || locale == std::string("C");
          EXPECT_EQ(errors.empty(), (provider == LocaleProvider::kIcu) == named && fits);
          for (const FieldError& error : errors)
            EXPECT_TRUE(error.field == "spec.postgres.initdb.icuLocale" ||
                        error.field == "spec.postgres.initdb.encoding");
        }
}

TEST(DeclaredObjects, WhatIsTakenOffTheListIsToldToStay) {
  PostgresSettings before, after;
  before.database = "shop";
  before.roles = {role("stays"), role("goes"), role("gone", {}, Ensure::kAbsent)};
  before.databases = {database("shop"), database("stock"), database("more")};
  before.databases[2].extensions = {{"citext", {}}, {"hstore", {}}};
  after = before;
  std::vector<std::string> warnings;
  warn_of_undeclared(before, after, warnings);
  EXPECT_TRUE(warnings.empty());
  after.roles = {role("stays")};
  after.databases = {database("more")};
  after.databases[0].extensions = {{"hstore", {}}};
  warn_of_undeclared(before, after, warnings);
  ASSERT_EQ(warnings.size(), 3u);
  EXPECT_TRUE(warnings[0].starts_with("spec.postgres.roles: role goes is no longer declared and stays"));
  EXPECT_TRUE(warnings[1].starts_with("spec.postgres.databases: database stock "));
  EXPECT_TRUE(warnings[2].starts_with("spec.postgres.databases: extension citext of more "));
  warnings.clear();
  warn_of_undeclared(after, before, warnings);
  EXPECT_TRUE(warnings.empty());
}

TEST(DeclaredObjects, FingerprintTellsEveryChangeAndNoneOfDefaults) {
  PostgresSettings settings;
  settings.roles = {role("a"), role("b")};
  settings.databases = {database("stock")};
  std::set<std::string> seen{objects_fingerprint(settings)};
  const auto differs = [&](const PostgresSettings& other) { return seen.insert(objects_fingerprint(other)).second; };
  PostgresSettings other = settings;
  other.roles[0].login = true;
  EXPECT_TRUE(differs(other));
  other = settings;
  other.roles[1].login = true;
  EXPECT_TRUE(differs(other));
  other = settings;
  other.roles[0].password_secret_ref = SecretKeyReference{"s", "k"};
  EXPECT_TRUE(differs(other));
  other = settings;
  other.databases[0].extensions = {{"pg_trgm", {}}};
  EXPECT_TRUE(differs(other));
  other.databases[0].extensions[0].version = "1.6";
  EXPECT_TRUE(differs(other));
  other = settings;
  other.roles.pop_back();
  EXPECT_TRUE(differs(other));
  other = settings;
  other.durability.mode = DurabilityMode::kSync;
  EXPECT_FALSE(differs(other));
  // Agents of another version compare it with the operator's.
  EXPECT_EQ(objects_fingerprint(settings), "7d582b2a1314288c");
}

}  // namespace
}  // namespace twinspan::api
