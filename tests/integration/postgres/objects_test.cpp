// Roles, databases, extensions and initdb on a real PostgreSQL.
#include "engines/postgres/objects.hpp"

#include <unistd.h>

#include "api/declared_objects.hpp"
#include "integration/postgres/pair.hpp"
#include "worker/postgres/object_keeper.hpp"

namespace twinspan::postgres::testing {
namespace {

using std::chrono::seconds;
using Role = Objects::Role;

class ObjectsTest : public Pair {
 protected:
  void SetUp() override { ASSERT_NO_FATAL_FAILURE(make_primary(east)); }
  Objects::Outcome ensure(const std::vector<Role>& roles, const std::vector<WantedDatabase>& databases = {}) {
    auto outcome = objects.ensure(east.layout, east.settings.port, roles, databases);
    EXPECT_TRUE(outcome) << outcome.error().message;
    return outcome.value_or(Objects::Outcome{});
  }
  std::string value(const std::string& sql, const std::string& database = "postgres") {
    auto session = open_local(east.layout, east.settings.port, kPatience, {}, database);
    if (!session) return session.error().message;
    const auto rows = session->query(sql, {}, kPatience);
    if (!rows) return rows.error().message;
    return rows->empty() ? "none" : rows->front().front().value_or("null");
  }
  bool logs_in(const std::string& user, const std::string& password, const std::string& database = "postgres") {
    return Session::open(east.owner_conninfo(user, password, database), kPatience).has_value();
  }
  static Role login(std::string name, std::optional<std::string> password, std::set<std::string> groups = {}) {
    Role role{{std::move(name), false, {}, std::move(groups), {}}, std::move(password)};
    role.wanted.attributes.login = true;
    return role;
  }
  static Role absent(std::string name) { return {{std::move(name), true, {}, {}, {}}, {}}; }

  Objects objects;
};

TEST_F(ObjectsTest, RolesAndDatabasesAreMadeOnceAndFollowed) {
  Role reports = login("reports", "pw1", {"readers", "pg_read_all_data"});
  reports.wanted.attributes.connection_limit = 3;
  const Role readers{{"readers", false, {}, {}, {}}, {}};
  WantedDatabase stock{"stock", "reports", false, {}};
  EXPECT_TRUE(ensure({reports, readers}, {stock}).troubles.empty());
  EXPECT_TRUE(logs_in("reports", "pw1", "stock"));
  EXPECT_FALSE(logs_in("readers", "pw1", "stock"));
  EXPECT_EQ(value("SELECT rolconnlimit FROM pg_roles WHERE rolname = 'reports'"), "3");
  EXPECT_EQ(value("SELECT pg_has_role('reports', 'readers', 'member')"), "t");
  EXPECT_EQ(value("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'stock'"), "reports");

  // Nothing changed: nothing is written, not even the log.
  const std::string before = value("SELECT xmin::text FROM pg_authid WHERE rolname = 'reports'");
  EXPECT_TRUE(ensure({reports, readers}, {stock}).changed.empty());
  EXPECT_EQ(value("SELECT xmin::text FROM pg_authid WHERE rolname = 'reports'"), before);

  reports.password = "pw2";
  reports.wanted.member_of = {"pg_read_all_data"};
  EXPECT_EQ(ensure({reports, readers}, {stock}).changed, (std::vector<std::string>{"role reports", "role reports"}));
  EXPECT_TRUE(logs_in("reports", "pw2", "stock"));
  EXPECT_FALSE(logs_in("reports", "pw1", "stock"));
  EXPECT_EQ(value("SELECT pg_has_role('reports', 'readers', 'member')"), "f");

  // By SQL, against what is declared.
  ASSERT_OK(east.sql("ALTER ROLE reports PASSWORD 'theirs' CREATEDB"));
  EXPECT_EQ(ensure({reports, readers}, {stock}).changed, std::vector<std::string>{"role reports"});
  EXPECT_TRUE(logs_in("reports", "pw2", "stock"));
  EXPECT_EQ(value("SELECT rolcreatedb FROM pg_roles WHERE rolname = 'reports'"), "f");

  // Off the list: nothing happens to it.
  EXPECT_TRUE(ensure({readers}).changed.empty());
  EXPECT_TRUE(logs_in("reports", "pw2", "stock"));
}

TEST_F(ObjectsTest, WhatWasMadeByHandIsTakenOver) {
  ASSERT_OK(east.sql("CREATE ROLE app LOGIN SUPERUSER CREATEDB PASSWORD 'hand'"));
  ASSERT_OK(east.sql("CREATE DATABASE stock"));
  EXPECT_TRUE(ensure({login("app", std::nullopt)}, {{"stock", "app", false, {}}}).troubles.empty());
  EXPECT_EQ(value("SELECT rolsuper OR rolcreatedb FROM pg_roles WHERE rolname = 'app'"), "f");
  EXPECT_EQ(value("SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'stock'"), "app");
  EXPECT_TRUE(logs_in("app", "hand", "stock")) << "no password is declared: theirs stays";
  EXPECT_TRUE(ensure({login("app", "declared")}, {}).troubles.empty());
  EXPECT_TRUE(logs_in("app", "declared", "stock"));
}

TEST_F(ObjectsTest, AnAbsentRoleGoesOnceItOwnsNothing) {
  EXPECT_TRUE(ensure({login("old", "pw"), login("heir", "pw")}, {{"stock", "old", false, {}}}).troubles.empty());
  const auto refused = ensure({absent("old"), login("heir", "pw")}, {});
  ASSERT_EQ(refused.troubles.size(), 1u);
  EXPECT_EQ(refused.troubles[0].object, "role old");
  EXPECT_NE(refused.troubles[0].words.find("owner of database stock"), std::string::npos) << refused.troubles[0].words;
  EXPECT_TRUE(ensure({absent("old"), login("heir", "pw")}, {{"stock", "heir", false, {}}}).troubles.empty());
  EXPECT_EQ(value("SELECT 1 FROM pg_roles WHERE rolname = 'old'"), "none");
  EXPECT_TRUE(ensure({absent("old"), absent("never")}).changed.empty());
}

TEST_F(ObjectsTest, WhatPostgresqlRefusesIsNamedAndTheRestGoesOn) {
  const auto outcome = ensure({login("app", "s3cret'\\x", {"nobody"}), login("other", "pw")},
                              {{"stock", "missing", false, {{"pg_trgm", {}}}},
                               {"more", "other", false, {{"nonsense", {}}, {"pg_trgm", "9.9"}, {"citext", {}}}}});
  std::map<std::string, std::string> words;
  for (const auto& one : outcome.troubles) words[one.object] += one.words;
  EXPECT_EQ(words.size(), 4u);
  EXPECT_NE(words["role app"].find("role \"nobody\" does not exist"), std::string::npos) << words["role app"];
  EXPECT_NE(words["database stock"].find("role \"missing\" does not exist"), std::string::npos);
  EXPECT_NE(words["extension nonsense of more"].find("nonsense"), std::string::npos);
  EXPECT_NE(words["extension pg_trgm of more"].find("9.9"), std::string::npos) << words["extension pg_trgm of more"];
  EXPECT_TRUE(logs_in("app", "s3cret'\\x"));
  EXPECT_EQ(value("SELECT 1 FROM pg_extension WHERE extname = 'citext'", "more"), "1");
}

TEST_F(ObjectsTest, ExtensionsAreMadeInPublicAndUpgradedToAVersion) {
  WantedDatabase stock{"stock", "postgres", false, {{"pg_trgm", "1.3"}, {"uuid-ossp", {}}}};
  EXPECT_TRUE(ensure({}, {stock}).troubles.empty());
  EXPECT_EQ(value("SELECT extversion FROM pg_extension WHERE extname = 'pg_trgm'", "stock"), "1.3");
  EXPECT_EQ(value("SELECT extnamespace::regnamespace FROM pg_extension WHERE extname = 'pg_trgm'", "stock"), "public");
  EXPECT_TRUE(ensure({}, {stock}).changed.empty());
  stock.extensions[0].version.reset();
  EXPECT_TRUE(ensure({}, {stock}).changed.empty()) << "no version is declared: what is there stays";
  stock.extensions[0].version = "1.6";
  EXPECT_EQ(ensure({}, {stock}).changed, std::vector<std::string>{"extension pg_trgm of stock"});
  EXPECT_EQ(value("SELECT extversion FROM pg_extension WHERE extname = 'pg_trgm'", "stock"), "1.6");
  EXPECT_TRUE(ensure({}, {{"stock", "postgres", false, {}}}).changed.empty()) << "off the list: it stays";
  EXPECT_EQ(value("SELECT count(*) FROM pg_extension WHERE extname IN ('pg_trgm', 'uuid-ossp')", "stock"), "2");
}

TEST_F(ObjectsTest, NoPasswordGetsIntoTheLog) {
  for (const auto& [name, value] : std::map<std::string, std::string>{{"log_statement", "all"},
                                                                      {"log_min_duration_sample", "0"},
                                                                      {"log_statement_sample_rate", "1"},
                                                                      {"log_transaction_sample_rate", "1"},
                                                                      {"debug_print_parse", "on"},
                                                                      {"debug_print_plan", "on"}})
    east.settings.parameters[name] = value;
  ASSERT_OK(east.reload());
  ::testing::internal::CaptureStderr();
  (void)ensure({login("app", "s3cret", {"nobody"})}, {});
  (void)ensure({login("app", "an0ther")}, {});
  ASSERT_OK(east.postmaster->stop(StopMode::kFast, kPatience));
  const std::string log = ::testing::internal::GetCapturedStderr();
  for (const char* secret : {"s3cret", "an0ther", "SCRAM-SHA-256$"}) EXPECT_EQ(log.find(secret), std::string::npos);
}

class Passwords final : public worker::SecretSource {
 public:
  Result<std::string> read(const api::SecretKeyReference& key, const std::stop_token&) override {
    ++reads;
    if (away) return fail(Code::kUnavailable, "no answer");
    if (denied) return fail(Code::kDenied, "not yet ours to read");
    const auto found = known.find(key.name + "/" + key.key);
    if (found == known.end()) return fail(Code::kNotFound, "Secret " + key.name + " does not exist");
    return found->second;
  }
  std::map<std::string, std::string> known;
  bool away = false, denied = false;
  int reads = 0;
};
class SteppedClock final : public Clock {
 public:
  BootTime boot_now() const override { return now; }
  WallTime wall_now() const override { return {}; }
  BootTime now{seconds(1000)};
};

TEST_F(ObjectsTest, TheKeeperFollowsSecretsSpecAndPromotionsAndElseDoesNothing) {
  Passwords passwords;
  SteppedClock clock;
  worker::ObjectKeeper keeper(clock, passwords);
  api::PostgresSettings settings;
  settings.roles.resize(1);
  settings.roles[0].name = "reports";
  settings.roles[0].login = true;
  settings.roles[0].password_secret_ref = api::SecretKeyReference{"passwords", "reports"};
  worker::DesiredObjects desired = worker::objects_from(settings);
  uint64_t life = 1;
  const auto keep = [&] {
    auto said = keeper.keep(desired, {east.layout, east.settings.port, life, 1, "shop"}, {});
    EXPECT_TRUE(said) << said.error().message;
    return said && *said ? **said : ObjectsReport{"nothing", {}};
  };
  const auto written = [&] { return value("SELECT xmin::text FROM pg_authid WHERE rolname = 'reports'"); };

  ObjectsReport said = keep();
  ASSERT_EQ(said.troubles.size(), 1u);
  EXPECT_EQ(said.troubles[0].words, "passwordSecretRef: Secret passwords does not exist");
  EXPECT_EQ(said.asked, api::objects_fingerprint(settings));
  EXPECT_NE(written(), "none") << "the role is there, without a password";
  passwords.known["passwords/reports"] = "one";
  keep();
  EXPECT_FALSE(logs_in("reports", "one")) << "not due";
  clock.now += worker::ObjectKeeper::kRetry;
  EXPECT_TRUE(keep().troubles.empty());
  EXPECT_TRUE(logs_in("reports", "one"));

  // No work where nothing changed.
  const std::string before = written();
  const int reads = passwords.reads;
  for (int i = 0; i < 10; ++i) keep();
  EXPECT_EQ(passwords.reads, reads);
  clock.now += worker::ObjectKeeper::kSecretsInterval;
  ASSERT_OK(east.sql("ALTER ROLE reports CREATEDB"));
  const std::string altered = written();
  EXPECT_NE(altered, before);
  keep();
  EXPECT_EQ(passwords.reads, reads + 1);
  EXPECT_EQ(written(), altered) << "only Secrets are read so often";
  clock.now += worker::ObjectKeeper::kLookInterval;
  keep();
  EXPECT_EQ(value("SELECT rolcreatedb FROM pg_roles WHERE rolname = 'reports'"), "f");

  passwords.known["passwords/reports"] = "two";
  clock.now += worker::ObjectKeeper::kSecretsInterval;
  EXPECT_TRUE(keep().troubles.empty());
  EXPECT_TRUE(logs_in("reports", "two"));
  // The API server is away: what was read goes on, also after another promotion.
  passwords.away = true;
  ASSERT_OK(east.sql("ALTER ROLE reports PASSWORD 'theirs'"));
  ++life;
  EXPECT_TRUE(keep().troubles.empty());
  EXPECT_TRUE(logs_in("reports", "two"));
  passwords.away = false;
  // The spec.
  settings.roles[0].createdb = true;
  desired = worker::objects_from(settings);
  keep();
  EXPECT_EQ(value("SELECT rolcreatedb FROM pg_roles WHERE rolname = 'reports'"), "t");
  // The owner's own role is nobody's to declare.
  settings.roles.resize(2);
  settings.roles[1].name = "shop";
  desired = worker::objects_from(settings);
  said = keep();
  ASSERT_EQ(said.troubles.size(), 1u);
  EXPECT_EQ(said.troubles[0].object, "role shop");
  EXPECT_EQ(value("SELECT 1 FROM pg_roles WHERE rolname = 'shop'"), "none");
  desired = {};
  EXPECT_EQ(keep().asked, "nothing");
  EXPECT_TRUE(logs_in("reports", "two"));
}

// The operator lets the agent read a new Secret a moment after the agent has read the new spec.
TEST_F(ObjectsTest, ASecretThatIsNotOursYetIsAwaitedBeforeAPersonIs) {
  Passwords passwords;
  passwords.denied = true;
  SteppedClock clock;
  worker::ObjectKeeper keeper(clock, passwords);
  api::PostgresSettings settings;
  settings.roles.resize(3);
  for (size_t i = 0; i < 3; ++i) {
    settings.roles[i].name = "r" + std::to_string(i);
    settings.roles[i].login = true;
    settings.roles[i].password_secret_ref = api::SecretKeyReference{"passwords", "r"};
  }
  const worker::DesiredObjects desired = worker::objects_from(settings);
  const auto keep = [&] {
    auto said = keeper.keep(desired, {east.layout, east.settings.port, 1, 1, "shop"}, {});
    EXPECT_TRUE(said) << said.error().message;
    return said && *said ? **said : ObjectsReport{"nothing", {}};
  };
  EXPECT_NE(keep().asked, desired.asked) << "not applied yet, and nobody is called";
  clock.now += worker::ObjectKeeper::kSoon;
  passwords.denied = false;
  passwords.known["passwords/r"] = "pw";
  EXPECT_EQ(keep(), (ObjectsReport{desired.asked, {}}));
  EXPECT_TRUE(logs_in("r2", "pw"));

  // For ever: then it is told.
  worker::ObjectKeeper another(clock, passwords);
  passwords.denied = true;
  ObjectsReport said;
  for (BootTime until = clock.now + worker::ObjectKeeper::kGrace + seconds(70); clock.now < until;
       clock.now += seconds(1)) {
    auto one = another.keep(desired, {east.layout, east.settings.port, 1, 1, "shop"}, {});
    ASSERT_TRUE(one);
    said = **one;
  }
  EXPECT_EQ(said.asked, desired.asked);
  EXPECT_EQ(said.troubles.size(), 3u);

  // Who does not answer at all is asked once, not for each.
  passwords.denied = false;
  passwords.away = true;
  passwords.reads = 0;
  worker::ObjectKeeper third(clock, passwords);
  ASSERT_TRUE(third.keep(desired, {east.layout, east.settings.port, 1, 1, "shop"}, {}));
  EXPECT_EQ(passwords.reads, 1);
}

// What was read and did not get in is not taken for done.
TEST_F(ObjectsTest, APasswordThatCouldNotBeSetIsSetByTheNextLook) {
  Passwords passwords;
  passwords.known["passwords/r"] = "one";
  SteppedClock clock;
  worker::ObjectKeeper keeper(clock, passwords);
  api::PostgresSettings settings;
  settings.roles.resize(1);
  settings.roles[0].name = "r";
  settings.roles[0].login = true;
  settings.roles[0].password_secret_ref = api::SecretKeyReference{"passwords", "r"};
  const worker::DesiredObjects desired = worker::objects_from(settings);
  const worker::ObjectKeeper::Primary primary{east.layout, east.settings.port, 1, 1, "shop"};
  ASSERT_TRUE(keeper.keep(desired, primary, {}));
  passwords.known["passwords/r"] = "two";
  clock.now += worker::ObjectKeeper::kSecretsInterval;
  EXPECT_FALSE(keeper.keep(desired, {east.layout, 1, 1, 1, "shop"}, {}));
  ASSERT_TRUE(keeper.keep(desired, primary, {}));
  EXPECT_TRUE(logs_in("r", "two"));
}

class InitdbTest : public Pair {};

TEST_F(InitdbTest, MakesWhatIsAskedForAndSaysWhatItRefuses) {
  ASSERT_OK(initialize(children, east.layout, {"UTF8", "C", "de-AT"}));
  ASSERT_OK(east.start());
  auto session = open_local(east.layout, east.settings.port, kPatience);
  ASSERT_OK(session);
  const auto row = session->query(
      "SELECT pg_encoding_to_char(encoding), datcollate, daticulocale, datlocprovider::text FROM pg_database"
      " WHERE datname = 'template1'",
      {}, kPatience);
  ASSERT_OK(row);
  EXPECT_EQ(row->front(), (Row{"UTF8", "C", "de-AT", "i"}));
  ASSERT_OK(initialize(children, west.layout, {"LATIN1", "C", std::nullopt}));
  ASSERT_OK(west.start());
  EXPECT_EQ(west.value("SHOW server_encoding"), "LATIN1");

  Member south{children, authority, scratch.path(), "south", 3};
  const auto refused = initialize(children, south.layout, {"UTF8", "xx_YY", std::nullopt});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("xx_YY"), std::string::npos) << refused.error().message;
  EXPECT_EQ(shape_of(south.layout), Shape::kNone);
  ASSERT_OK(initialize(children, south.layout));
}

}  // namespace
}  // namespace twinspan::postgres::testing
