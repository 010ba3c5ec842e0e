// A schedule's runs against the embedded API: each is made once, whatever becomes of the operators that make it.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "contract/names.hpp"
#include "controllers/backup/backup_reconciler.hpp"
#include "link_rig.hpp"

namespace twinspan::controllers::testing {
namespace {

class SetClock final : public Clock {
 public:
  BootTime boot_now() const override { return SystemClock().boot_now(); }
  WallTime wall_now() const override { return WallTime(std::chrono::seconds(now_.load())); }
  void set(const char* time) {
    now_ = std::chrono::floor<std::chrono::seconds>(*parse_rfc3339(time)).time_since_epoch().count();
  }

 private:
  std::atomic<int64_t> now_{0};
};

// The part of an operator that looks after backups. It hears no agent: its link is what its status says.
struct BackupOperator {
  BackupOperator(LinkRig& rig, const Clock& clock)
      : client(rig.api->config()),
        cluster(client, clock, {}),
        caches(client, cluster, {}),
        events(client, clock, "twinspan-operator", "test"),
        reports({}, clock),
        reconciler(client, clock, cluster, caches, reports, events, RenderConfig{}) {
    cluster.start();
    caches.start();
    EXPECT_TRUE(rig.eventually([&] { return cluster.synced() && caches.synced(); }));
  }
  ~BackupOperator() {
    caches.stop();
    cluster.stop();
  }
  Result<kube::Requeue> look() { return reconciler.reconcile_link({"shop", "orders"}, {}); }

  kube::Client client;
  Cluster cluster;
  BackupCaches caches;
  kube::EventRecorder events;
  WorkerReports reports;
  BackupReconciler reconciler;
};

class BackupSchedules : public ::testing::Test {
 protected:
  BackupSchedules() {
    rig.stop_operator();
    rig.apply(LinkRig::link());
    Json destination;
    destination["s3"] = {
        {"endpoint", "https://s3.example"}, {"bucket", "backups"}, {"credentialsSecretRef", {{"name", "s3"}}}};
    const std::string uid = rig.get(kube::kReplicationLinks, "orders")["metadata"].value("uid", "");
    const Json assigned = {{"schedule", "nightly"},
                           {"stanza", stanza_prefix("orders", uid) + "77"},
                           {"archiver", "east"},
                           {"destination", destination}};
    EXPECT_TRUE(rig.client->merge_patch(kube::kReplicationLinks, LinkRig::key("orders"),
                                        {{"status", {{"primary", "east"}, {"backup", assigned}}}},
                                        kube::Subresource::kStatus));
    const auto created =
        rig.client->create(kube::kBackupSchedules, {{"apiVersion", "twinspan.dev/v1alpha1"},
                                                    {"kind", "BackupSchedule"},
                                                    {"metadata", {{"name", "nightly"}, {"namespace", "shop"}}},
                                                    {"spec",
                                                     {{"linkRef", {{"name", "orders"}}},
                                                      {"full", {{"schedule", "0 2 * * *"}}},
                                                      {"retention", {{"objects", 1}}},
                                                      {"destination", destination}}}});
    EXPECT_TRUE(created) << created.error().message;
    if (created)
      before_ = std::chrono::floor<std::chrono::days>(
          *parse_rfc3339((*created)["metadata"]["creationTimestamp"].get<std::string>()) - std::chrono::hours(2));
  }
  // The n-th night that is due since the schedule was made, at that time of day.
  void night(int n, std::chrono::seconds time) { clock.set(to_rfc3339(before_ + std::chrono::days(n) + time).c_str()); }
  std::string name(int n) const {
    const std::string day = to_rfc3339(before_ + std::chrono::days(n));
    return "nightly-" + day.substr(0, 4) + day.substr(5, 2) + day.substr(8, 2) + "-020000";
  }
  std::vector<std::string> backups() const { return rig.names(kube::kBackups); }
  void look(BackupOperator& one) {
    const auto looked = one.look();
    EXPECT_TRUE(looked) << looked.error().message;
  }
  // As an agent's word would have it.
  void complete(const std::string& backup) {
    const Json status = rig.get(kube::kBackups, backup)["status"];
    EXPECT_TRUE(rig.client->merge_patch(
        kube::kBackups, LinkRig::key(backup),
        {{"status", {{"phase", "Completed"}, {"label", "L"}, {"completedAt", status["startedAt"]}}}},
        kube::Subresource::kStatus));
  }

  LinkRig rig;
  SetClock clock;
  WallTime before_{};  // the day whose 2:00 the schedule was made after
};

using std::chrono::hours, std::chrono::seconds;
using Names = std::vector<std::string>;

TEST_F(BackupSchedules, ADueRunIsMadeOnceAcrossRestartsAndByTwoOperatorsAtATime) {
  night(1, hours(2) - seconds(1));
  {
    BackupOperator first(rig, clock);
    look(first);
    EXPECT_EQ(backups(), Names{});
    BackupOperator second(rig, clock);
    night(1, hours(2));
    // Who loses the race for the status is told so, and looks again.
    std::thread other([&] {
      for (int i = 0; i < 20; ++i) (void)second.look();
    });
    for (int i = 0; i < 20; ++i) (void)first.look();
    other.join();
  }
  EXPECT_EQ(backups(), Names{name(1)});
  for (int restart = 1; restart <= 3; ++restart) {
    BackupOperator next(rig, clock);
    night(1, hours(2) + seconds(restart));
    for (int i = 0; i < 3; ++i) look(next);
    EXPECT_EQ(backups(), Names{name(1)});
  }
  const Json made = rig.get(kube::kBackups, name(1));
  EXPECT_EQ(made["metadata"]["labels"]["twinspan.dev/schedule"], "nightly");
  EXPECT_EQ(made["status"]["phase"], "Running");
  EXPECT_EQ(made["status"]["repository"], "https://s3.example/backups/");

  // Away for three nights: one is made up, after the one that runs. The older object goes, what it was stays known.
  complete(name(1));
  night(4, hours(9));
  {
    BackupOperator next(rig, clock);
    look(next);
    EXPECT_EQ(backups(), (Names{name(1), name(2)}));
    ASSERT_TRUE(rig.eventually([&] {
      look(next);
      return rig.get(kube::kBackups, name(2))["status"]["phase"] == "Running";
    }));
  }
  complete(name(2));
  BackupOperator last(rig, clock);
  for (int i = 0; i < 3; ++i) look(last);
  EXPECT_EQ(backups(), Names{name(2)});
  const Json status = rig.get(kube::kBackupSchedules, "nightly")["status"];
  EXPECT_EQ(status["last"]["backup"], name(2));
  EXPECT_NE(status["lastSkipped"].get<std::string>().find("stands for 2 more"), std::string::npos) << status.dump(1);
}

// It was named in the status, and the operator ended before the Backup was made.
TEST_F(BackupSchedules, ARunThatWasNamedAndNotMadeIsMadeByTheNextOperator) {
  night(1, hours(2) - seconds(1));
  {
    BackupOperator first(rig, clock);
    look(first);
  }
  EXPECT_TRUE(rig.client->merge_patch(
      kube::kBackupSchedules, LinkRig::key("nightly"),
      {{"status", {{"runs", {{"current", {{"name", "nightly-named"}, {"due", to_rfc3339(clock.wall_now())}}}}}}}},
      kube::Subresource::kStatus));
  BackupOperator next(rig, clock);
  for (int i = 0; i < 3; ++i) look(next);
  EXPECT_EQ(backups(), Names{"nightly-named"});
}

}  // namespace
}  // namespace twinspan::controllers::testing
