// A database copied from one real PostgreSQL into another by the agent's keeper, whole, cut short, and refused.
#include <fmt/format.h>
#include <signal.h>

#include <fstream>
#include <map>

#include "engines/postgres/import_marks.hpp"
#include "engines/postgres/owner.hpp"
#include "integration/postgres/pair.hpp"
#include "worker/postgres/import_keeper.hpp"

namespace twinspan::postgres::testing {
namespace {

using api::ImportPhase;

class Secrets final : public worker::SecretSource {
 public:
  Result<std::string> read(const api::SecretKeyReference& key, const std::stop_token&) override {
    std::lock_guard lock(mutex_);
    const auto found = values_.find(key.key);
    if (found == values_.end()) return fail(Code::kNotFound, fmt::format("Secret {} does not exist", key.name));
    return found->second;
  }
  void put(const std::string& key, const std::string& value) {
    std::lock_guard lock(mutex_);
    values_[key] = value;
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::string> values_;
};

// east is the source, west the link's primary.
class ImportTest : public Pair {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(make_primary(east));
    ASSERT_NO_FATAL_FAILURE(make_primary(west));
    ASSERT_OK(east.sql("CREATE ROLE reader LOGIN PASSWORD 'r:e\\ader'"));
    ASSERT_OK(east.sql("GRANT pg_read_all_data TO reader"));
    ASSERT_OK(east.sql("CREATE ROLE them"));
    ASSERT_OK(east.sql("CREATE DATABASE stock"));
    owner_dir = scratch.path() + "/owner";
    std::filesystem::create_directories(owner_dir);
    std::ofstream(owner_dir + "/username") << "app";
    std::ofstream(owner_dir + "/password") << "pw";
    auto session = open_local(west.layout, west.settings.port, kPatience);
    ASSERT_OK(session);
    ASSERT_OK(ensure_owner_and_database(west.layout, west.settings.port, *session, {"app", "pw"}, "app", {}));
    ASSERT_OK(keep_clients_out(*session, "app"));
    secrets.put("password", "r:e\\ader");
    secrets.put("ca.crt", authority.ca.certificate_pem);
    settings.host = east.settings.address;
    settings.port = east.settings.port;
    settings.database = "stock";
    settings.username = "reader";
    settings.password_secret_ref = {"source", "password"};
    settings.ca_secret_ref = {"source-ca"};
    settings.ssl_mode = api::SslMode::kVerifyCa;
  }

  Rows source(const std::string& sql) { return in(east, "stock", sql); }
  std::string here(const std::string& sql) {
    const Rows rows = in(west, "app", sql);
    return rows.empty() ? "none" : rows.front().front().value_or("null");
  }
  Rows in(Member& member, const std::string& database, const std::string& sql) {
    auto session = open_local(member.layout, member.settings.port, kPatience, {}, database);
    EXPECT_TRUE(session) << session.error().message;
    if (!session) return {};
    auto rows = session->simple(sql, kPatience);
    EXPECT_TRUE(rows) << rows.error().message;
    return rows.value_or(Rows{});
  }
  bool owner_gets_in() { return Session::open(west.owner_conninfo("app", "pw", "app"), kPatience).has_value(); }

  // One life of an agent.
  std::unique_ptr<worker::ImportKeeper> agent(bool told_completed = false) {
    auto desired = std::make_shared<worker::Desired>();
    desired->database = "app";
    desired->import_ = settings;
    desired->import_completed = told_completed;
    auto without = std::make_shared<worker::Desired>(*desired);
    without->import_.reset();
    local.update([](worker::Local& one) { one.import_.reset(); });
    auto keeper = std::make_unique<worker::ImportKeeper>(worker::ImportKeeper::Context{
        children, west.layout, owner_dir, west.settings.port, secrets, clock, local, [this, desired, without] {
          return worker::ImportKeeper::Standing{asks ? desired : without, may_write, life};
        }});
    keeper->start();
    return keeper;
  }
  api::ImportStatus status() { return local.copy().import_.value_or(api::ImportStatus{}); }
  bool reaches(ImportPhase phase) {
    return eventually([&] { return local.copy().import_ && status().phase == phase; }, kPatience);
  }
  std::string said() { return status().message.value_or(""); }

  std::string owner_dir;
  Secrets secrets;
  SystemClock clock;
  worker::LocalState local{[] {}};
  std::atomic<bool> may_write{true}, asks{true};  // asks: the link's spec has an import
  std::atomic<uint64_t> life{1};
  api::ImportSettings settings;
};

TEST_F(ImportTest, EverythingIsHereAndTheOwnersAndNothingIsCopiedTwice) {
  source(
      "CREATE EXTENSION citext SCHEMA public; CREATE SCHEMA \"Odd name\" AUTHORIZATION them; CREATE EXTENSION hstore "
      "SCHEMA "
      "\"Odd name\";"
      "CREATE TYPE public.mood AS ENUM ('well', 'unwell');"
      "CREATE TABLE public.goods (id serial PRIMARY KEY, name public.citext UNIQUE, mood public.mood, twice int "
      "GENERATED "
      "ALWAYS AS (1 + 1) STORED);"
      "INSERT INTO public.goods (name, mood) SELECT 'g' || n, 'well' FROM generate_series(1, 5000) n;"
      "CREATE TABLE \"Odd name\".\"a \"\"b\" (id int REFERENCES public.goods, at date) PARTITION BY RANGE (at);"
      "CREATE TABLE \"Odd name\".p1 PARTITION OF \"Odd name\".\"a \"\"b\" FOR VALUES FROM ('2026-01-01') TO "
      "('2027-01-01');"
      "INSERT INTO \"Odd name\".\"a \"\"b\" SELECT n, '2026-05-05' FROM generate_series(1, 1000) n;"
      "ALTER TABLE public.goods OWNER TO them; ALTER TABLE \"Odd name\".\"a \"\"b\" OWNER TO them;"
      "CREATE MATERIALIZED VIEW public.total AS SELECT count(*) AS n FROM public.goods;"
      "COMMENT ON TABLE public.goods IS 'what there is'; GRANT ALL ON public.goods TO them;"
      "CREATE FUNCTION public.noted() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
      "CREATE EVENT TRIGGER audit ON ddl_command_end EXECUTE FUNCTION public.noted();"
      "CREATE PUBLICATION all_of_it FOR ALL TABLES");
  for (const int64_t jobs : {1, 3}) {
    if (jobs == 3) {
      // As after a promotion that lost the end of it: mark and limit are of one transaction.
      in(west, "postgres", "UPDATE twinspan.imports SET state = 'Begun'");
      {  // Somebody opened it since: what is there may be people's.
        auto keeper = agent();
        ASSERT_TRUE(eventually([&] { return said().find("clients were let in") != std::string::npos; }, kPatience))
            << said();
        EXPECT_EQ(here("SELECT count(*) FROM public.goods"), "5000");
      }
      in(west, "postgres", "ALTER DATABASE app CONNECTION LIMIT 0");
    }
    settings.jobs = jobs;
    auto keeper = agent();
    ASSERT_TRUE(reaches(ImportPhase::kCompleted)) << said();
    EXPECT_EQ(status().tables, 2);
    EXPECT_EQ(status().tables_done, 2);
    EXPECT_GT(status().bytes_done.value_or(0), 0);
    EXPECT_EQ(said(), "left out: event trigger audit");
    EXPECT_EQ(here("SELECT count(*) FROM public.goods WHERE twice = 2 AND mood = 'well'"), "5000");
    EXPECT_EQ(here("SELECT count(*) FROM \"Odd name\".\"a \"\"b\""), "1000");
    EXPECT_EQ(here("SELECT n FROM public.total"), "5000");
    EXPECT_EQ(here("SELECT nextval('public.goods_id_seq')"), "5001");
    EXPECT_EQ(here("SELECT obj_description('public.goods'::regclass)"), "what there is");
    EXPECT_EQ(here("SELECT string_agg(DISTINCT pg_get_userbyid(relowner), ',') FROM pg_class c JOIN pg_namespace n ON "
                   "n.oid = relnamespace WHERE nspname IN ('public', 'Odd name')"),
              "app");
    EXPECT_EQ(here("SELECT nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = "
                   "'hstore'"),
              "Odd name");
    EXPECT_EQ(here("SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND convalidated"), "2");
    EXPECT_TRUE(owner_gets_in());
  }
  // People go on, and agents begin anew, with the link's status and without.
  in(west, "app", "INSERT INTO public.goods (name) VALUES ('theirs'); DROP TABLE \"Odd name\".\"a \"\"b\"");
  for (const bool told : {true, false}) {
    auto keeper = agent(told);
    ASSERT_TRUE(reaches(ImportPhase::kCompleted)) << said();
    EXPECT_TRUE(status().completed_at);
  }
  EXPECT_EQ(here("SELECT count(*) FROM public.goods"), "5001");
  // Dropped by hand and made anew, and the link's status is lost: that all was here once is still known.
  in(west, "postgres", "DROP DATABASE app");
  in(west, "postgres", "CREATE DATABASE app OWNER app");
  {
    auto keeper = agent();
    ASSERT_TRUE(reaches(ImportPhase::kCompleted)) << said();
    EXPECT_EQ(here("SELECT count(*) FROM pg_class WHERE relname = 'goods'"), "0");
  }
  EXPECT_TRUE(owner_gets_in());
}

// As with a spec in force that is replaced by the right one.
TEST_F(ImportTest, WhatIsAskedForLaterInTheSameLifeIsCopied) {
  source("CREATE TABLE public.goods AS SELECT 1 AS id");
  asks = false;
  auto keeper = agent();
  EXPECT_FALSE(eventually([&] { return local.copy().import_.has_value(); }, std::chrono::seconds(3)));
  asks = true;
  ASSERT_TRUE(reaches(ImportPhase::kCompleted)) << said();
  EXPECT_EQ(here("SELECT count(*) FROM public.goods"), "1");
}

TEST_F(ImportTest, CutShortItBeginsAnewAndNobodyIsLetIn) {
  source("CREATE TABLE public.goods AS SELECT n AS id, repeat('x', 500) AS text FROM generate_series(1, 300000) n");
  {
    auto keeper = agent();
    ASSERT_TRUE(reaches(ImportPhase::kRows)) << said();
    EXPECT_FALSE(owner_gets_in());
    // The agent dies, and the database with it.
    kill(west.postmaster->pid(), SIGKILL);
    ASSERT_TRUE(west.wait_for_death());
    may_write = false;
  }
  ASSERT_OK(west.start());
  EXPECT_EQ(here("SELECT count(*) FROM pg_class WHERE relname = 'goods'"), "1") << "half of it is here";
  EXPECT_FALSE(owner_gets_in());
  may_write = true;
  life = 2;
  auto keeper = agent();
  ASSERT_TRUE(reaches(ImportPhase::kCompleted)) << said();
  EXPECT_EQ(here("SELECT count(*) FROM public.goods"), "300000");
  EXPECT_EQ(west.value("SELECT string_agg(datname, ',' ORDER BY datname) FROM pg_database WHERE NOT datistemplate"),
            "app,postgres");
  EXPECT_TRUE(owner_gets_in());
}

TEST_F(ImportTest, TheSourceGoesAwayInTheMiddleAndComesBack) {
  source("CREATE TABLE public.goods AS SELECT n AS id, repeat('x', 500) AS text FROM generate_series(1, 300000) n");
  auto keeper = agent();
  ASSERT_TRUE(reaches(ImportPhase::kRows)) << said();
  kill(east.postmaster->pid(), SIGKILL);
  ASSERT_TRUE(east.wait_for_death());
  ASSERT_TRUE(reaches(ImportPhase::kConnecting)) << said();
  EXPECT_NE(said().find("tried again"), std::string::npos) << said();
  ASSERT_OK(east.start());
  ASSERT_TRUE(reaches(ImportPhase::kCompleted)) << said();
  EXPECT_EQ(here("SELECT count(*) FROM public.goods"), "300000");
}

TEST_F(ImportTest, WhatIsWrongIsNamedAndNothingIsLostAndOncePutRightItGoesOn) {
  source("CREATE TABLE public.goods (id int)");
  in(west, "app", "CREATE TABLE public.precious (id int)");
  auto keeper = agent();
  ASSERT_TRUE(reaches(ImportPhase::kFailed));
  EXPECT_NE(said().find("holds table public.precious"), std::string::npos) << said();
  EXPECT_TRUE(owner_gets_in()) << "what is theirs stays theirs to use";
  EXPECT_EQ(here("SELECT count(*) FROM public.precious"), "0");
  EXPECT_NE(said().find("without import"), std::string::npos) << said();
  in(west, "postgres", "ALTER DATABASE app CONNECTION LIMIT 0");
  EXPECT_FALSE(eventually([&] { return owner_gets_in(); }, std::chrono::seconds(3)))
      << "who shuts it after us means it";
  secrets.put("password", "wrong");
  in(west, "app", "DROP TABLE public.precious");
  EXPECT_TRUE(eventually([&] { return said().find("password authentication failed") != std::string::npos; }, kPatience))
      << said();
  EXPECT_NE(said().find("passwordSecretRef"), std::string::npos) << said();
  EXPECT_EQ(status().phase, ImportPhase::kFailed);
  secrets.put("password", "r:e\\ader");
  ASSERT_TRUE(reaches(ImportPhase::kCompleted)) << said();
  EXPECT_EQ(here("SELECT count(*) FROM public.goods"), "0");
}

TEST_F(ImportTest, DefinitionsAlone) {
  source("CREATE TABLE public.goods AS SELECT 1 AS id; CREATE INDEX goods_id ON public.goods (id);");
  settings.schema_only = true;
  auto keeper = agent();
  ASSERT_TRUE(reaches(ImportPhase::kCompleted)) << said();
  EXPECT_EQ(here("SELECT count(*) FROM public.goods"), "0");
  EXPECT_EQ(here("SELECT count(*) FROM pg_class WHERE relname = 'goods_id'"), "1");
  EXPECT_FALSE(status().tables_done);
}

}  // namespace
}  // namespace twinspan::postgres::testing
