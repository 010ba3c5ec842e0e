// Every target of a restore, from a repository that pgBackRest wrote in an S3 server with TLS: what is there again, and
// what is said where it can't be. Skipped where pgBackRest is not installed.
#include <fmt/format.h>

#include <regex>

#include "engines/postgres/command.hpp"
#include "engines/postgres/files.hpp"
#include "integration/postgres/stored.hpp"
#include "tests/places.hpp"
#include "worker/postgres/backup/restore_data.hpp"

namespace twinspan::worker {
namespace {

using postgres::testing::Member;
using Step = BackupReport::Step;

class RestoreTest : public Stored {
 protected:
  // The rows that are there again, or the error.
  std::string restored(const api::RestoreAssignment& from) {
    Member member(children, authority, scratch.path(), from.name, 2);
    said_ = {};
    Exhausted exhausted;
    const Status done = restore_data({children, member.layout, access_, member.settings,
                                      [this](const BackupReport::Restored& said) { said_ = said; }, clock_, exhausted},
                                     from, {});
    if (!done) {
      EXPECT_FALSE(postgres::exists(member.layout.pgdata())) << "data of a restore that failed";
      final_ = is_final(done.error());
      return done.error().message;
    }
    EXPECT_EQ(said_.step, Step::kRestored);
    EXPECT_FALSE(said_.reached.empty());
    EXPECT_TRUE(said_.plan);
    if (const auto started = member.start(); !started) return started.error().message;
    const std::string rows = member.value("SELECT coalesce(string_agg(i::text, ' ' ORDER BY i), 'none') FROM rows");
    EXPECT_EQ(member.value("SELECT pg_is_in_recovery()::text"), "false");
    EXPECT_TRUE(member.postmaster->stop(postgres::StopMode::kFast, std::chrono::seconds(30)));
    return rows;
  }
  std::string restored(const std::function<void(api::RestoreAssignment&)>& change) {
    api::RestoreAssignment from = assignment();
    change(from);
    return restored(from);
  }
  void expect_refused(const std::string& words, const std::vector<std::string>& expected) {
    EXPECT_TRUE(final_) << words;
    for (const std::string& one : expected) EXPECT_NE(words.find(one), std::string::npos) << words;
    EXPECT_NE(words.find("can't be restored"), std::string::npos) << words;
  }

  BackupReport::Restored said_;
  bool final_ = false;
};

TEST_F(RestoreTest, EveryTargetIsReachedExactly) {
  using From = api::RestoreAssignment;
  commit(0);
  back_up();
  const std::string first = [&] {
    restored([](From& from) { from.immediate = true; });
    return said_.plan->backup;
  }();
  EXPECT_EQ(said_.plan->kind, "Full");
  EXPECT_EQ(said_.plan->timeline, 1);
  const Commit one = commit(1);
  const Commit two = commit(2);
  ASSERT_OK(east.sql("SELECT pg_create_restore_point('after-two')"));
  ASSERT_OK(east.sql("SELECT pg_create_restore_point('twice')"));
  commit(3);
  ASSERT_OK(east.sql("SELECT pg_create_restore_point('twice')"));
  store_all();

  for (const bool exclusive : {false, true}) {
    SCOPED_TRACE(exclusive);
    const std::string expected = exclusive ? "0 1" : "0 1 2";
    const auto to = [&](const std::function<void(From&)>& target) {
      return restored([&](From& from) {
        from.exclusive = exclusive;
        target(from);
      });
    };
    EXPECT_EQ(to([&](From& from) { from.transaction = two.number; }), expected);
    EXPECT_EQ(to([&](From& from) { from.lsn = two.position; }), expected);
    EXPECT_EQ(to([&](From& from) { from.time = two.time; }), expected);
  }
  EXPECT_EQ(restored([](From& from) { from.restore_point = "after-two"; }), "0 1 2");
  EXPECT_EQ(restored([](From& from) { from.immediate = true; }), "0");
  EXPECT_EQ(restored([](From&) {}), "0 1 2 3");
  EXPECT_EQ(restored([](From& from) { from.timeline = 0; }), "0 1 2 3") << "the newest timeline that is stored";

  // A backup that is begun with by name, although a newer one would do.
  back_up();
  store_all();
  EXPECT_EQ(restored([&](From& from) { from.lsn = two.position; }), "0 1 2") << "before the newest backup";
  EXPECT_EQ(said_.plan->backup, first);
  EXPECT_EQ(restored([&](From& from) { from.transaction = two.number; }), "0 1 2") << "the log is looked through";
  EXPECT_EQ(said_.plan->backup, first);
  EXPECT_EQ(restored([](From& from) { from.restore_point = "after-two"; }), "0 1 2");
  EXPECT_EQ(said_.plan->backup, first);
  EXPECT_EQ(restored([](From& from) { from.immediate = true; }), "0 1 2 3");
  const std::string second = said_.plan->backup;
  EXPECT_NE(second, first);
  EXPECT_EQ(restored([&](From& from) {
              from.immediate = true;
              from.label = first;
            }),
            "0");

  const Commit last = commit(4);  // not stored
  expect_refused(restored([](From& from) { from.lsn = "0/1000000"; }), {"position 0/1000000", "the first backup was"});
  expect_refused(restored([](From& from) { from.time = "2020-01-01T00:00:00Z"; }), {"the first backup was whole at"});
  expect_refused(restored([](From& from) { from.lsn = "7/5F000000"; }),
                 {"position 7/5F000000", "ends with 0000000100"});
  expect_refused(restored([&](From& from) { from.time = last.time; }), {"ends with 0000000100"});
  expect_refused(restored([](From& from) { from.timeline = 7; }), {"timeline 7 is not stored", "These are: 1"});
  expect_refused(restored([](From& from) { from.label = "20200101-000000F"; }), {"is not in the repository", first});
  expect_refused(restored([&](From& from) {
                   from.label = second;
                   from.lsn = one.position;
                 }),
                 {"not before it"});
  expect_refused(restored([](From& from) { from.stanza = "other"; }), {"no stanza other", kStanza});
  expect_refused(restored([](From& from) { from.restore_point = "never"; }),
                 {"restore point \"never\"", "\"twice\"", "\"after-two\""});
  expect_refused(restored([](From& from) { from.restore_point = "twice"; }), {"it is there 2 times, at 0/"});
  expect_refused(restored([](From& from) { from.transaction = "900000"; }),
                 {"transaction 900000", "the newest seen is"});

  // The wrong passphrase may become the right one: it is said, and tried again, and no database is there meanwhile.
  secrets_.values["key"] = "another passphrase, which is not right";
  const std::string words = restored([](From&) {});
  EXPECT_FALSE(final_) << words;
  EXPECT_NE(words.find("passphrase"), std::string::npos) << words;
}

std::string replaced(std::string text, const std::vector<std::pair<std::string, std::string>>& words) {
  for (const auto& [from, to] : words) {
    EXPECT_NE(text.find(from), std::string::npos) << from << " is not on the page any more";
    for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
      text.replace(at, from.size(), to);
  }
  return text;
}

// docs/disaster.md, "Without Kubernetes", as it stands there; only names and places are this machine's.
TEST_F(RestoreTest, TheStockProgramRestoresItOnABareMachineAsThePageTells) {
  commit(1);
  back_up();
  commit(2);
  store_all();
  const auto page = postgres::read_file(test::in_source("/docs/disaster.md"));
  ASSERT_OK(page);
  const std::regex blocks("```ini\\n([^`]*)```\\n```\\n([^`]*)```");
  std::smatch found;
  ASSERT_TRUE(std::regex_search(*page, found, blocks));
  const std::string stanza = "orders-1f9a3c52-7421055123456789012", data = "/var/lib/postgresql/15/restored",
                    here = scratch.path() + "/bare", config = scratch.path() + "/bare.conf",
                    authorities = scratch.path() + "/bare-ca.crt";
  ASSERT_OK(postgres::replace_file(authorities, authority.ca.certificate_pem, 0600));
  ASSERT_OK(postgres::replace_file(
      config,
      replaced(found[1], {{"[global]\n", fmt::format("[global]\nrepo1-storage-port={}\nrepo1-storage-ca-file={}\n",
                                                     bucket_->port(), authorities)},
                          {"s3.example", "localhost"},
                          {"=KEY", "=test"},
                          {"=SECRET", "=test-secret"},
                          {"=PASSPHRASE", fmt::format("={}", kPassphrase)},
                          {stanza, kStanza},
                          {data, here}}),
      0600));
  const std::string ask = fmt::format("psql -h {} -p {} -Atd postgres -c", scratch.path(), east.settings.port);
  const std::string script =
      replaced(found[2], {{stanza, kStanza},
                          {data, here},
                          {"--target-timeline=3", "--target-timeline=1"},
                          {"-w start", fmt::format("-w -l {}.log -o \"-k {} -p {} -c listen_addresses=''\" start", here,
                                                   scratch.path(), east.settings.port)}}) +
      fmt::format("until [ \"$({} 'SELECT pg_is_in_recovery()')\" = f ]; do sleep 0.1; done\n", ask) +
      fmt::format("echo \"rows: $({} \"SELECT string_agg(i::text, ' ' ORDER BY i) FROM rows\")\"\n", ask) +
      fmt::format("/usr/lib/postgresql/15/bin/pg_ctl -D {} -m fast stop\n", here);
  ASSERT_TRUE(east.postmaster->stop(postgres::StopMode::kFast, std::chrono::seconds(30)));
  const auto done = postgres::run(
      children, {"/bin/bash", {"-euc", script}, {{"PGBACKREST_CONFIG", config}}, std::chrono::minutes(2), {}}, {});
  ASSERT_OK(done);
  EXPECT_TRUE(done->exit.clean()) << script << done->out << done->last
                                  << postgres::read_file(here + ".log").value_or("");
  EXPECT_NE(done->out.find("rows: 1 2\n"), std::string::npos) << done->out;
}

}  // namespace
}  // namespace twinspan::worker
