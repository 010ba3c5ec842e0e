#include "operator/link_metrics.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace twinspan {
namespace {

class LinkMetrics : public ::testing::Test {
 protected:
  void policy(const Json& status) {
    cluster.wrote(
        kube::kFailoverPolicies,
        {{"apiVersion", "twinspan.dev/v1alpha1"},
         {"kind", "FailoverPolicy"},
         {"metadata",
          {{"name", "p"}, {"namespace", "shop"}, {"uid", "u"}, {"resourceVersion", std::to_string(++version)}}},
         {"spec", {{"linkRef", {{"name", "orders"}}}}},
         {"status", status}});
  }
  std::string text(bool links = true) { return all_metrics_text(cluster, backups, newer, links); }
  bool says(const std::string& line) { return text().find(line + "\n") != std::string::npos; }

  SystemClock clock;
  static kube::Config nowhere() {
    kube::Config config;
    config.server = "https://127.0.0.1:1";
    return config;
  }
  kube::Client client{nowhere()};  // never asked
  controllers::Cluster cluster{client, clock, {}};
  controllers::BackupCaches backups{client, cluster, {}};
  NewerRows newer = [](const kube::Key&) { return std::nullopt; };
  int version = 0;
};

constexpr const char* kLabels = R"({namespace="shop",policy="p",link="orders"})";

TEST_F(LinkMetrics, FailoverPossibleIsAbsentWhileItIsNotKnown) {
  const std::string name = std::string("twinspan_failover_possible") + kLabels;
  policy({{"possible", "True"}});
  EXPECT_TRUE(says(name + " 1")) << text();
  policy({{"possible", "False"}});
  EXPECT_TRUE(says(name + " 0")) << text();
  policy({{"possible", "Unknown"}});
  EXPECT_EQ(text().find(name), std::string::npos);
  EXPECT_TRUE(says(std::string("twinspan_failover_running") + kLabels + " 0"));
}

TEST_F(LinkMetrics, NumbersThatTheStatusDoesNotSayYetCount) {
  const Json endpoint = {{"name", "west"}, {"role", "Replica"}, {"state", "Streaming"},
                         {"lagBytes", 5},  {"lagRecords", 9},   {"lagSeconds", 1.0}};
  cluster.wrote(kube::kReplicationLinks,
                {{"apiVersion", "twinspan.dev/v1alpha1"},
                 {"kind", "ReplicationLink"},
                 {"metadata", {{"name", "orders"}, {"namespace", "shop"}, {"uid", "u"}, {"resourceVersion", "1"}}},
                 {"spec", {{"engine", "Postgres"}, {"source", {{"name", "east"}}}, {"targets", {{{"name", "west"}}}}}},
                 {"status", {{"endpoints", {endpoint}}}}});
  const std::string lag = R"(twinspan_replication_lag_bytes{namespace="shop",link="orders",endpoint="west"} )";
  EXPECT_TRUE(says(lag + "5")) << text();
  EXPECT_TRUE(says(R"(twinspan_replication_lag_records{namespace="shop",link="orders",endpoint="west"} 9)")) << text();
  newer = [](const kube::Key&) {
    api::EndpointStatus row;
    row.name = "west";
    row.role = "Replica";
    row.lag_bytes = 7;
    return std::optional(std::vector{row});
  };
  EXPECT_TRUE(says(lag + "7")) << text();
}

TEST_F(LinkMetrics, SeriesOfLinksAreLeftOutOnRequest) {
  policy({{"possible", "True"}});
  EXPECT_EQ(text(false).find("twinspan_failover_"), std::string::npos);
  EXPECT_NE(text(false).find("twinspan_build_info"), std::string::npos);
}

TEST_F(LinkMetrics, BackupsTellWhenTheLastWasWholeAndSinceWhenOneIsDue) {
  const std::string labels = R"({namespace="shop",link="orders",schedule="nightly")";
  const auto schedule = [&](bool suspend, const Json& status) {
    Json destination;
    destination["s3"] = {
        {"endpoint", "https://s3.example"}, {"bucket", "backups"}, {"credentialsSecretRef", {{"name", "s3"}}}};
    backups.wrote(
        kube::kBackupSchedules,
        {{"apiVersion", "twinspan.dev/v1alpha1"},
         {"kind", "BackupSchedule"},
         {"metadata",
          {{"name", "nightly"}, {"namespace", "shop"}, {"uid", "u"}, {"resourceVersion", std::to_string(++version)}}},
         {"spec", {{"linkRef", {{"name", "orders"}}}, {"suspend", suspend}, {"destination", destination}}},
         {"status", status}});
  };
  const Json none = {{"timetable", "t"}, {"servedUntil", "1970-01-01T00:00:00Z"}};
  Json current = none, failed = none;
  current["current"] = {{"name", "nightly-1"}, {"due", "1970-01-01T00:01:00Z"}};
  failed["failed"] = {{"due", "1970-01-01T00:02:00Z"}, {"failures", 1}, {"failedAt", "1970-01-01T00:03:00Z"}};
  const std::string due = "twinspan_backup_due_timestamp_seconds" + labels + "}";
  for (const bool suspend : {false, true})
    for (const auto& [runs, expected] : {std::pair{none, ""}, {current, " 60"}, {failed, " 120"}}) {
      schedule(suspend, {{"runs", runs}});
      const bool there = !suspend && *expected;
      EXPECT_EQ(text().find(due) != std::string::npos, there) << text();
      EXPECT_EQ(says(due + expected), there) << text();
    }
  EXPECT_EQ(text().find("twinspan_backup_corrupt{"), std::string::npos);
  // One that nobody has looked at, that is wrong, or of which nothing is known stores nothing as far as anybody knows.
  const std::string ready = "twinspan_backup_ready" + labels + "}";
  EXPECT_TRUE(says(ready + " 0")) << text();
  for (const auto& [value, reason, expected] : {std::tuple{"True", "Storing", " 1"},
                                                {"False", "Invalid", " 0"},
                                                {"False", "LinkMissing", " 0"},
                                                {"False", "StoringFails", " 0"},
                                                {"Unknown", "Waiting", " 0"}}) {
    schedule(false, {{"conditions",
                      {{{"type", "Ready"},
                        {"status", value},
                        {"reason", reason},
                        {"message", ""},
                        {"lastTransitionTime", "1970-01-01T00:00:00Z"}}}}});
    EXPECT_TRUE(says(ready + expected)) << reason << text();
  }
  schedule(false, {{"last",
                    {{"backup", "nightly-1"},
                     {"label", "L"},
                     {"kind", "Full"},
                     {"startedAt", "1970-01-01T00:01:00Z"},
                     {"completedAt", "1970-01-01T00:02:00Z"},
                     {"stanza", "s"},
                     {"repository", "r"},
                     {"corrupt", true}}}});
  EXPECT_TRUE(says("twinspan_backup_last_success_timestamp_seconds" + labels + R"(,kind="Full"} 120)")) << text();
  EXPECT_TRUE(says("twinspan_backup_corrupt" + labels + "} 1")) << text();
}

// What a status claims while nobody lists is not said.
TEST_F(LinkMetrics, TheWindowIsToldBesideWhatIsWanted) {
  const auto schedule = [&](const Json& retention, const char* restorable) {
    Json destination;
    destination["s3"] = {
        {"endpoint", "https://s3.example"}, {"bucket", "backups"}, {"credentialsSecretRef", {{"name", "s3"}}}};
    backups.wrote(
        kube::kBackupSchedules,
        {{"apiVersion", "twinspan.dev/v1alpha1"},
         {"kind", "BackupSchedule"},
         {"metadata",
          {{"name", "nightly"},
           {"namespace", "shop"},
           {"uid", "u"},
           {"creationTimestamp", "1970-01-01T00:00:30Z"},
           {"resourceVersion", std::to_string(++version)}}},
         {"spec", {{"linkRef", {{"name", "orders"}}}, {"destination", destination}, {"retention", retention}}},
         {"status",
          {{"windows",
            {{{"from", "1970-01-01T00:01:00Z"}, {"timeline", 1}},
             {{"from", "1970-01-01T00:02:00Z"}, {"timeline", 2}, {"open", true}}}},
           {"conditions",
            {{{"type", "Restorable"},
              {"status", restorable},
              {"reason", "R"},
              {"message", ""},
              {"lastTransitionTime", "1970-01-01T00:00:00Z"}}}}}}});
  };
  const std::string labels = R"({namespace="shop",link="orders",schedule="nightly"})";
  schedule({{"days", 1}}, "True");
  EXPECT_TRUE(says("twinspan_recovery_window_start_timestamp_seconds" + labels + " 120")) << text();
  EXPECT_TRUE(says("twinspan_recovery_window_wanted_seconds" + labels + " 86400")) << text();
  EXPECT_TRUE(says("twinspan_backup_schedule_created_timestamp_seconds" + labels + " 30")) << text();
  schedule({{"daily", 7}}, "Unknown");
  EXPECT_EQ(text().find("twinspan_recovery_window_start_timestamp_seconds{"), std::string::npos);
  EXPECT_EQ(text().find("twinspan_recovery_window_wanted_seconds{"), std::string::npos) << "nobody asked for it";
}

}  // namespace
}  // namespace twinspan
