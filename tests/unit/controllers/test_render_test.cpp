#include "controllers/backup/test_render.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "contract/restore_test.hpp"

namespace twinspan::controllers {
namespace {

// A link that is backed up, with a test under way.
struct Tested {
  api::ReplicationLink link;
  api::BackupSchedule schedule;
  RenderConfig config;

  explicit Tested(bool ephemeral = false) {
    link.metadata.name = "orders";
    link.metadata.ns = "shop";
    link.metadata.uid = "1";
    link.spec.postgres.database = "shop";
    link.spec.source.name = "east";
    api::ManagedPostgres& managed = link.spec.source.postgres.emplace().managed.emplace();
    managed.storage.size = "50Gi";
    managed.storage.storage_class_name = "fast";
    managed.storage.ephemeral = ephemeral;
    managed.parameters["shared_preload_libraries"] = "pg_stat_statements";
    managed.node_selector["disk"] = "ssd";
    api::BackupAssignment& backup = link.status.backup.emplace();
    backup.stanza = "orders-1-77";
    backup.destination.s3.endpoint = "https://s3.example:9000";
    backup.destination.s3.bucket = "backups";
    backup.destination.s3.credentials_secret_ref.name = "bucket";
    backup.encryption.emplace().key_secret_ref = {"passphrase", "key"};
    backup.test = api::TestAssignment{"2026-11-29T05:00:00Z", "20261129-020000F", 3, true, {"SELECT 1"}, {}};
    config.worker_image = "worker:1";
  }
  Json pod() const {
    const auto rendered = render_test_pod(link, schedule, config);
    EXPECT_TRUE(rendered);
    return rendered ? *rendered : Json();
  }
};

const Json& volume(const Json& pod, const char* name) {
  for (const Json& one : pod["spec"]["volumes"])
    if (one["name"] == name) return one;
  static const Json none;
  return none;
}

TEST(TestRender, ThePodHasNoRightsIsStartedOnceAndIsNoneOfTheLinksPods) {
  const Json pod = Tested().pod();
  EXPECT_EQ(pod["metadata"]["name"], "orders-restore-test");
  EXPECT_EQ(pod["metadata"]["ownerReferences"][0]["uid"], "1");
  const Json labels = {{"app.kubernetes.io/name", "twinspan-restore-test"}, {"twinspan.dev/restore-test", "orders"}};
  EXPECT_EQ(pod["metadata"]["labels"], labels);
  const Json& spec = pod["spec"];
  EXPECT_EQ(spec["automountServiceAccountToken"], false);
  EXPECT_FALSE(spec.contains("serviceAccountName"));
  EXPECT_EQ(spec["restartPolicy"], "Never");
  EXPECT_EQ(spec["activeDeadlineSeconds"], 86400);
  EXPECT_EQ(spec["nodeSelector"]["disk"], "ssd");
  EXPECT_EQ(spec["containers"][0]["image"], "worker:1");
  const auto order =
      parse_restore_test_order(pod["metadata"]["annotations"][std::string(kRestoreTestAnnotation)].get<std::string>());
  ASSERT_TRUE(order);
  EXPECT_EQ(order->test, *Tested().link.status.backup->test);
  EXPECT_EQ(order->database, "shop");
  EXPECT_EQ(order->libraries, "pg_stat_statements");
  std::vector<std::string> files;
  for (const Json& source : volume(pod, "secrets")["projected"]["sources"])
    for (const Json& item : source["secret"]["items"])
      files.push_back(source["secret"]["name"].get<std::string>() + " " + item["path"].get<std::string>());
  EXPECT_EQ(files, (std::vector<std::string>{"bucket bucket_accessKeyId", "bucket bucket_secretAccessKey",
                                             "passphrase passphrase_key"}));
}

TEST(TestRender, ItsVolumeGoesWithItAndIsAsLargeAsIsAskedOrAsTheLinks) {
  EXPECT_TRUE(volume(Tested(true).pod(), "restored").contains("emptyDir"));
  Tested tested;
  const auto claim = [&] { return volume(tested.pod(), "restored")["ephemeral"]["volumeClaimTemplate"]["spec"]; };
  EXPECT_EQ(claim()["resources"]["requests"]["storage"], "50Gi");
  EXPECT_EQ(claim()["storageClassName"], "fast");
  auto& storage = tested.schedule.spec.verification.emplace().restore_test.emplace().storage.emplace();
  storage.size = "9Gi";
  EXPECT_EQ(claim()["resources"]["requests"]["storage"], "9Gi");
  EXPECT_EQ(claim()["storageClassName"], "fast");
  storage.storage_class_name = "slow";
  EXPECT_EQ(claim()["storageClassName"], "slow");
}

TEST(TestRender, NobodyReachesItAndItReachesNamesAndTheBucket) {
  const Json policy = render_test_policy(Tested().link);
  EXPECT_EQ(policy["spec"]["podSelector"]["matchLabels"], Tested().pod()["metadata"]["labels"]);
  EXPECT_EQ(policy["spec"]["ingress"], Json::array());
  std::set<int64_t> ports;
  for (const Json& rule : policy["spec"]["egress"])
    for (const Json& port : rule["ports"]) ports.insert(port["port"].get<int64_t>());
  EXPECT_EQ(ports, (std::set<int64_t>{53, 5353, 8053, 9000}));
}

TEST(TestRender, ALinkWithoutPodsOfOursHasNoneToTestIn) {
  Tested tested;
  tested.link.spec.source.postgres->managed.reset();
  EXPECT_FALSE(render_test_pod(tested.link, tested.schedule, tested.config));
}

}  // namespace
}  // namespace twinspan::controllers
