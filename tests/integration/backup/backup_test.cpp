// A link's log and a backup in a bucket, and back from there: real PostgreSQL and pgBackRest, an S3 server with TLS, a
// failover in between. Skipped where one of the programs is not installed.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "backup/mark.hpp"
#include "backup/pgbackrest.hpp"
#include "contract/names.hpp"
#include "core/base64.hpp"
#include "core/log.hpp"
#include "core/wait.hpp"
#include "failover/types.hpp"
#include "integration/eventually.hpp"
#include "sandbox/demo/cluster.hpp"
#include "sandbox/demo/connection.hpp"
#include "sandbox/demo/progress.hpp"
#include "sandbox/demo/scenario.hpp"
#include "sandbox/demo/writer.hpp"
#include "sandbox/s3/backup_bucket.hpp"
#include "tests/places.hpp"

namespace twinspan::sandbox {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""h;

constexpr std::chrono::seconds kSettles{180};
constexpr const char* kBucket = s3_stub::BackupBucket::kName;

class BackupTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const char* program : {"/usr/lib/postgresql/15/bin/postgres", "/usr/bin/pgbackrest"})
      if (access(program, X_OK) != 0) GTEST_SKIP() << program << " is not installed";
    log::configure(log::Level::kError, {{"component", "test"}});
    start_bucket();
    DemoOptions options;
    options.crds = test::in_source("/crds");
    cluster_ = std::make_unique<DemoCluster>(options, clock_);
    expect(cluster_->start());
    expect(cluster_->start_operator());
    scenario_ = std::make_unique<Scenario>(*cluster_, progress_, kLink, std::stop_token{});
    expect(cluster_->apply_file(test::in_source("/examples/postgres.yaml")));
    expect(scenario_->wait_streaming(kSettles));
    auto target = scenario_->writer_target(30s);
    ASSERT_TRUE(target) << target.error().message;
    target_ = *target;
  }
  void TearDown() override {
    writer_.reset();
    if (HasFailure() && cluster_) {
      printf("operator:\n%s\n", cluster_->operator_log_tail(40).c_str());
      for (const char* endpoint : {"east", "west", "west-2"})
        printf("%s:\n%s\n", endpoint, cluster_->pod_log_tail(scenario_->pod(endpoint), 30).c_str());
      printf("before:\n%s\n", cluster_->pod_log_tail({"shop", "before-east-0"}, 40).c_str());
      for (const kube::Resource& kind :
           {kube::kReplicationLinks, kube::kBackupSchedules, kube::kBackups, kube::kRestores})
        (void)cluster_->client().list(kind, "shop", {}, [](Json&& one) {
          printf("%s: %s\n", one["metadata"].value("name", "").c_str(), one.value("status", Json()).dump(1).c_str());
        });
    }
    scenario_.reset();
    cluster_.reset();
  }
  static void expect(const Status& status) { ASSERT_TRUE(status) << status.error().message; }

  void start_bucket() {
    auto started = s3_stub::start_backup_bucket(clock_);
    ASSERT_TRUE(started) << started.error().message;
    bucket_of_test_ = std::move(*started);
    bucket_ = bucket_of_test_.server.get();
  }

  void create(const kube::Resource& kind, const std::string& name, Json more) {
    Json object = {
        {"apiVersion", kind.api_version()}, {"kind", kind.kind}, {"metadata", {{"name", name}, {"namespace", "shop"}}}};
    object.update(more, true);
    const auto created = cluster_->client().create(kind, object);
    ASSERT_TRUE(created) << created.error().message;
  }
  void back_up() {
    create(kube::kSecrets, "bucket", {{"data", bucket_of_test_.secret_data()}});
    create(kube::kSecrets, "passphrase", {{"data", {{"key", base64_encode("0123456789abcdef0123456789abcdef")}}}});
    create(kube::kBackupSchedules, "orders",
           {{"spec",
             {{"linkRef", {{"name", "orders"}}},
              {"continuous", {{"keepFreePercent", 1}}},  // the volumes are this machine's disk
              {"destination",
               {{"s3",
                 {{"endpoint", bucket_of_test_.endpoint()},
                  {"bucket", kBucket},
                  {"prefix", "orders/"},
                  {"credentialsSecretRef", {{"name", "bucket"}}},
                  {"caSecretRef", {{"name", "bucket"}}}}}}},
              {"encryption", {{"keySecretRef", {{"name", "passphrase"}, {"key", "key"}}}}}}}});
    ASSERT_TRUE(eventually([&] {
      return condition(kube::kBackupSchedules, "orders", "Ready").value("status", "") == "True";
    })) << condition(kube::kBackupSchedules, "orders", "Ready").dump();
    expect(scenario_->wait_streaming(kSettles));
  }

  void take_first() {
    create(kube::kBackups, "first", {{"spec", {{"scheduleRef", {{"name", "orders"}}}}}});
    ASSERT_TRUE(reaches(kube::kBackups, "first", "Completed")) << status(kube::kBackups, "first").dump(1);
  }
  void store_each(int seconds) {
    ASSERT_TRUE(cluster_->client().merge_patch(kube::kBackupSchedules, {"shop", "orders"},
                                               {{"spec", {{"continuous", {{"maxDelaySeconds", seconds}}}}}}));
  }
  Json status(const kube::Resource& kind, const std::string& name) {
    const auto object = cluster_->client().get(kind, {"shop", name});
    return object ? object->value("status", Json::object()) : Json::object();
  }
  Json condition(const kube::Resource& kind, const std::string& name, const std::string& type) {
    for (const Json& one : status(kind, name).value("conditions", Json::array()))
      if (one.value("type", "") == type) return one;
    return Json::object();
  }
  bool reaches(const kube::Resource& kind, const std::string& name, const std::string& phase) {
    std::string last;
    const bool reached = eventually([&] {
      last = status(kind, name).value("phase", "");
      return last == phase || last == "Failed";
    });
    return reached && last == phase;
  }

  void run(const WriterTarget& target, const std::string& sql) {
    // A machine that is busy with others lets nobody in for a while.
    auto connection = connect(target);
    ASSERT_TRUE(eventually([&] { return connection || (connection = connect(target)); })) << connection.error().message;
    const auto done = query(connection->get(), sql, {}, 60s);
    ASSERT_TRUE(done) << sql << ": " << done.error().message;
  }
  std::string value(const WriterTarget& target, const std::string& sql) {
    auto found = query_value(target, sql);
    eventually([&] { return found || (found = query_value(target, sql)); }, 60s);
    return found ? *found : "error: " + found.error().message;
  }
  // The primary of a link that a Restore made; no policy names a Service for it.
  WriterTarget restored(const std::string& link) {
    WriterTarget target = target_;
    const Json now = status(kube::kReplicationLinks, link);
    for (const Json& row : now.value("endpoints", Json::array()))
      if (row.value("name", "") == now.value("primary", "?")) target.host = row.value("address", "");
    target.port = 5432;
    if (const auto owner = cluster_->client().get(kube::kSecrets, {"shop", link + "-owner"})) {
      const auto text = [&](const char* key) { return base64_decode(owner->at("data").value(key, "")).value_or(""); };
      target.user = text("username");
      target.password = text("password");
    }
    return target;
  }
  void ask_for(const std::string& name, const Json& target, const std::string& link) {
    Json spec;
    spec["from"]["scheduleRef"]["name"] = "orders";
    spec["target"] = target;
    spec["to"]["newLink"]["name"] = link;
    create(kube::kRestores, name, {{"spec", spec}});
  }
  void restore(const std::string& name, const Json& target) {
    ask_for(name, target, name);
    ASSERT_TRUE(reaches(kube::kRestores, name, "Completed")) << status(kube::kRestores, name).dump(1);
    // At once: who reads that it is done has the new link's password, not the backup's.
    const auto first = connect(restored(name));
    EXPECT_TRUE(first || first.error().message.find("password") == std::string::npos) << first.error().message;
    EXPECT_TRUE(eventually([&] { return !status(kube::kReplicationLinks, name).contains("restore"); }));
    EXPECT_TRUE(eventually([&] { return !reads_secrets(name); })) << "what opened the repository is nobody's any more";
  }
  // By a manifest that was kept, from nothing but the bucket: the link makes no data of its own meanwhile.
  WriterTarget fill_own(const std::string& name) {
    const auto schedule = cluster_->client().get(kube::kBackupSchedules, {"shop", "orders"});
    const auto kept = cluster_->client().get(kube::kReplicationLinks, kLink);
    EXPECT_TRUE(schedule && kept);
    if (!schedule || !kept) return target_;
    create(kube::kReplicationLinks, name,
           {{"metadata", {{"annotations", {{std::string(kRestoreAnnotation), name}}}}}, {"spec", kept->at("spec")}});
    EXPECT_TRUE(eventually([&] {
      const Json now = status(kube::kReplicationLinks, name);
      return now.dump().find("has not said yet what to restore") != std::string::npos;
    })) << status(kube::kReplicationLinks, name).dump(1);
    Json spec;
    spec["from"]["repository"] = {{"s3", schedule->at("spec").at("destination").at("s3")},
                                  {"stanza", schedule->at("status").at("stanza")},
                                  {"keySecretRef", {{"name", "passphrase"}, {"key", "key"}}}};
    spec["target"]["latest"] = true;
    spec["to"]["newLink"]["name"] = name;
    create(kube::kRestores, name, {{"spec", spec}});
    EXPECT_TRUE(reaches(kube::kRestores, name, "Completed")) << status(kube::kRestores, name).dump(1);
    return restored(name);
  }
  bool reads_secrets(const std::string& link) {
    const auto role = cluster_->client().get(kube::kRoles, {"shop", link + "-worker"});
    if (!role) return true;
    return std::ranges::any_of(role->at("rules"),
                               [](const Json& rule) { return rule.at("resources") == Json::array({"secrets"}); });
  }
  // More than a segment, so that all before it is stored.
  void fill() {
    run(target_, "CREATE TABLE IF NOT EXISTS filler (text text)");
    run(target_, "INSERT INTO filler SELECT repeat(md5(i::text), 10) FROM generate_series(1, 60000) i");
  }
  // All that was written so far is in the repository.
  void await_stored() {
    const std::string segment = value(target_, "SELECT pg_walfile_name(pg_current_wal_lsn())");
    ASSERT_EQ(segment.size(), 24u) << segment;
    fill();
    ASSERT_TRUE(eventually([&] { return stored_segment(segment); })) << segment;
  }
  bool stored_segment(const std::string& segment) {
    return std::ranges::any_of(bucket_->keys(kBucket), [&](const std::string& key) {
      return key.find("/archive/") != key.npos && key.find(segment + "-") != key.npos;
    });
  }
  // Files of the log that a member keeps until they are stored.
  size_t kept(const char* endpoint) {
    size_t count = 0;
    std::error_code failed;
    const auto folder = cluster_->runtime().volume_folder(scenario_->pod(endpoint), "data") / "pgdata/pg_wal";
    EXPECT_TRUE(std::filesystem::exists(folder)) << folder;
    for (const auto& entry : std::filesystem::directory_iterator(folder / "archive_status", failed))
      count += entry.path().extension() == ".ready";
    return count;
  }
  // Numbers of the stored segments by timeline.
  std::map<std::string, std::set<uint64_t>> stored() {
    std::map<std::string, std::set<uint64_t>> out;
    for (const std::string& key : bucket_->keys(kBucket)) {
      const std::string name = key.substr(key.rfind('/') + 1);
      if (key.find("/archive/") == std::string::npos || name.size() < 65 || name[24] != '-') continue;
      uint64_t high = 0, low = 0;
      std::from_chars(name.data() + 8, name.data() + 16, high, 16);
      std::from_chars(name.data() + 16, name.data() + 24, low, 16);
      out[name.substr(0, 8)].insert(high * 256 + low);
    }
    return out;
  }

  const kube::Key kLink{"shop", "orders"};
  SystemClock clock_;
  Progress progress_{true};
  s3_stub::BackupBucket bucket_of_test_;
  s3_stub::Stub* bucket_ = nullptr;
  std::unique_ptr<DemoCluster> cluster_;
  std::unique_ptr<Scenario> scenario_;
  WriterTarget target_;
  std::unique_ptr<Writer> writer_;
};

constexpr const char* kRows = "SELECT count(*) || ' ' || coalesce(sum(hashtext(text)::bigint), 0) FROM rows";

TEST_F(BackupTest, WhatWasThereASecondBeforeATableWasDroppedIsThereAgainAcrossAFailover) {
  EXPECT_EQ(value(target_, "SHOW archive_mode"), "off") << "a link without a BackupSchedule";
  writer_ = std::make_unique<Writer>(target_, clock_);
  writer_->start();
  ASSERT_TRUE(eventually([&] { return writer_->acknowledged().size() > 20; }));
  const auto without = scenario_->switch_over(*writer_, target_, "west");
  ASSERT_TRUE(without) << without.error().message;
  expect(scenario_->wait_streaming(kSettles));
  back_up();
  ASSERT_TRUE(eventually([&] { return value(target_, "SHOW archive_mode") == "always"; }));
  const auto with = scenario_->switch_over(*writer_, target_, scenario_->primary() == "east" ? "west" : "east");
  ASSERT_TRUE(with) << with.error().message;
  expect(scenario_->wait_streaming(kSettles));
  printf("switchover: %lld ms without, %lld ms with a BackupSchedule\n", static_cast<long long>(without->pause.count()),
         static_cast<long long>(with->pause.count()));

  run(target_, "CREATE TABLE rows AS SELECT i, md5(i::text) AS text FROM generate_series(1, 100000) i");
  ASSERT_NO_FATAL_FAILURE(take_first());
  const Json backup = status(kube::kBackups, "first");
  EXPECT_TRUE(backup.value("label", "").ends_with("F")) << backup.dump();
  EXPECT_GT(backup.value("storedBytes", 0), 1 << 20);
  EXPECT_EQ(backup.value("attempts", 0), 1);
  EXPECT_TRUE(bucket_->body(
      kBucket, fmt::format("orders/backup/{}/{}/backup.manifest",
                           status(kube::kBackupSchedules, "orders").value("stanza", ""), backup.value("label", ""))));

  // While the bucket takes nothing every member keeps what is not stored, and whoever is primary next stores it.
  bucket_->inject({.kind = s3_stub::FaultKind::kDenied, .count = 1 << 30, .method = "PUT"});
  run(target_, "INSERT INTO rows SELECT i, md5(i::text) FROM generate_series(100001, 150000) i");
  fill();
  fill();
  ASSERT_TRUE(eventually([&] {
    return condition(kube::kBackupSchedules, "orders", "Ready").value("reason", "") == "StoringFails";
  })) << "a status never says Ready over a log that is not stored";
  const auto before_denied = stored();  // what was on its way has arrived
  auto moved = scenario_->fail_over(*writer_, target_);
  ASSERT_TRUE(moved) << moved.error().message;
  EXPECT_EQ(moved->lost, 0u);
  EXPECT_EQ(stored(), before_denied);
  bucket_->clear_faults();
  expect(scenario_->wait_rejoined(*moved, kSettles));
  writer_->stop();
  run(target_, "INSERT INTO rows SELECT i, md5(i::text) FROM generate_series(150001, 200000) i");
  const std::string rows = value(target_, kRows);
  ASSERT_TRUE(rows.starts_with("200000 ")) << rows;
  wait_for(1100ms, {});
  const std::string moment =
      value(target_, "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')");
  wait_for(1100ms, {});
  run(target_, "DROP TABLE rows");
  await_stored();
  ASSERT_TRUE(
      eventually([&] { return condition(kube::kBackupSchedules, "orders", "Ready").value("status", "") == "True"; }));
  // No member goes on keeping what nobody will ever store: the segment in which the primary went.
  for (const char* endpoint : {"east", "west", "west-2"})
    EXPECT_TRUE(eventually([&] { return kept(endpoint) == 0; })) << endpoint << " keeps " << kept(endpoint);

  restore("before", {{"time", moment}});
  const WriterTarget before = restored("before");
  EXPECT_EQ(value(before, kRows), rows);
  EXPECT_EQ(value(before, "SHOW archive_mode"), "off") << "a restored link is not backed up by itself";
  EXPECT_EQ(value(before, "SHOW restore_command"), "");
  EXPECT_EQ(value(before, "SHOW recovery_target_time"), "");
  for (const Json& row : status(kube::kReplicationLinks, "before").value("endpoints", Json::array()))
    EXPECT_EQ(row.value("message", ""), "") << "nobody altered a setting";
  EXPECT_EQ(value(target_, "SELECT count(*) FROM pg_class WHERE relname = 'rows'"), "0") << "the first link goes on";
  ASSERT_TRUE(cluster_->client().remove(kube::kReplicationLinks, {"shop", "before"}));

  std::set<uint64_t> all;
  for (const auto& [timeline, numbers] : stored()) {
    EXPECT_EQ(*numbers.rbegin() - *numbers.begin() + 1, numbers.size()) << "a gap on timeline " << timeline;
    all.insert(numbers.begin(), numbers.end());
  }
  EXPECT_EQ(*all.rbegin() - *all.begin() + 1, all.size()) << "a gap between two timelines";
  for (const std::string& key : bucket_->keys(kBucket)) EXPECT_TRUE(key.starts_with("orders/")) << key;
}

// The link goes on while what it is to go back to is fetched beside its data; replicas follow, log and backups go on
// under another timeline, and one annotation takes it all back.
TEST_F(BackupTest, ALinkGoesBackToAMomentInPlaceAndItsOldDataAreBroughtBack) {
  back_up();
  run(target_, "CREATE TABLE rows AS SELECT i, md5(i::text) AS text FROM generate_series(1, 100000) i");
  ASSERT_NO_FATAL_FAILURE(take_first());
  const std::string rows = value(target_, kRows);
  ASSERT_TRUE(rows.starts_with("100000 ")) << rows;
  wait_for(1100ms, {});
  const std::string moment =
      value(target_, "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')");
  wait_for(1100ms, {});
  run(target_, "DROP TABLE rows");
  run(target_, "CREATE TABLE later AS SELECT 1 AS i");
  await_stored();
  const std::string timeline = "SELECT timeline_id FROM pg_control_checkpoint()";
  const std::string before = value(target_, timeline);

  Json spec;
  spec["from"]["scheduleRef"]["name"] = "orders";
  spec["target"]["time"] = moment;
  spec["to"]["inPlace"] = {{"linkRef", {{"name", "orders"}}}, {"confirm", "orders"}};
  create(kube::kRestores, "back", {{"spec", spec}});
  ASSERT_TRUE(reaches(kube::kRestores, "back", "Completed")) << status(kube::kRestores, "back").dump(1);
  EXPECT_EQ(value(target_, kRows), rows);
  EXPECT_EQ(value(target_, "SELECT count(*) FROM pg_class WHERE relname = 'later'"), "0");
  EXPECT_TRUE(eventually([&] { return !status(kube::kReplicationLinks, "orders").contains("restore"); }));
  expect(scenario_->wait_streaming(kSettles));
  const Json done = status(kube::kRestores, "back");
  EXPECT_FALSE(done.value("reached", "").empty()) << done.dump(1);
  EXPECT_FALSE(done.value("oldDataUntil", "").empty()) << done.dump(1);
  // Log and backups go on.
  await_stored();
  const std::string after = value(target_, timeline);
  EXPECT_GT(std::stoi(after), std::stoi(before));
  EXPECT_TRUE(stored().contains(fmt::format("{:08X}", std::stoi(after))));
  EXPECT_TRUE(std::ranges::any_of(bucket_->keys(kBucket), [&](const std::string& key) {
    return key.find(fmt::format("{:08X}.history", std::stoi(after))) != key.npos;
  })) << "nobody could follow the new timeline from an earlier backup";
  EXPECT_TRUE(eventually([&] {
    return condition(kube::kBackupSchedules, "orders", "Ready").value("status", "") == "True";
  })) << condition(kube::kBackupSchedules, "orders", "Ready").dump();
  restore("copy", {{"latest", true}});
  EXPECT_EQ(value(restored("copy"), kRows), rows) << "what was restored can be restored";
  ASSERT_TRUE(cluster_->client().remove(kube::kReplicationLinks, {"shop", "copy"}));

  ASSERT_TRUE(cluster_->client().merge_patch(
      kube::kRestores, {"shop", "back"},
      {{"metadata", {{"annotations", {{std::string(kBringBackAnnotation), "orders"}}}}}}));
  ASSERT_TRUE(eventually([&] { return status(kube::kRestores, "back").value("broughtBack", "") == "Completed"; }))
      << status(kube::kRestores, "back").dump(1);
  EXPECT_EQ(value(target_, "SELECT i FROM later"), "1");
  EXPECT_EQ(value(target_, "SELECT count(*) FROM pg_class WHERE relname = 'rows'"), "0");
  expect(scenario_->wait_streaming(kSettles));
  await_stored();
  EXPECT_TRUE(eventually([&] {
    return condition(kube::kBackupSchedules, "orders", "Ready").value("status", "") == "True";
  })) << condition(kube::kBackupSchedules, "orders", "Ready").dump();
}

TEST_F(BackupTest, LatestIsRestoredAndWhatCannotBeReachedIsSaid) {
  back_up();
  run(target_, "CREATE TABLE rows AS SELECT i, md5(i::text) AS text FROM generate_series(1, 1000) i");
  // By its schedule, at once, since there is none.
  ASSERT_TRUE(
      cluster_->client().merge_patch(kube::kBackupSchedules, {"shop", "orders"}, {{"spec", {{"immediate", true}}}}));
  ASSERT_TRUE(eventually([&] { return status(kube::kBackupSchedules, "orders").contains("last"); }))
      << status(kube::kBackupSchedules, "orders").dump(1);
  const Json last = status(kube::kBackupSchedules, "orders")["last"];
  const std::string first = last.value("backup", "");
  EXPECT_EQ(status(kube::kBackups, first).value("phase", ""), "Completed");
  EXPECT_EQ(last["label"], status(kube::kBackups, first)["label"]);
  EXPECT_EQ(last["corrupt"], false) << "the database has checksums, and no damage";
  run(target_, "INSERT INTO rows SELECT i, md5(i::text) FROM generate_series(1001, 2000) i");
  const std::string rows = value(target_, kRows);
  await_stored();
  restore("before", {{"latest", true}});
  EXPECT_EQ(value(restored("before"), kRows), rows);

  EXPECT_EQ(value(fill_own("own"), kRows), rows);
  EXPECT_EQ(status(kube::kRestores, "own")["plan"]["backup"], last["label"]);
  EXPECT_FALSE(status(kube::kRestores, "own").value("reached", "").empty());
  ASSERT_TRUE(cluster_->client().remove(kube::kReplicationLinks, {"shop", "own"}));

  Json other;
  other["spec"]["from"]["scheduleRef"]["name"] = "other";
  EXPECT_FALSE(cluster_->client().merge_patch(kube::kRestores, {"shop", "before"}, other)) << "it is immutable";
  for (const Json& change :
       {Json{{"destination", {{"s3", {{"prefix", "elsewhere/"}}}}}}, Json{{"encryption", nullptr}}})
    EXPECT_FALSE(cluster_->client().merge_patch(kube::kBackupSchedules, {"shop", "orders"}, {{"spec", change}}))
        << change << ": what is stored would be out of reach";
  ask_for("taken", {{"latest", true}}, "orders");
  EXPECT_TRUE(eventually([&] { return status(kube::kRestores, "taken").value("phase", "") == "Failed"; }));
  EXPECT_NE(status(kube::kRestores, "taken").value("message", "").find("spec.to.newLink.name"), std::string::npos);

  // What can never be had fails at once; what was committed a moment ago is waited for.
  ask_for("early", {{"time", "2020-01-01T00:00:00Z"}}, "early");
  ASSERT_TRUE(reaches(kube::kRestores, "early", "Failed")) << status(kube::kRestores, "early").dump(1);
  EXPECT_NE(status(kube::kRestores, "early").value("message", "").find("can't be restored: the first backup"),
            std::string::npos)
      << status(kube::kRestores, "early").dump(1);
  ask_for("soon",
          {{"time",
            value(target_, "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')")}},
          "soon");
  EXPECT_TRUE(eventually([&] {
    return status(kube::kRestores, "soon").value("message", "").find("is not stored yet") != std::string::npos;
  })) << status(kube::kRestores, "soon").dump(1);
  fill();
  fill();
  ASSERT_TRUE(reaches(kube::kRestores, "soon", "Completed")) << status(kube::kRestores, "soon").dump(1);
  EXPECT_EQ(value(restored("soon"), kRows), rows);

  // The volumes of a link that is deleted stay: nobody may take the data there for what is restored.
  ASSERT_TRUE(cluster_->client().remove(kube::kReplicationLinks, {"shop", "before"}));
  EXPECT_TRUE(eventually([&] { return !cluster_->client().get(kube::kReplicationLinks, {"shop", "before"}); }));
  create(kube::kPersistentVolumeClaims, "before-east-data",  // this link's own storage is ephemeral
         {{"metadata", {{"labels", {{"twinspan.dev/link", "before"}}}}},
          {"spec", {{"accessModes", {"ReadWriteOnce"}}, {"resources", {{"requests", {{"storage", "1Gi"}}}}}}}});
  wait_for(2s, {});  // claims and links come to the operator by watches of their own
  std::string refused;
  int number = 0;
  EXPECT_TRUE(eventually([&] {  // once the operator heard that the link is gone
    const std::string name = fmt::format("again-{}", ++number);
    ask_for(name, {{"latest", true}}, "before");
    EXPECT_TRUE(eventually([&] { return status(kube::kRestores, name).value("phase", "") == "Failed"; }));
    refused = status(kube::kRestores, name).value("message", "");
    return refused.find("link before exists") == std::string::npos;
  }));
  EXPECT_NE(refused.find("before-east-data"), std::string::npos) << refused;
  EXPECT_FALSE(cluster_->client().get(kube::kReplicationLinks, {"shop", "before"}));

  // Deleting objects deletes no data, and ends storing.
  const size_t objects = bucket_->objects(kBucket);
  ASSERT_TRUE(cluster_->client().remove(kube::kBackups, {"shop", first}));
  ASSERT_TRUE(cluster_->client().remove(kube::kBackupSchedules, {"shop", "orders"}));
  EXPECT_TRUE(eventually([&] { return value(target_, "SHOW archive_mode") == "off"; }));
  EXPECT_GE(bucket_->objects(kBucket), objects);
}

// What is asked for is what is stored, by the repository's own word; an increment that could only be a full one fails.
TEST_F(BackupTest, ADifferentialAndAnIncrementAreStoredAsSuchAndRestored) {
  back_up();
  expect(cluster_->client().merge_patch(kube::kBackupSchedules, {"shop", "orders"},
                                        {{"spec", {{"throttle", {{"threads", 2}}}}}})
             ? Status{}
             : fail(Code::kInternal, "threads are refused"));
  const auto take = [&](const char* name, const char* kind) {
    create(kube::kBackups, name, {{"spec", {{"scheduleRef", {{"name", "orders"}}}, {"kind", kind}}}});
    return reaches(kube::kBackups, name, "Completed");
  };
  for (const char* kind : {"Differential", "Incremental"}) {
    const std::string name = fmt::format("early-{}", kind[0] == 'D' ? "d" : "i");
    EXPECT_FALSE(take(name.c_str(), kind));
    const Json early = status(kube::kBackups, name);
    EXPECT_TRUE(early.value("message", "").ends_with("make a full")) << early.dump(1);
    EXPECT_EQ(early.value("attempts", 0), 1) << early.dump(1);
  }
  for (const std::string& key : bucket_->keys(kBucket)) EXPECT_EQ(key.find("backup.manifest"), key.npos) << key;

  run(target_, "CREATE TABLE rows AS SELECT i, md5(i::text) AS text FROM generate_series(1, 200000) i");
  const std::pair<const char*, const char*> runs[] = {
      {"one", "Full"}, {"two", "Incremental"}, {"three", "Differential"}, {"four", "Incremental"}};
  int64_t rows = 200000;
  for (const auto& [name, kind] : runs) {
    ASSERT_TRUE(take(name, kind)) << status(kube::kBackups, name).dump(1);
    run(target_,
        fmt::format("INSERT INTO rows SELECT i, md5(i::text) FROM generate_series({}, {}) i", rows + 1, rows + 1000));
    rows += 1000;
  }
  const std::string stanza = status(kube::kBackupSchedules, "orders").value("stanza", "");
  const auto config =
      cluster_->runtime().volume_folder(scenario_->pod(scenario_->primary()), "run") / "backup/pgbackrest.conf";
  std::string said;
  if (FILE* pipe =
          popen(fmt::format("/usr/bin/pgbackrest --config={} --stanza={} --output=json info", config.string(), stanza)
                    .c_str(),
                "r")) {
    for (int c = fgetc(pipe); c != EOF; c = fgetc(pipe)) said += static_cast<char>(c);
    pclose(pipe);
  }
  const auto info = backup::parse_info(said, stanza);
  ASSERT_TRUE(info) << info.error().message;
  ASSERT_EQ(info->backups.size(), 4u) << said;
  const std::string& full = info->backups[0].label;
  const std::vector<std::vector<std::string>> needs{{}, {full}, {full}, {full, info->backups[2].label}};
  for (size_t i = 0; i < 4; ++i) {
    const backup::BackupSet& stored = info->backups[i];
    const Json its = status(kube::kBackups, runs[i].first);
    EXPECT_EQ(to_string(stored.kind), runs[i].second);
    EXPECT_EQ(stored.needs, needs[i]) << stored.label;
    EXPECT_EQ(its.value("label", ""), stored.label);
    EXPECT_EQ(its.value("needs", std::vector<std::string>()), needs[i]) << its.dump(1);
    EXPECT_EQ(stored.read_bytes<info->backups[0].read_bytes / 2, i> 0) << stored.label << " " << stored.read_bytes;
    EXPECT_TRUE(bucket_->body(kBucket, fmt::format("orders/backup/{}/{}/backup.manifest", stanza, stored.label)));
  }
  EXPECT_EQ(status(kube::kBackupSchedules, "orders")["last"]["kind"], "Incremental");
  const std::string before = value(target_, kRows);
  ASSERT_TRUE(before.starts_with("204000 ")) << before;
  await_stored();
  restore("before", {{"latest", true}});
  EXPECT_EQ(value(restored("before"), kRows), before);
}

// Seconds before the region is lost: nothing of it is in a whole segment.
TEST_F(BackupTest, WhatWasWrittenSecondsBeforeEverythingIsLostIsThereAgain) {
  back_up();
  ASSERT_NO_FATAL_FAILURE(store_each(6));
  ASSERT_NO_FATAL_FAILURE(take_first());
  run(target_, "CREATE TABLE rows AS SELECT i, md5(i::text) AS text FROM generate_series(1, 1000) i");
  fill();  // these are in whole segments, the next are not
  for (int i = 20; i < 40; ++i)
    run(target_,
        fmt::format("INSERT INTO rows SELECT i, md5(i::text) FROM generate_series({}, {}) i", i * 50 + 1, i * 50 + 50));
  const std::string rows = value(target_, kRows);
  ASSERT_TRUE(rows.starts_with("2000 ")) << rows;
  const std::string end = value(target_, "SELECT pg_current_wal_flush_lsn()");
  const std::string segment = value(target_, "SELECT pg_walfile_name(pg_current_wal_lsn())");
  const auto tails = [&] {
    std::vector<std::string> names;
    for (const std::string& key : bucket_->keys(kBucket))
      if (key.starts_with("orders/tail/")) names.push_back(key.substr(key.rfind('/') + 1));
    return names;
  };
  const auto position = parse_position(end);
  ASSERT_TRUE(position) << end;
  ASSERT_TRUE(eventually([&] {
    const auto names = tails();
    return std::ranges::any_of(names, [&](const std::string& name) {
      return name.starts_with(segment + ".") && name.substr(25) >= fmt::format("{:016X}", position->value);
    });
  })) << end;
  EXPECT_TRUE(eventually([&] { return status(kube::kBackupSchedules, "orders").value("unsafe", "") == "<6s"; }))
      << status(kube::kBackupSchedules, "orders").dump(1);
  EXPECT_TRUE(eventually([&] { return tails().size() == 1; })) << "what went before it is gone";
  bucket_->inject({.kind = s3_stub::FaultKind::kDenied, .count = 1 << 30, .method = "PUT"});
  run(target_, "INSERT INTO rows SELECT i, 'lost' FROM generate_series(2001, 2010) i");
  EXPECT_FALSE(stored_segment(segment));
  restore("after", {{"latest", true}});
  const std::string back = value(restored("after"), kRows);
  EXPECT_TRUE(back == rows) << back << ", not " << rows;
  // It counts, and is told, while the bucket takes nothing.
  EXPECT_TRUE(eventually([&] { return status(kube::kBackupSchedules, "orders").value("unsafe", "") == "<2m"; }))
      << status(kube::kBackupSchedules, "orders").dump(1);
  bucket_->clear_faults();
  await_stored();
  EXPECT_TRUE(eventually([&] { return status(kube::kBackupSchedules, "orders").value("unsafe", "") == "<6s"; }));
  EXPECT_TRUE(eventually([&] {
    const auto names = tails();
    return std::ranges::none_of(names, [&](const std::string& name) { return name.starts_with(segment); });
  })) << "the whole segment took its place";
}

// Two promotions that never heard of each other take the same number. The one that comes later stores nothing under it,
// says so, and after a switchover everything goes on.
TEST_F(BackupTest, UnderATimelineThatIsAnothersNothingIsStored) {
  back_up();
  run(target_, "CREATE TABLE rows AS SELECT i, md5(i::text) AS text FROM generate_series(1, 1000) i");
  ASSERT_NO_FATAL_FAILURE(take_first());
  const auto now = [&] { return status(kube::kBackupSchedules, "orders"); };
  const std::string lineage = fmt::format("orders/lineage/{}/", now().value("stanza", ""));
  ASSERT_TRUE(std::ranges::any_of(bucket_->keys(kBucket), [&](const std::string& key) {
    return key.starts_with(lineage) && key.find("-00000001-") != key.npos;
  }));
  const std::string rival = lineage + "0000000000000099-00000002-0000000001000148";
  bucket_->add(kBucket, rival, "");
  const auto move_to = [&](const char* endpoint) {
    ASSERT_TRUE(
        cluster_->client().merge_patch(kube::kFailoverPolicies, kLink, {{"spec", {{"desiredPrimary", endpoint}}}}));
    ASSERT_TRUE(eventually([&] { return scenario_->primary() == endpoint; }));
    const auto target = scenario_->writer_target(30s);
    ASSERT_TRUE(target) << target.error().message;
    target_ = *target;
  };
  move_to("west");
  EXPECT_TRUE(eventually([&] {
    return condition(kube::kBackupSchedules, "orders", "Continuous").value("reason", "") == "WalConflict";
  })) << now().dump(1);
  EXPECT_NE(now().dump().find("Switch over once"), std::string::npos) << now().dump(1);
  run(target_, "INSERT INTO rows SELECT i, md5(i::text) FROM generate_series(1001, 2000) i");
  fill();
  EXPECT_EQ(stored().count("00000002"), 0u);
  move_to("east");
  ASSERT_TRUE(eventually(
      [&] {
        return now().contains("last") && now()["last"].value("backup", "first") != "first" &&
               condition(kube::kBackupSchedules, "orders", "Continuous").value("reason", "") != "WalConflict";
      },
      240s))
      << now().dump(1);
  EXPECT_EQ(stored().count("00000002"), 0u);
  EXPECT_TRUE(std::ranges::any_of(now().value("gaps", Json::array()), [](const Json& gap) {
    return gap.value("cause", "").find("another promotion's") != std::string::npos;
  })) << now().dump(1);
  run(target_, "INSERT INTO rows SELECT i, md5(i::text) FROM generate_series(2001, 3000) i");
  const std::string rows = value(target_, kRows);
  ASSERT_TRUE(rows.starts_with("3000 ")) << rows;
  await_stored();
  // Members keep nothing of it, neither the former primary nor who followed it.
  for (const char* endpoint : {"east", "west", "west-2"})
    EXPECT_TRUE(eventually([&] { return kept(endpoint) == 0; })) << endpoint;
  EXPECT_TRUE(std::ranges::any_of(bucket_->keys(kBucket), [&](const std::string& key) {
    return key.starts_with(lineage + "taken/") && key.find("-00000002-") != key.npos;
  }));
  bucket_->remove(kBucket, rival);  // its epoch is none that this link ever had, and would be the latest
  restore("after", {{"latest", true}});
  EXPECT_EQ(value(restored("after"), kRows), rows);
}

// An idle database says in the repository that it is: nobody waits for a commit that tells when the last one was.
TEST_F(BackupTest, ATimeAfterTheLastCommitIsReached) {
  back_up();
  ASSERT_NO_FATAL_FAILURE(store_each(2));
  ASSERT_NO_FATAL_FAILURE(take_first());
  run(target_, "CREATE TABLE rows AS SELECT i, md5(i::text) AS text FROM generate_series(1, 1000) i");
  const std::string rows = value(target_, kRows);
  wait_for(2s, {});
  const auto now = [&] { return std::chrono::floor<std::chrono::seconds>(clock_.wall_now()); };
  const auto moment = now();
  const auto marks = [&] {
    std::vector<backup::Mark> found;
    for (const std::string& key : bucket_->keys(kBucket))
      if (key.starts_with("orders/mark/")) found.push_back(*backup::parse_mark(key.substr(key.rfind('/') + 1)));
    return found;
  };
  ASSERT_TRUE(eventually([&] {
    return std::ranges::any_of(
        marks(), [&](const backup::Mark& one) { return WallTime(std::chrono::seconds(one.at)) > moment + 2s; });
  }));
  EXPECT_TRUE(eventually([&] { return marks().size() == 1; })) << "the newest replaces the others";
  // Nothing of what is committed now belongs to what is asked for, whether it is stored by then or not.
  const auto asked_at = now();
  ask_for("idle", {{"time", to_rfc3339(moment)}}, "idle");
  run(target_, "INSERT INTO rows SELECT i, 'later' FROM generate_series(1001, 1100) i");
  ASSERT_TRUE(reaches(kube::kRestores, "idle", "Completed")) << status(kube::kRestores, "idle").dump(1);
  printf("reached %s, asked for %s after the last commit, in %s\n",
         status(kube::kRestores, "idle").value("reached", "").c_str(), "2 s",
         fmt::format("{} s", (now() - asked_at).count()).c_str());
  EXPECT_TRUE(eventually([&] { return value(restored("idle"), kRows) == rows; }))
      << value(restored("idle"), kRows) << ", not " << rows;
}

// A bucket that is away for so long that the volume would fill: here it is too full from the beginning.
TEST_F(BackupTest, LogThatWouldFillAVolumeIsLetGoAndToldAndAFullBackupFollows) {
  back_up();
  const auto keep_free = [&](int percent) {
    ASSERT_TRUE(cluster_->client().merge_patch(kube::kBackupSchedules, {"shop", "orders"},
                                               {{"spec", {{"continuous", {{"keepFreePercent", percent}}}}}}));
  };
  ASSERT_NO_FATAL_FAILURE(take_first());
  bucket_->inject({.kind = s3_stub::FaultKind::kDenied, .count = 1 << 30, .method = "PUT"});
  keep_free(90);
  run(target_, "CREATE TABLE rows AS SELECT i, md5(i::text) AS text FROM generate_series(1, 1000) i");
  const std::string segment = value(target_, "SELECT pg_walfile_name(pg_current_wal_lsn())");
  fill();
  const auto gaps = [&] { return status(kube::kBackupSchedules, "orders").value("gaps", Json::array()); };
  ASSERT_TRUE(eventually([&] { return !gaps().empty(); }, 240s)) << status(kube::kBackupSchedules, "orders").dump(1);
  const Json gap = gaps().front();
  EXPECT_EQ(gap.value("from", ""), segment) << gap;
  EXPECT_NE(gap.value("cause", "").find("less than keepFreePercent (90)"), std::string::npos) << gap;
  EXPECT_TRUE(eventually([&] { return kept(scenario_->primary().c_str()) == 0; })) << "the database waits for nothing";
  EXPECT_NE(status(kube::kBackupSchedules, "orders").value("unsafe", ""), "<60s");

  keep_free(1);
  bucket_->clear_faults();
  ASSERT_TRUE(eventually(
      [&] {
        const Json now = status(kube::kBackupSchedules, "orders");
        return now.contains("last") && now["last"].value("backup", "first") != "first";
      },
      240s))
      << status(kube::kBackupSchedules, "orders").dump(1);
  EXPECT_TRUE(eventually([&] { return status(kube::kBackupSchedules, "orders").value("unsafe", "") == "<60s"; }))
      << status(kube::kBackupSchedules, "orders").dump(1);
  EXPECT_FALSE(stored_segment(segment));
  run(target_, "INSERT INTO rows SELECT i, md5(i::text) FROM generate_series(1001, 2000) i");
  const std::string rows = value(target_, kRows);
  await_stored();
  restore("after", {{"latest", true}});
  const std::string back = value(restored("after"), kRows);
  EXPECT_TRUE(back == rows) << back << ", not " << rows;
}

// It is neither cloned nor in anybody's way: what its primary has removed is in the repository.
TEST_F(BackupTest, AReplicaWhoseLogIsGoneGetsItFromTheArchive) {
  auto kept = cluster_->client().get(kube::kReplicationLinks, kLink);
  ASSERT_TRUE(kept);
  Json spec = kept->at("spec");
  const auto limit = [](Json& endpoint) {
    for (const char* name : {"max_slot_wal_keep_size", "wal_keep_size", "max_wal_size"})
      endpoint["postgres"]["managed"]["parameters"][name] = "64MB";
  };
  limit(spec["source"]);
  for (Json& one : spec["targets"]) limit(one);
  ASSERT_TRUE(cluster_->client().merge_patch(kube::kReplicationLinks, kLink, {{"spec", spec}}));
  back_up();
  fill();
  const auto volume = [&](const char* endpoint) {
    return cluster_->runtime().volume_folder(scenario_->pod(endpoint), "data");
  };
  const auto log_of = [&](const char* endpoint) { return cluster_->pod_log_tail(scenario_->pod(endpoint), 100000); };
  // A clone replaces the directory.
  const std::filesystem::path witness = volume("west") / "pgdata" / "witness";
  std::ofstream(witness) << "the data are those of before\n";
  const std::string needed = value(target_, "SELECT pg_walfile_name(pg_current_wal_lsn())");
  ASSERT_TRUE(cluster_->runtime().freeze(scenario_->pod("west")));
  ASSERT_TRUE(eventually([&] {
    fill();
    return !std::filesystem::exists(volume("east") / "pgdata/pg_wal" / needed);
  })) << needed;
  ASSERT_TRUE(stored_segment(needed));
  const std::string rows = value(target_, "SELECT count(*) FROM filler");
  ASSERT_TRUE(cluster_->runtime().thaw(scenario_->pod("west")));
  EXPECT_TRUE(eventually([&] { return log_of("west").find("is got from the archive") != std::string::npos; }))
      << log_of("west");
  expect(scenario_->wait_streaming(kSettles));
  EXPECT_TRUE(std::filesystem::exists(witness));
  WriterTarget west = target_;
  for (const Json& row : status(kube::kReplicationLinks, "orders").value("endpoints", Json::array()))
    if (row.value("name", "") == "west") west.host = row.value("address", "");
  EXPECT_TRUE(eventually([&] { return value(west, "SELECT count(*) FROM filler") == rows; }))
      << value(west, "SELECT count(*) FROM filler") << ", not " << rows;
  EXPECT_TRUE(eventually([&] { return value(west, "SHOW restore_command").empty(); }))
      << "once it streams it asks its upstream alone: " << value(west, "SHOW restore_command");
  // Nor does it stand in the way of anything: it can be the next primary.
  ASSERT_TRUE(cluster_->client().merge_patch(kube::kFailoverPolicies, kLink, {{"spec", {{"desiredPrimary", "west"}}}}));
  EXPECT_TRUE(eventually([&] { return scenario_->primary() == "west"; }));
}

// What `verification` of a schedule does, each time it is asked for once.
class VerificationTest : public BackupTest {
 protected:
  void SetUp() override {
    BackupTest::SetUp();
    if (HasFatalFailure() || IsSkipped()) return;
    back_up();
    run(target_, "CREATE TABLE rows AS SELECT i, md5(i::text) AS text FROM generate_series(1, 1000) i");
    run(target_, "CREATE INDEX ON rows (text)");
    ASSERT_NO_FATAL_FAILURE(take_first());
    run(target_, "INSERT INTO rows SELECT i, md5(i::text) FROM generate_series(1001, 2000) i");
    await_stored();
  }
  Json verified() { return status(kube::kBackupSchedules, "orders").value("verified", Json::object()); }
  std::string label() { return status(kube::kBackups, "first").value("label", ""); }
  void edit(const Json& verification, bool suspend) {
    const auto patched = cluster_->client().merge_patch(
        kube::kBackupSchedules, {"shop", "orders"}, {{"spec", {{"verification", verification}, {"suspend", suspend}}}});
    EXPECT_TRUE(patched) << patched.error().message;
  }
  Json tested(const Json& test) {
    Json verification;
    verification["schedule"] = "* * * * *";
    verification["restoreTest"] = test;
    edit(verification, false);
    EXPECT_TRUE(eventually([&] { return verified().value("restored", "") == "Running"; })) << verified();
    edit(Json::object(), true);  // one, and no further one
    EXPECT_TRUE(eventually([&] { return verified().value("restored", "") != "Running"; }, 300s)) << verified();
    EXPECT_TRUE(eventually([&] {
      return !cluster_->client().get(kube::kPods, {"shop", "orders-restore-test"}) &&
             !status(kube::kReplicationLinks, "orders")["backup"].contains("test");
    })) << status(kube::kReplicationLinks, "orders")["backup"];
    return verified();
  }
  // Every object is read by the archiver, once.
  Json read() {
    Json verification;
    verification["schedule"] = verification["restoreTest"] = nullptr;
    verification["readBack"] = "* * * * *";
    edit(verification, false);
    EXPECT_TRUE(eventually([&] { return verified().value("read", "") == "Running"; })) << verified();
    verification["readBack"] = "0 6 * * 0";
    edit(verification, true);
    EXPECT_TRUE(eventually([&] { return verified().value("read", "") != "Running"; }, 300s)) << verified();
    return verified();
  }
  void fails(const Json& asked, const std::string& words, const std::string& passed_at) {
    const Json now = tested(asked);
    EXPECT_EQ(now.value("restored", ""), "Failed") << now;
    EXPECT_NE(now.value("restoredMessage", "").find(words), std::string::npos) << words << ": " << now;
    EXPECT_EQ(now.value("restoredAt", ""), passed_at) << "when it last passed";
    EXPECT_EQ(condition(kube::kBackupSchedules, "orders", "Verified").value("status", ""), "False");
  }
  static Json only(const char* field, const Json& value) {
    Json one = {{"amcheck", false}, {"queries", Json::array()}, {"checks", Json::array()}};  // none of the last test's
    one[field] = Json::array({value});
    return one;
  }
};

TEST_F(VerificationTest, AnotherPodRestoresAndAsksWhatIsStored) {
  Json test;
  test["amcheck"] = true;
  test["checks"] = Json::array({{{"query", "SELECT count(*) FROM rows"}, {"atLeast", 2000}}});
  test["queries"] = {"SELECT * FROM rows ORDER BY text;", "SELECT pg_is_in_recovery() -- a comment"};
  const Json good = tested(test);
  EXPECT_EQ(good.value("restored", ""), "Passed") << good;
  EXPECT_EQ(good.value("restoredLabel", ""), label());
  EXPECT_GE(good.value("restoredSeconds", -1), 0);
  EXPECT_EQ(status(kube::kBackups, "first")["verified"].value("level", ""), "Restored");
  EXPECT_EQ(condition(kube::kBackupSchedules, "orders", "Verified").value("status", ""), "True");
  printf("restored and asked: %s\n", good.dump().c_str());
  EXPECT_EQ(read().value("read", ""), "Passed") << verified();
  EXPECT_EQ(condition(kube::kBackupSchedules, "orders", "Verified").value("reason", ""), "ReadPassed");
  fails(only("checks", {{"query", "SELECT count(*) FROM rows"}, {"atLeast", 2001}}), "gives 2000, at least 2001",
        good.value("restoredAt", "?"));
  EXPECT_EQ(status(kube::kBackups, "first")["verified"].value("level", ""), "Restored") << "it once was";
}

TEST_F(VerificationTest, WhatIsWrongWithWhatIsStoredIsFound) {
  fails(only("queries", "SELECT 1 / (i - 2000) FROM rows"), "division by zero", "");
  fails(only("queries", "INSERT INTO rows SELECT 1"), "queries[0]", "");
  fails(only("queries", "SELECT pg_read_file('/etc/passwd')"), "permission denied", "");

  // A byte of the backup is another one now.
  const std::string folder = "/" + label() + "/";
  std::string largest;
  for (const std::string& key : bucket_->keys(kBucket))
    if (key.find(folder) != key.npos && key.find("/bundle/") != key.npos) {
      const auto body = bucket_->body(kBucket, key);
      if (largest.empty() || body->size() > bucket_->body(kBucket, largest)->size()) largest = key;
    }
  ASSERT_FALSE(largest.empty());
  std::string body = *bucket_->body(kBucket, largest);
  body[body.size() / 2] ^= 1;
  bucket_->add(kBucket, largest, body);
  const Json hit = read();
  EXPECT_EQ(hit.value("read", ""), "Failed") << hit;
  EXPECT_NE(hit.value("readMessage", "").find(label()), std::string::npos) << hit;
  printf("read: %s\n", hit.dump().c_str());
  fails({{"amcheck", false}, {"queries", Json::array()}, {"checks", Json::array()}}, "pgbackrest restore", "");
}

// What pgBackRest really leaves, by listings of our own: labels and log that no rule keeps are gone, the rest can be
// restored, and the status says so.
TEST_F(BackupTest, WhatNoRuleKeepsGoesAndTheRestCanBeRestored) {
  back_up();
  const auto now = [&] { return status(kube::kBackupSchedules, "orders"); };
  EXPECT_TRUE(eventually([&] {
    return condition(kube::kBackupSchedules, "orders", "Restorable").value("reason", "") == "NoBackup";
  })) << now().dump(1);
  run(target_, "CREATE TABLE rows AS SELECT i, md5(i::text) AS text FROM generate_series(1, 1000) i");
  std::vector<std::string> labels;
  for (const char* name : {"one", "two", "three"}) {
    create(kube::kBackups, name, {{"spec", {{"scheduleRef", {{"name", "orders"}}}}}});
    ASSERT_TRUE(reaches(kube::kBackups, name, "Completed")) << status(kube::kBackups, name).dump(1);
    labels.push_back(status(kube::kBackups, name).value("label", ""));
    await_stored();
  }
  EXPECT_TRUE(eventually([&] {
    return condition(kube::kBackupSchedules, "orders", "Restorable").value("status", "") == "True" &&
           now()["repository"].value("backups", 0) == 3;
  })) << now().dump(1);
  EXPECT_EQ(now()["windows"].size(), 1u) << now().dump(1);
  EXPECT_TRUE(now()["windows"][0].contains("to")) << now().dump(1);
  EXPECT_FALSE(now().contains("gaps") && !now()["gaps"].empty()) << now().dump(1);
  EXPECT_TRUE(now().value("expiry", Json::object()).value("last", Json::array()).empty())
      << "no rule: everything is kept";
  const uint64_t before = *stored()["00000001"].begin();

  // A person's word first: what is named goes, and nothing besides.
  const auto has = [&](const std::string& label) {
    return std::ranges::any_of(bucket_->keys(kBucket), [&](const std::string& key) {
      return key.find("/backup/") != key.npos && key.find("/" + label + "/") != key.npos;
    });
  };
  const auto annotate = [&](const std::string& label) {
    ASSERT_TRUE(
        cluster_->client().merge_patch(kube::kBackupSchedules, {"shop", "orders"},
                                       {{"metadata", {{"annotations", {{"twinspan.dev/delete-data", label}}}}}}));
  };
  annotate(labels[2]);
  EXPECT_TRUE(eventually([&] {
    return condition(kube::kBackupSchedules, "orders", "ExpiryPossible").value("reason", "") == "Newest";
  })) << now().dump(1);
  ASSERT_TRUE(cluster_->client().merge_patch(kube::kBackupSchedules, {"shop", "orders"},
                                             {{"spec", {{"retention", {{"minimumFull", 1}}}}}}));
  annotate(labels[0]);
  EXPECT_TRUE(eventually([&] { return !has(labels[0]); })) << now().dump(1);
  EXPECT_TRUE(has(labels[1]) && has(labels[2]));
  EXPECT_EQ(*stored()["00000001"].begin(), before) << "all log stays";
  EXPECT_TRUE(eventually([&] { return now()["expiry"].value("last", Json()) == Json{labels[0]}; })) << now().dump(1);

  ASSERT_TRUE(cluster_->client().merge_patch(kube::kBackupSchedules, {"shop", "orders"},
                                             {{"spec", {{"retention", {{"daily", 1}, {"maxDeletePercent", 100}}}}}}));
  EXPECT_TRUE(eventually([&] { return !has(labels[1]); })) << now().dump(1);
  EXPECT_TRUE(has(labels[2]));
  uint64_t start = 0;
  const std::string text = status(kube::kBackups, "three").value("start", "");
  std::from_chars(text.data() + text.find('/') + 1, text.data() + text.size(), start, 16);
  EXPECT_TRUE(eventually([&] { return *stored()["00000001"].begin() == start >> 24; }))
      << *stored()["00000001"].begin() << ", from " << text << " on " << now().dump(1);
  EXPECT_TRUE(eventually([&] {
    return now()["repository"].value("oldest", "") == labels[2] && now()["windows"].size() == 1 &&
           condition(kube::kBackupSchedules, "orders", "Restorable").value("status", "") == "True";
  })) << now().dump(1);
  run(target_, "INSERT INTO rows SELECT i, md5(i::text) FROM generate_series(1001, 2000) i");
  const std::string rows = value(target_, kRows);
  await_stored();
  restore("before", {{"latest", true}});
  EXPECT_EQ(value(restored("before"), kRows), rows);

  // A rule of the bucket deletes what is old: the repository's own index knows nothing of that. Whoever stores next
  // looks anew.
  bucket_->remove(kBucket, fmt::format("orders/backup/{}/{}/backup.manifest", now().value("stanza", ""), labels[2]));
  ASSERT_TRUE(cluster_->client().merge_patch(kube::kFailoverPolicies, kLink, {{"spec", {{"desiredPrimary", "west"}}}}));
  ASSERT_TRUE(eventually([&] { return scenario_->primary() == "west"; }));
  EXPECT_TRUE(eventually([&] {
    return condition(kube::kBackupSchedules, "orders", "Restorable")
               .value("message", "")
               .find("its manifest is gone") != std::string::npos;
  })) << now().dump(1);
  EXPECT_EQ(condition(kube::kBackupSchedules, "orders", "Restorable").value("status", ""), "Unknown");
}

// The replica is read, the primary answers a few questions while one runs and no longer; what a failover cuts short is
// begun anew elsewhere.
TEST_F(BackupTest, AReplicaIsBackedUpAndAFailoverInBetweenBeginsItAnew) {
  back_up();
  expect(
      cluster_->client().merge_patch(kube::kBackupSchedules, {"shop", "orders"}, {{"spec", {{"takeFrom", "Replica"}}}})
          ? Status{}
          : fail(Code::kInternal, "takeFrom is refused"));
  run(target_, "CREATE TABLE rows AS SELECT i, md5(i::text) AS text FROM generate_series(1, 300000) i");
  const auto servers = [&] {
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
      std::ifstream file(entry.path() / "cmdline");
      const std::string line((std::istreambuf_iterator<char>(file)), {});
      count += line.find(cluster_->state().string()) != line.npos && line.find("backup/server.conf") != line.npos;
    }
    return count;
  };
  create(kube::kBackups, "one", {{"spec", {{"scheduleRef", {{"name", "orders"}}}}}});
  ASSERT_TRUE(reaches(kube::kBackups, "one", "Completed")) << status(kube::kBackups, "one").dump(1);
  const Json one = status(kube::kBackups, "one");
  EXPECT_NE(one.value("endpoint", ""), scenario_->primary()) << one.dump(1);
  EXPECT_EQ(one.value("attempts", 0), 1) << one.dump(1);
  EXPECT_TRUE(one.value("label", "").ends_with("F")) << one.dump(1);
  EXPECT_TRUE(eventually([&] { return servers() == 0; })) << "only while one runs";
  EXPECT_TRUE(eventually([&] {
    return condition(kube::kBackupSchedules, "orders", "Restorable").value("status", "") == "True" &&
           status(kube::kBackupSchedules, "orders")["repository"].value("backups", 0) == 1;
  })) << "the primary lists what the replica stored: "
      << status(kube::kBackupSchedules, "orders").dump(1);

  writer_ = std::make_unique<Writer>(target_, clock_);
  writer_->start();
  ASSERT_TRUE(eventually([&] { return writer_->acknowledged().size() > 20; }));
  const std::string former = scenario_->primary();
  bucket_->inject({.kind = s3_stub::FaultKind::kUnavailable,
                   .count = 1 << 30,
                   .method = "PUT",
                   .path_prefix = fmt::format("/{}/orders/backup/", kBucket)});
  const int64_t puts = bucket_->requests("PUT");
  create(kube::kBackups, "two", {{"spec", {{"scheduleRef", {{"name", "orders"}}}, {"kind", "Incremental"}}}});
  ASSERT_TRUE(eventually([&] { return servers() > 1; })) << "one answers the replica";
  ASSERT_TRUE(eventually([&] { return bucket_->requests("PUT") > puts; }));
  ASSERT_EQ(status(kube::kBackups, "two").value("phase", ""), "Running");
  const auto moved = scenario_->fail_over(*writer_, target_);
  ASSERT_TRUE(moved) << moved.error().message;
  EXPECT_EQ(moved->lost, 0u);
  bucket_->clear_faults();
  writer_->stop();
  ASSERT_TRUE(reaches(kube::kBackups, "two", "Completed")) << status(kube::kBackups, "two").dump(1);
  const Json two = status(kube::kBackups, "two");
  EXPECT_GT(two.value("attempts", 0), 1) << two.dump(1);
  EXPECT_NE(scenario_->primary(), former);
  EXPECT_NE(two.value("endpoint", ""), scenario_->primary()) << two.dump(1);
  EXPECT_EQ(two.value("needs", std::vector<std::string>()), std::vector<std::string>{one.value("label", "")});
  EXPECT_EQ(two.value("timeline", 0), one.value("timeline", 0) + 1);
  EXPECT_TRUE(eventually([&] { return servers() == 0; }));
  run(target_, "INSERT INTO rows SELECT i, md5(i::text) FROM generate_series(300001, 301000) i");
  const std::string rows = value(target_, kRows);
  ASSERT_TRUE(rows.starts_with("301000 ")) << rows;
  await_stored();
  // A promotion that failed left its history there. It was nobody's timeline.
  const std::string stanza = status(kube::kBackupSchedules, "orders").value("stanza", "");
  const std::string histories = fmt::format("orders/archive/{}/15-1/", stanza);
  const auto history = bucket_->body(kBucket, histories + "00000002.history");
  ASSERT_TRUE(history);
  bucket_->add(kBucket, histories + "00000003.history", *history);
  std::vector<std::string> noted;
  for (const std::string& key : bucket_->keys(kBucket))
    if (key.starts_with(fmt::format("orders/lineage/{}/", stanza))) noted.push_back(key.substr(key.rfind('/') + 18, 8));
  EXPECT_EQ(noted, (std::vector<std::string>{"00000001", "00000002"}));
  ask_for("astray", {{"latest", true}, {"timeline", 3}}, "astray");
  EXPECT_FALSE(reaches(kube::kRestores, "astray", "Completed"));
  EXPECT_NE(status(kube::kRestores, "astray").value("message", "").find("timeline 3 was never this link's"),
            std::string::npos)
      << status(kube::kRestores, "astray").dump(1);
  restore("before", {{"latest", true}});
  EXPECT_EQ(value(restored("before"), kRows), rows);
}

}  // namespace
}  // namespace twinspan::sandbox
