// What belongs to others stays theirs, on the sandbox with PostgreSQL for real: Services that exist already, Secrets
// that others write, and clients that want to be sure whom they talk to. Skipped where PostgreSQL 15 is not installed.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/base64.hpp"
#include "core/log.hpp"
#include "core/wait.hpp"
#include "integration/eventually.hpp"
#include "integration/sandbox/patient_lease.hpp"
#include "sandbox/demo/cluster.hpp"
#include "tests/places.hpp"

namespace twinspan::sandbox {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

constexpr std::chrono::seconds kPatience{120};
const std::string kBin = "/usr/lib/postgresql/15/bin/";

struct Said {
  int code = -1;
  std::string text;  // both streams, without the last line break
};

Said run(const std::string& command) {
  Said said;
  FILE* pipe = popen((command + " 2>&1").c_str(), "r");
  if (!pipe) return said;
  std::array<char, 512> buffer{};
  while (fgets(buffer.data(), buffer.size(), pipe)) said.text += buffer.data();
  const int status = pclose(pipe);
  said.code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  if (said.text.ends_with('\n')) said.text.pop_back();
  return said;
}

class BelongingsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (access((kBin + "postgres").c_str(), X_OK) != 0) GTEST_SKIP() << "PostgreSQL 15 is not installed";
    log::configure(log::Level::kError, {{"component", "test"}});
    DemoOptions options;
    options.crds = test::in_source("/crds");
    cluster_ = std::make_unique<DemoCluster>(options, clock_);
    expect(cluster_->start());
    expect(cluster_->start_operator());
    ASSERT_TRUE(client().create(kube::kNamespaces,
                                {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", "shop"}}}}));
  }
  void TearDown() override {
    if (HasFailure() && cluster_) {
      printf("operator:\n%s\n", cluster_->operator_log_tail(20).c_str());
      printf("east:\n%s\n", cluster_->pod_log_tail({"shop", "orders-east-0"}, 20).c_str());
      for (const kube::Resource& kind : {kube::kReplicationLinks, kube::kFailoverPolicies})
        printf("%s\n", get(kind, "orders").value("status", Json()).dump(1).c_str());
    }
    cluster_.reset();
  }

  static void expect(const Status& status) { ASSERT_TRUE(status) << status.error().message; }
  kube::Client& client() { return cluster_->client(); }
  Json get(const kube::Resource& kind, const std::string& name) {
    return client().get(kind, {"shop", name}).value_or(Json());
  }
  // "True ForeignObject"
  std::string condition(const kube::Resource& kind, const std::string& type) {
    const Json object = get(kind, "orders");
    for (const Json& one : object.value("/status/conditions"_json_pointer, Json::array()))
      if (one["type"] == type) return one["status"].get<std::string>() + " " + one["reason"].get<std::string>();
    return "absent";
  }
  bool ready() {
    return eventually([&] {
      return condition(kube::kReplicationLinks, "Ready").starts_with("True") &&
             condition(kube::kFailoverPolicies, "Ready").starts_with("True");
    });
  }

  // The example, with `spec.postgres` changed.
  void apply_example(const Json& postgres = Json::object()) {
    expect(apply_patiently(*cluster_, test::in_source("/examples/postgres.yaml")));
    if (!postgres.empty()) {
      ASSERT_TRUE(
          client().merge_patch(kube::kReplicationLinks, {"shop", "orders"}, {{"spec", {{"postgres", postgres}}}}));
    }
  }
  void put_secret(const std::string& name, const std::string& username, const std::string& password) {
    const Json data = {{"username", base64_encode(username)}, {"password", base64_encode(password)}};
    if (get(kube::kSecrets, name).is_null()) {
      ASSERT_TRUE(client().create(kube::kSecrets, {{"apiVersion", "v1"},
                                                   {"kind", "Secret"},
                                                   {"metadata", {{"name", name}, {"namespace", "shop"}}},
                                                   {"data", data}}));
    } else {
      ASSERT_TRUE(client().merge_patch(kube::kSecrets, {"shop", name}, {{"data", data}}));
    }
  }
  std::string address(const std::string& service) {
    return text_of(member_of(get(kube::kServices, service), "spec"), "clusterIP");
  }
  Said sql(const std::string& user, const std::string& password, const std::string& statement,
           const std::string& more = "sslmode=require", const std::string& service = "orders-rw") {
    return run(
        fmt::format("PGCONNECT_TIMEOUT=20 PGPASSWORD='{}' {}psql -XAtq 'hostaddr={} dbname=shop user={} {}' -c \"{}\"",
                    password, kBin, address(service), user, more, statement));
  }

  SystemClock clock_;
  std::unique_ptr<DemoCluster> cluster_;
};

TEST_F(BelongingsTest, AServiceThatExistsIsNeitherRepointedNorDeletedUntilItIsHandedOver) {
  const Json legacy = {{"apiVersion", "v1"},
                       {"kind", "Service"},
                       {"metadata", {{"name", "orders-rw"}, {"namespace", "shop"}}},
                       {"spec", {{"selector", {{"app", "legacy"}}}, {"ports", {{{"port", 5432}}}}}}};
  ASSERT_TRUE(client().create(kube::kServices, legacy));
  const Json before = get(kube::kServices, "orders-rw");
  apply_example();
  ASSERT_TRUE(eventually([&] { return condition(kube::kFailoverPolicies, "Stalled") == "True ForeignObject"; }));
  // The rest goes on: replicas are served, and the link is what it should be.
  ASSERT_TRUE(eventually([&] {
    return condition(kube::kReplicationLinks, "Ready") == "True Replicating" &&
           !get(kube::kServices, "orders-ro").is_null();
  }));
  EXPECT_EQ(condition(kube::kFailoverPolicies, "Ready"), "False ForeignObject");
  EXPECT_EQ(get(kube::kServices, "orders-rw"), before);

  ASSERT_TRUE(client().remove(kube::kFailoverPolicies, {"shop", "orders"}));
  ASSERT_TRUE(eventually([&] { return get(kube::kServices, "orders-ro").is_null(); })) << "ours goes with the policy";
  EXPECT_EQ(get(kube::kServices, "orders-rw"), before);

  const Json hand_over = {{"metadata", {{"annotations", {{"twinspan.dev/hand-over", "orders"}}}}}};
  ASSERT_TRUE(client().merge_patch(kube::kServices, {"shop", "orders-rw"}, hand_over));
  expect(apply_patiently(*cluster_, test::in_source("/examples/postgres.yaml")));
  ASSERT_TRUE(ready());
  const Json ours = get(kube::kServices, "orders-rw");
  EXPECT_EQ(ours["spec"]["selector"],
            Json::parse(R"({"twinspan.dev/link": "orders", "twinspan.dev/endpoint": "east"})"));
  EXPECT_EQ(ours["spec"]["clusterIP"], before["spec"]["clusterIP"]);
  EXPECT_FALSE(ours["metadata"].contains("ownerReferences"));
  ASSERT_TRUE(client().remove(kube::kFailoverPolicies, {"shop", "orders"}));
  ASSERT_TRUE(eventually([&] { return get(kube::kServices, "orders-ro").is_null(); }));
  EXPECT_EQ(get(kube::kServices, "orders-rw")["spec"]["selector"], ours["spec"]["selector"])
      << "a person's, as it was left";
}

TEST_F(BelongingsTest, ANamedOwnerSecretIsAwaitedAndFollowed) {
  apply_example({{"ownerSecretRef", {{"name", "shop-db"}}}});
  ASSERT_TRUE(eventually([&] { return condition(kube::kReplicationLinks, "Ready") == "False OwnerSecretMissing"; }));
  EXPECT_TRUE(get(kube::kSecrets, "shop-db").is_null());
  put_secret("shop-db", "first\n", "pw1\n");  // as `echo first | base64` makes them
  ASSERT_TRUE(ready());
  ASSERT_TRUE(eventually([&] { return sql("first", "pw1", "CREATE TABLE kept AS SELECT 42 AS answer").code == 0; }));

  put_secret("shop-db", "first", "pw2");
  ASSERT_TRUE(eventually([&] { return sql("first", "pw2", "SELECT 1").code == 0; }));
  EXPECT_NE(sql("first", "pw1", "SELECT 1").code, 0);

  // Another user owns what the former one owned, and the former one may not log in any more.
  put_secret("shop-db", "second", "pw3");
  ASSERT_TRUE(eventually([&] { return sql("second", "pw3", "UPDATE kept SET answer = answer + 1").code == 0; }));
  EXPECT_EQ(sql("second", "pw3", "SELECT answer FROM kept").text, "43");
  EXPECT_EQ(sql("second", "pw3", "SELECT tableowner FROM pg_tables WHERE tablename = 'kept'").text, "second");
  EXPECT_EQ(sql("second", "pw3", "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'shop'").text,
            "second");
  const Said refused = sql("first", "pw2", "SELECT 1");
  EXPECT_NE(refused.text.find("not permitted to log in"), std::string::npos) << refused.text;
}

// From the Secret alone, by name and verified: psql with the URI and the password file, after a change of the password
// and of the Service.
TEST_F(BelongingsTest, TheOwnersSecretIsAllThatAClientNeeds) {
  apply_example();
  ASSERT_TRUE(ready());
  const auto value = [&](const std::string& key) {
    return base64_decode(get(kube::kSecrets, "orders-owner").value("data", Json::object()).value(key, ""))
        .value_or("not base64");
  };
  const std::string file = cluster_->state() / "owner-ca.crt", passwords = cluster_->state() / "pgpass";
  const auto ask = [&](const std::string& environment, const std::string& to) {
    std::ofstream(file) << value("ca.crt");
    // hostaddr by the environment: the sandbox has no DNS. The certificate is verified against the host all the same.
    return run(
        fmt::format("PGCONNECT_TIMEOUT=20 PGSSLMODE=verify-full PGSSLROOTCERT={} PGHOSTADDR={} {} {}psql -XAtq -c "
                    "'SELECT current_user' \"{}\"",
                    file, address(value("host").substr(0, value("host").find('.'))), environment, kBin, to));
  };
  const auto by_uri = [&] { return ask("", value("uri")); };
  const auto by_file = [&] {
    std::ofstream(passwords) << value("pgpass");
    std::filesystem::permissions(passwords, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
    return ask("PGPASSFILE=" + passwords, fmt::format("host={} port={} dbname={} user={}", value("host"), value("port"),
                                                      value("dbname"), value("username")));
  };
  ASSERT_TRUE(eventually([&] { return !value("uri").empty() && !value("ca.crt").empty(); }));
  // The certificate with the Services' names may come a moment later.
  EXPECT_TRUE(eventually([&] { return by_uri().text == value("username"); })) << by_uri().text;
  EXPECT_TRUE(eventually([&] { return by_file().text == value("username"); })) << by_file().text;
  EXPECT_EQ(value("jdbc-uri"), fmt::format("jdbc:postgresql://orders-rw.shop.svc:5432/shop?user={}&password={}",
                                           value("username"), value("password")));

  // A key of a person's stays; the password is followed.
  const std::string password = "p@ss:w/o\\r d%+";
  ASSERT_TRUE(
      client().merge_patch(kube::kSecrets, {"shop", "orders-owner"},
                           {{"data", {{"password", base64_encode(password)}, {"note", base64_encode("a person's")}}}}));
  ASSERT_TRUE(eventually([&] { return value("uri").find("p%40ss") != std::string::npos; }));
  ASSERT_TRUE(eventually([&] { return by_uri().code == 0; })) << by_uri().text;
  EXPECT_TRUE(eventually([&] { return by_file().text == value("username"); })) << by_file().text;
  EXPECT_EQ(value("note"), "a person's");

  const Json services = {{{"name", "shop-db"}, {"selects", "Primary"}, {"port", 6432}}};
  ASSERT_TRUE(client().merge_patch(kube::kFailoverPolicies, {"shop", "orders"}, {{"spec", {{"services", services}}}}));
  ASSERT_TRUE(eventually([&] { return value("host") == "shop-db.shop.svc" && value("port") == "6432"; }));
  ASSERT_TRUE(eventually([&] { return by_uri().code == 0; })) << by_uri().text;

  // Without a policy there is no Service: what was written stays for the policy that comes back.
  ASSERT_TRUE(client().remove(kube::kFailoverPolicies, {"shop", "orders"}));
  ASSERT_TRUE(eventually([&] { return get(kube::kServices, "shop-db").is_null(); }));
  EXPECT_EQ(value("host"), "shop-db.shop.svc");
  apply_example();
  ASSERT_TRUE(eventually([&] { return value("host") == "orders-rw.shop.svc" && value("port") == "5432"; }));
}

TEST_F(BelongingsTest, ClientsVerifyTheServicesNameWithoutEverSeeingAPrivateKey) {
  apply_example();
  ASSERT_TRUE(ready());
  const Json secret = get(kube::kSecrets, "orders-owner");
  const std::string user = *base64_decode(secret["data"]["username"].get<std::string>());
  const std::string password = *base64_decode(secret["data"]["password"].get<std::string>());
  const Json bundle = get(kube::kConfigMaps, "orders-ca");
  ASSERT_FALSE(bundle.is_null());
  EXPECT_EQ(bundle["data"].size(), 1u);
  EXPECT_EQ(bundle.dump().find("PRIVATE KEY"), std::string::npos);
  const std::string file = cluster_->state() / "ca.crt";
  std::ofstream(file) << bundle["data"]["ca.crt"].get<std::string>();

  const auto verified = [&](const std::string& host, const std::string& service) {
    return sql(user, password, "SELECT pg_postmaster_start_time()",
               fmt::format("sslmode=verify-full sslrootcert={} host={}", file, host), service);
  };
  // The certificate with the Services' names may come a moment after the link is ready.
  const auto is_verified = [&](const char* host, const char* service) {
    Said said;
    EXPECT_TRUE(eventually([&] { return (said = verified(host, service)).code == 0; })) << host << ": " << said.text;
  };
  for (const char* host : {"orders-rw", "orders-rw.shop", "orders-rw.shop.svc", "orders-rw.shop.svc.cluster.local"})
    is_verified(host, "orders-rw");
  is_verified("orders-ro.shop.svc", "orders-ro");
  const Said other = verified("else.shop.svc", "orders-rw");
  EXPECT_NE(other.text.find("does not match host name"), std::string::npos) << other.text;

  // Another Service later: its name is certified without a restart.
  Said before, after;
  ASSERT_TRUE(eventually([&] { return (before = verified("orders-rw", "orders-rw")).code == 0; })) << before.text;
  const Json services = {{{"name", "orders-rw"}, {"selects", "Primary"}},
                         {{"name", "shop-db"}, {"selects", "Primary"}},
                         {{"name", "orders-ro"}, {"selects", "Replicas"}}};
  ASSERT_TRUE(client().merge_patch(kube::kFailoverPolicies, {"shop", "orders"}, {{"spec", {{"services", services}}}}));
  ASSERT_TRUE(eventually([&] {
    return !address("shop-db").empty() && (after = verified("shop-db.shop.svc", "shop-db")).code == 0;
  })) << after.text;
  EXPECT_EQ(after.text, before.text);
}

}  // namespace
}  // namespace twinspan::sandbox
