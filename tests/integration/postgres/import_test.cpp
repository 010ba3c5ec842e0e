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
    desired->database = wanted_database;
    desired->import_ = settings;
    desired->import_completed = told_completed;
    auto without = std::make_shared<worker::Desired>(*desired);
    without->import_.reset();
    local.update([](worker::Local& one) { one.import_.reset(); });
    auto keeper = std::make_unique<worker::ImportKeeper>(worker::ImportKeeper::Context{
        children, west.layout, owner_dir, west.settings.port, secrets, clock, local, [this, desired, without] {
          if (!asks) return worker::ImportKeeper::Standing{without, may_write, life};
          auto now = std::make_shared<worker::Desired>(*desired);
          now->import_->cut_over = cut_over;
          return worker::ImportKeeper::Standing{now, may_write, life};
        }});
    keeper->start();
    return keeper;
  }
  api::ImportStatus status() { return local.copy().import_.value_or(api::ImportStatus{}); }
  bool reaches(ImportPhase phase) {
    return eventually([&] { return local.copy().import_ && status().phase == phase; }, kPatience);
  }
  std::string said() { return status().message.value_or(""); }
  bool says(const std::string& words) {
    return eventually([&] { return said().find(words) != std::string::npos; }, kPatience);
  }

  std::string owner_dir;
  Secrets secrets;
  SystemClock clock;
  worker::LocalState local{[] {}};
  std::string wanted_database = "app";
  std::atomic<bool> may_write{true}, asks{true};  // asks: the link's spec has an import
  std::atomic<bool> cut_over{false};
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
        ASSERT_TRUE(says("clients were let in")) << said();
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
    EXPECT_NE(said().find("nothing is copied again"), std::string::npos) << said();
  }
  EXPECT_TRUE(owner_gets_in());
  in(west, "postgres", "DROP DATABASE app");
  in(west, "postgres", "CREATE DATABASE other OWNER app");
  wanted_database = "other";
  auto keeper = agent();
  ASSERT_TRUE(reaches(ImportPhase::kCompleted)) << said();
  EXPECT_EQ(in(west, "other", "SELECT count(*) FROM public.goods").front().front(), "5000") << "of another name";
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
  EXPECT_TRUE(says("password authentication failed")) << said();
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

class FollowTest : public ImportTest {
 protected:
  void SetUp() override {
    east.settings.parameters["wal_level"] = "logical";
    ASSERT_NO_FATAL_FAILURE(ImportTest::SetUp());
    ASSERT_OK(
        east.sql("ALTER ROLE reader REPLICATION; GRANT them TO reader; GRANT CREATE ON DATABASE stock TO reader"));
    settings.method = api::ImportMethod::kLogical;
  }
  // Made by the role that owns everything there.
  Rows theirs(const std::string& sql) { return source("SET ROLE them; " + sql); }
  void SetUpGoods(int rows) {
    source("GRANT CREATE ON SCHEMA public TO them");
    theirs(
        fmt::format("CREATE TABLE public.goods (id serial PRIMARY KEY, name text);"
                    "INSERT INTO public.goods (name) SELECT 'g' || n FROM generate_series(1, {}) n",
                    rows));
  }
  bool here_becomes(const std::string& sql, const std::string& value) {
    return eventually([&] { return here(sql) == value; }, kPatience);
  }
  std::string left_at_source() {
    return east.value("SELECT (SELECT count(*) FROM pg_replication_slots WHERE slot_type = 'logical') || ' slots'") +
           ", " + source("SELECT count(*) || ' publications' FROM pg_publication").front().front().value_or("");
  }
  // Writes as long as it lives; how many it has committed.
  class Writer {
   public:
    explicit Writer(FollowTest& test) {
      thread_.start([this, &test](const std::stop_token& stop) {
        auto session = open_local(test.east.layout, test.east.settings.port, kPatience, {}, "stock");
        for (int n = 0; session && !stop.stop_requested(); ++n)
          if (session->simple(
                  fmt::format("BEGIN; INSERT INTO public.goods (name) VALUES ('w{0}'); UPDATE public.goods "
                              "SET name = name || '+' WHERE id = {0} % 500; DELETE FROM public.goods WHERE "
                              "id = 1000 + {0}; INSERT INTO public.parts SELECT id, date '2026-01-01' + {0} "
                              "% 360 FROM public.goods WHERE id = 1 + {0} % 500; COMMIT",
                              n),
                  kPatience))
            ++commits_;
      });
    }
    int commits() const { return commits_; }

   private:
    std::atomic<int> commits_{0};
    RoleThread thread_{"writer"};
  };
  static constexpr const char* kSum =
      "SELECT count(*) || ':' || md5(string_agg(g::text, ',' ORDER BY id)) FROM public.goods g";
  std::string there(const std::string& sql) { return source(sql).front().front().value_or("null"); }
};

TEST_F(FollowTest, WhatIsWrittenWhileItFollowsIsHereAfterTheCut) {
  SetUpGoods(20000);
  theirs(
      "CREATE TABLE public.parts (goods int REFERENCES public.goods ON DELETE CASCADE, at date) PARTITION BY RANGE "
      "(at);"
      "CREATE TABLE public.p1 PARTITION OF public.parts FOR VALUES FROM ('2026-01-01') TO ('2026-07-01');"
      "CREATE TABLE public.p2 PARTITION OF public.parts FOR VALUES FROM ('2026-07-01') TO ('2027-01-01');"
      "ALTER TABLE public.p1 REPLICA IDENTITY FULL; ALTER TABLE public.p2 REPLICA IDENTITY FULL;"
      "CREATE INDEX parts_goods ON public.parts (goods); CREATE SEQUENCE public.fresh START 7;"
      "CREATE TABLE public.\"odd \"\"name\" (\"a b\" int PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY, twice int "
      "GENERATED ALWAYS AS (\"a b\" * 2) STORED); INSERT INTO public.\"odd \"\"name\" VALUES (4);"
      "CREATE MATERIALIZED VIEW public.total AS SELECT count(*) AS n FROM public.goods;"
      "CREATE MATERIALIZED VIEW public.twice AS SELECT n * 2 AS n FROM public.total;"
      "CREATE FUNCTION public.noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE ''fired''; END';"
      "CREATE TABLE public.quiet (id int PRIMARY KEY);"
      "CREATE TRIGGER loud AFTER INSERT ON public.goods FOR EACH ROW WHEN (new.name = 'loud') EXECUTE FUNCTION "
      "public.noted()");
  auto keeper = agent();
  {
    Writer writer(*this);
    ASSERT_TRUE(reaches(ImportPhase::kFollowing)) << said();
    EXPECT_EQ(status().tables, 5);
    EXPECT_EQ(status().tables_done, 5);
    EXPECT_TRUE(status().lag_bytes);
    EXPECT_FALSE(owner_gets_in());
    const int before = writer.commits();
    ASSERT_TRUE(eventually([&] { return writer.commits() > before + 300; }, kPatience));
  }
  theirs("INSERT INTO public.quiet VALUES (1); TRUNCATE public.quiet");
  const auto in_subscription = in(west, "postgres", "SELECT subconninfo FROM pg_subscription");
  ASSERT_EQ(in_subscription.size(), 1u);
  EXPECT_EQ(in_subscription[0][0].value_or("").find("r:e"), std::string::npos) << "the password is in no catalog";
  // A transaction that is open when the cut is asked for, and commits later: nothing of it is lost.
  auto slow = open_local(east.layout, east.settings.port, kPatience, {}, "stock");
  ASSERT_OK(slow);
  ASSERT_OK(slow->simple("BEGIN; INSERT INTO public.goods (name) VALUES ('slow')", kPatience));
  cut_over = true;
  ASSERT_TRUE(says("being written to")) << said();
  EXPECT_EQ(status().phase, ImportPhase::kCuttingOver);
  EXPECT_FALSE(owner_gets_in());
  ASSERT_OK(slow->simple("COMMIT", kPatience));
  ASSERT_TRUE(reaches(ImportPhase::kCompleted)) << said();
  EXPECT_FALSE(status().message) << said();
  EXPECT_EQ(here(kSum), there(kSum));
  EXPECT_EQ(here("SELECT count(*) FROM public.goods WHERE name = 'slow'"), "1");
  for (const char* sql :
       {"SELECT count(*) || ':' || md5(string_agg(p::text, ',' ORDER BY goods, at)) FROM public.parts p",
        "SELECT count(*) FROM public.quiet", "SELECT last_value || ' ' || is_called FROM public.goods_id_seq",
        "SELECT last_value || ' ' || is_called FROM public.fresh",
        "SELECT last_value || ' ' || is_called FROM public.\"odd \"\"name_n_seq\"",
        "SELECT o::text FROM public.\"odd \"\"name\" o"})
    EXPECT_EQ(here(sql), there(sql)) << sql;
  EXPECT_EQ(here("SELECT (SELECT n FROM public.total) = (SELECT count(*) FROM public.goods)"), "t");
  EXPECT_EQ(here("SELECT (SELECT n FROM public.twice) = 2 * (SELECT count(*) FROM public.goods)"), "t");
  EXPECT_EQ(here("SELECT string_agg(DISTINCT pg_get_userbyid(relowner), ',') FROM pg_class WHERE relnamespace = "
                 "'public'::regnamespace"),
            "app");
  EXPECT_EQ(left_at_source(), "0 slots, 0 publications");
  EXPECT_EQ(west.value("SELECT count(*) FROM pg_subscription"), "0");
  EXPECT_FALSE(std::filesystem::exists(west.layout.run_dir + "/import"));
  EXPECT_TRUE(owner_gets_in());
}

TEST_F(FollowTest, TheCutIsShort) {
  SetUpGoods(50000);
  theirs("CREATE TABLE public.parts (goods int, at date); ALTER TABLE public.parts REPLICA IDENTITY FULL");
  auto keeper = agent();
  {
    Writer writer(*this);
    ASSERT_TRUE(reaches(ImportPhase::kFollowing)) << said();
    ASSERT_TRUE(eventually([&] { return writer.commits() > 500; }, kPatience));
  }
  const auto start = std::chrono::steady_clock::now();
  cut_over = true;
  ASSERT_TRUE(eventually([&] { return owner_gets_in(); }, kPatience)) << said();
  std::printf("cut over in %.0f ms\n", milliseconds_since(start));
  ASSERT_TRUE(reaches(ImportPhase::kCompleted)) << said();
  EXPECT_EQ(here(kSum), there(kSum));
}

TEST_F(FollowTest, ItGoesOnAfterACrashAndBeginsAnewAfterAPromotion) {
  SetUpGoods(1000);
  std::string first;
  {
    auto keeper = agent();
    ASSERT_TRUE(reaches(ImportPhase::kFollowing)) << said();
    first = west.value("SELECT oid FROM pg_database WHERE datname = 'app'");
    kill(west.postmaster->pid(), SIGKILL);
    ASSERT_TRUE(west.wait_for_death());
    may_write = false;
  }
  std::filesystem::remove_all(west.layout.run_dir + "/import");  // as of a pod made anew
  theirs("INSERT INTO public.goods (name) VALUES ('while it was away')");
  ASSERT_OK(west.start());
  may_write = true;
  life = 2;
  {
    auto keeper = agent();
    ASSERT_TRUE(reaches(ImportPhase::kFollowing)) << said();
    ASSERT_TRUE(here_becomes("SELECT count(*) FROM public.goods", "1001"));
    EXPECT_EQ(west.value("SELECT oid FROM pg_database WHERE datname = 'app'"), first) << "it has gone on";
  }
  // A replica that lacks what the source was told takes over.
  ASSERT_TRUE(west.postmaster->stop(StopMode::kFast, kPatience));
  std::ofstream(west.layout.pgdata() + "/standby.signal");
  ASSERT_OK(west.start());
  ASSERT_OK(west.sql("SELECT pg_promote()"));
  ASSERT_EQ(west.value("SELECT pg_is_in_recovery()"), "f");
  life = 3;
  auto keeper = agent();
  ASSERT_TRUE(
      eventually([&] { return west.value("SELECT oid FROM pg_database WHERE datname = 'app'") != first; }, kPatience))
      << said();
  ASSERT_TRUE(reaches(ImportPhase::kFollowing)) << said();
  EXPECT_EQ(left_at_source(), "1 slots, 1 publications") << "those of the half are gone";
  theirs("UPDATE public.goods SET name = 'new' WHERE id = 7");
  cut_over = true;
  ASSERT_TRUE(reaches(ImportPhase::kCompleted)) << said();
  EXPECT_EQ(here(kSum), there(kSum));
  EXPECT_EQ(left_at_source(), "0 slots, 0 publications");
  EXPECT_EQ(west.value("SELECT string_agg(datname, ',' ORDER BY datname) FROM pg_database WHERE NOT datistemplate"),
            "app,postgres");
}

TEST_F(FollowTest, WhatCannotBeFollowedIsNamedAndNothingIsMadeAnywhere) {
  SetUpGoods(10);
  theirs("CREATE TABLE public.bare (id int)");
  source("CREATE TABLE public.foreign_one (id int PRIMARY KEY)");
  auto keeper = agent();
  EXPECT_TRUE(says("may not publish public.foreign_one")) << said();
  source("ALTER TABLE public.foreign_one OWNER TO them");
  EXPECT_TRUE(says("without replica identity: public.bare")) << said();
  EXPECT_EQ(status().phase, ImportPhase::kFailed);
  EXPECT_EQ(left_at_source(), "0 slots, 0 publications");
  EXPECT_EQ(here("SELECT count(*) FROM pg_class WHERE relname = 'goods'"), "0");
  source("ALTER TABLE public.bare ADD PRIMARY KEY (id)");
  ASSERT_TRUE(reaches(ImportPhase::kFollowing)) << said();
}

TEST_F(FollowTest, AnotherDefinitionAtTheSourceIsToldAndNoCutIsMade) {
  SetUpGoods(10);
  auto keeper = agent();
  ASSERT_TRUE(reaches(ImportPhase::kFollowing)) << said();
  theirs("ALTER TABLE public.goods ADD COLUMN price int; INSERT INTO public.goods (name, price) VALUES ('dear', 9)");
  EXPECT_TRUE(says("again and again")) << said();
  EXPECT_EQ(status().phase, ImportPhase::kFailed);
  in(west, "app", "ALTER TABLE public.goods ADD COLUMN price int");
  ASSERT_TRUE(reaches(ImportPhase::kFollowing)) << said();
  theirs("CREATE TABLE public.later (id int PRIMARY KEY)");
  cut_over = true;
  EXPECT_TRUE(says("only at the source: ")) << said();
  EXPECT_TRUE(eventually([&] { return status().phase == ImportPhase::kFailed; }, kPatience)) << said();
  EXPECT_NE(said().find("table public.later (id integer)"), std::string::npos) << said();
  in(west, "app", "CREATE TABLE public.later (id int PRIMARY KEY)");
  EXPECT_TRUE(says("not followed: public.later")) << said();
  EXPECT_FALSE(owner_gets_in());
  // Copied anew by hand.
  in(west, "app", "DROP SUBSCRIPTION " + west.value("SELECT subname FROM pg_subscription"));
  ASSERT_TRUE(reaches(ImportPhase::kCompleted)) << said();
  EXPECT_EQ(here("SELECT count(*) FROM public.later"), "0");
  EXPECT_EQ(here(kSum), there(kSum));
  EXPECT_EQ(left_at_source(), "0 slots, 0 publications");
}

// It has its name still, and is another one, which nobody publishes.
TEST_F(FollowTest, ATableThatIsMadeAgainIsNotTakenForTheOneBefore) {
  SetUpGoods(10);
  theirs("CREATE TABLE public.report (id int PRIMARY KEY)");
  auto keeper = agent();
  ASSERT_TRUE(reaches(ImportPhase::kFollowing)) << said();
  cut_over = true;
  theirs(
      "DROP TABLE public.report; CREATE TABLE public.report (id int PRIMARY KEY); INSERT INTO public.report VALUES "
      "(7)");
  EXPECT_TRUE(says("not followed: public.report")) << said();
  EXPECT_FALSE(owner_gets_in());
  theirs("DROP TABLE public.report");
  in(west, "app", "DROP TABLE public.report");
  ASSERT_TRUE(reaches(ImportPhase::kCompleted)) << said();
}

TEST_F(FollowTest, APartitionThatIsTakenOutAndALargeObjectAreNamed) {
  SetUpGoods(10);
  theirs(
      "CREATE TABLE public.parts (id int, PRIMARY KEY (id)) PARTITION BY RANGE (id); CREATE TABLE public.p1 PARTITION "
      "OF "
      "public.parts FOR VALUES FROM (0) TO (10)");
  auto keeper = agent();
  ASSERT_TRUE(reaches(ImportPhase::kFollowing)) << said();
  theirs("ALTER TABLE public.parts DETACH PARTITION public.p1; SELECT lo_from_bytea(0, 'x')");
  cut_over = true;
  EXPECT_TRUE(says("table public.p1 (id integer)")) << said();
  EXPECT_TRUE(says("1 large objects")) << said();
  EXPECT_FALSE(owner_gets_in());
  theirs(
      "ALTER TABLE public.parts ATTACH PARTITION public.p1 FOR VALUES FROM (0) TO (10);"
      "SELECT lo_unlink(oid) FROM pg_largeobject_metadata");
  ASSERT_TRUE(reaches(ImportPhase::kCompleted)) << said();
}

TEST_F(FollowTest, RowsThatAreHiddenFromTheUserAreNotLeftOut) {
  SetUpGoods(10);
  theirs(
      "ALTER TABLE public.goods ENABLE ROW LEVEL SECURITY; ALTER TABLE public.goods FORCE ROW LEVEL SECURITY;"
      "CREATE POLICY few ON public.goods USING (id < 5)");
  auto keeper = agent();
  EXPECT_TRUE(says("hides rows of public.goods")) << said();
  EXPECT_EQ(left_at_source(), "0 slots, 0 publications");
  ASSERT_OK(east.sql("ALTER ROLE reader BYPASSRLS"));
  ASSERT_TRUE(reaches(ImportPhase::kFollowing)) << said();
  cut_over = true;
  ASSERT_TRUE(reaches(ImportPhase::kCompleted)) << said();
  EXPECT_EQ(here(kSum), there(kSum));
}

// Committed before the lock is had, by transactions that nobody saw before.
TEST_F(FollowTest, ATableOfATransactionThatWasWaitedForIsNamed) {
  SetUpGoods(10);
  auto keeper = agent();
  ASSERT_TRUE(reaches(ImportPhase::kFollowing)) << said();
  auto session = open_local(east.layout, east.settings.port, kPatience, {}, "stock");
  ASSERT_OK(session);
  ASSERT_OK(
      session->simple("SET ROLE them; BEGIN; UPDATE public.goods SET name = 'x' WHERE id = 1; CREATE TABLE "
                      "public.later (id int PRIMARY KEY);"
                      "INSERT INTO public.later VALUES (1)",
                      kPatience));
  cut_over = true;
  ASSERT_TRUE(eventually(
      [&] {
        return east.value(
                   "SELECT count(*) FROM pg_locks WHERE mode = 'ShareLock' AND relation IS NOT NULL AND NOT "
                   "granted") != "0";
      },
      kPatience));
  ASSERT_OK(session->simple("COMMIT", kPatience));
  EXPECT_TRUE(says("public.later")) << said();
  EXPECT_FALSE(owner_gets_in());
}

// The source has just as many slots as are needed, and something that may not be followed since.
TEST_F(FollowTest, BeginningAnewGivesBackFirstWhatTheHalfTookAtTheSource) {
  SetUpGoods(10);
  {
    auto keeper = agent();
    ASSERT_TRUE(reaches(ImportPhase::kFollowing)) << said();
  }
  EXPECT_EQ(left_at_source(), "1 slots, 1 publications");
  theirs("CREATE TABLE public.bare (id int)");
  ASSERT_TRUE(west.postmaster->stop(StopMode::kFast, kPatience));
  std::ofstream(west.layout.pgdata() + "/standby.signal");
  ASSERT_OK(west.start());
  ASSERT_OK(west.sql("SELECT pg_promote()"));
  ASSERT_EQ(west.value("SELECT pg_is_in_recovery()"), "f");
  life = 2;
  auto keeper = agent();
  ASSERT_TRUE(says("without replica identity: public.bare")) << said();
  EXPECT_EQ(left_at_source(), "0 slots, 0 publications");
}

TEST_F(FollowTest, ACutThatWaitsForWhatIsAppliedKeepsNobodyFromWriting) {
  SetUpGoods(10);
  auto keeper = agent();
  ASSERT_TRUE(reaches(ImportPhase::kFollowing)) << said();
  auto held = open_local(west.layout, west.settings.port, kPatience, {}, "app");
  ASSERT_OK(held);
  ASSERT_OK(held->simple("BEGIN; LOCK TABLE public.goods IN ACCESS EXCLUSIVE MODE", kPatience));
  cut_over = true;
  theirs("INSERT INTO public.goods (name) VALUES ('waits')");
  const auto start = std::chrono::steady_clock::now();
  for (int n = 0; n < 5; ++n) theirs("INSERT INTO public.goods (name) VALUES ('more')");
  std::printf("five writes at the source took %.0f ms\n", milliseconds_since(start));
  EXPECT_FALSE(owner_gets_in());
  ASSERT_OK(held->simple("ROLLBACK", kPatience));
  ASSERT_TRUE(reaches(ImportPhase::kCompleted)) << said();
  EXPECT_EQ(here(kSum), there(kSum));
}

TEST_F(FollowTest, ASlotThatIsLostIsCopiedAnew) {
  SetUpGoods(10);
  auto keeper = agent();
  ASSERT_TRUE(reaches(ImportPhase::kFollowing)) << said();
  source("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name LIKE 'twin_import%'");
  ASSERT_TRUE(eventually(
      [&] {
        auto session = open_local(east.layout, east.settings.port, kPatience, {}, "stock");
        if (!session) return false;
        (void)session->simple("SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots", kPatience);
        return session
            ->simple(
                "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name LIKE "
                "'twin_import%'",
                kPatience)
            .has_value();
      },
      kPatience));
  EXPECT_TRUE(says("is lost at the source")) << said();
  theirs("INSERT INTO public.goods (name) VALUES ('later')");
  cut_over = true;
  ASSERT_TRUE(reaches(ImportPhase::kCompleted)) << said();
  EXPECT_EQ(here(kSum), there(kSum));
  EXPECT_EQ(left_at_source(), "0 slots, 0 publications");
}

TEST_F(ImportTest, ASourceThatKeepsNoLogicalLogIsNotFollowed) {
  source("CREATE TABLE public.goods (id int PRIMARY KEY)");
  settings.method = api::ImportMethod::kLogical;
  auto keeper = agent();
  ASSERT_TRUE(reaches(ImportPhase::kFailed)) << said();
  EXPECT_NE(said().find("wal_level of the source is replica, expected logical"), std::string::npos) << said();
  EXPECT_EQ(here("SELECT count(*) FROM pg_class WHERE relname = 'goods'"), "0");
}

}  // namespace
}  // namespace twinspan::postgres::testing
