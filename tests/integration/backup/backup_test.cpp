// A link's log and a backup in a bucket, and back from there: real PostgreSQL and pgBackRest, an S3 server with TLS, a
// failover in between. Skipped where one of the programs is not installed.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <map>
#include <set>

#include "core/base64.hpp"
#include "core/log.hpp"
#include "core/wait.hpp"
#include "integration/eventually.hpp"
#include "sandbox/demo/cluster.hpp"
#include "sandbox/demo/connection.hpp"
#include "sandbox/demo/progress.hpp"
#include "sandbox/demo/scenario.hpp"
#include "sandbox/demo/writer.hpp"
#include "sandbox/s3/backup_bucket.hpp"

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
    options.crds = TWINSPAN_SOURCE_DIR "/crds";
    cluster_ = std::make_unique<DemoCluster>(options, clock_);
    expect(cluster_->start());
    expect(cluster_->start_operator());
    scenario_ = std::make_unique<Scenario>(*cluster_, progress_, kLink, std::stop_token{});
    expect(cluster_->apply_file(TWINSPAN_SOURCE_DIR "/examples/postgres.yaml"));
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
    ASSERT_TRUE(eventually([&] {
      return std::ranges::any_of(bucket_->keys(kBucket), [&](const std::string& key) {
        return key.find("/archive/") != key.npos && key.find(segment + "-") != key.npos;
      });
    })) << segment;
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
  create(kube::kBackups, "first", {{"spec", {{"scheduleRef", {{"name", "orders"}}}}}});
  ASSERT_TRUE(reaches(kube::kBackups, "first", "Completed")) << status(kube::kBackups, "first").dump(1);
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

}  // namespace
}  // namespace twinspan::sandbox
