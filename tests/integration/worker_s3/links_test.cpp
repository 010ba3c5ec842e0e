// Links between two servers, run by the worker as their specs say: clients write on both sides, or delete on one. Where
// S3_ENDPOINT names a server (tests/integration/s3/run), that one is in the east; the stub is wherever no other is.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "core/file.hpp"
#include "s3/credentials.hpp"
#include "sandbox/s3/stub.hpp"
#include "worker/s3/replication.hpp"
#include "worker/s3/worker_report.hpp"

namespace twinspan::worker_s3 {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}
bool is_real(const std::string& bucket) {
  return bucket.starts_with("docs-east") && !environment("S3_ENDPOINT").empty();
}

struct Server {
  s3_stub::Stub stub;
  std::unique_ptr<s3::Client> client;
  s3::ClientConfig config;
  static s3_stub::StubOptions options(bool listens) {
    s3_stub::StubOptions out;
    out.listens = listens;
    out.uploads_of_one_key = true;
    return out;
  }
  Server(const std::string& bucket, bool listens, const Clock& clock) : stub(options(listens)) {
    if (!stub.start()) std::abort();
    s3::Credentials credentials{"test", "test-secret"};
    config.endpoint = stub.endpoint();
    config.bucket = bucket;
    if (is_real(bucket)) {
      config.endpoint = environment("S3_ENDPOINT");
      config.ca_pem = read_file(environment("S3_CA")).value_or("");
      credentials = {environment("S3_ACCESS_KEY"), environment("S3_SECRET_KEY")};
    }
    client = std::make_unique<s3::Client>(config, std::make_shared<s3::StaticCredentials>(credentials), clock);
    EXPECT_TRUE(client->create_bucket({}));
  }
  void put(const std::string& key, const std::string& body) {
    const auto done = client->put({key}, body, {});
    EXPECT_TRUE(done) << done.error().message;
  }
  std::map<std::string, std::string> all(const std::string& prefix = "") {
    std::map<std::string, std::string> out;
    s3::ListRequest request;
    request.prefix = prefix;
    const auto page = client->list(request, {});
    for (const s3::Listed& one : page ? page->objects : std::vector<s3::Listed>{}) {
      if (prefix.empty() && one.key.starts_with(".twinspan/")) continue;
      std::string body;
      (void)client->get({one.key}, [&](std::string_view piece) { return body += piece, true; }, {});
      out[one.key] = body;
    }
    return out;
  }
};

struct Links : testing::Test {
  SystemClock clock;
  fs::path folder = fs::temp_directory_path() / fmt::format("twinspan-links-{}", ::getpid());
  ~Links() override { fs::remove_all(folder); }

  api::ReplicationLink link_of(const Server& east, const Server& west) {
    const auto endpoint = [](const char* name, const Server& server) {
      return fmt::format(R"({{"name": "{}", "s3": {{"endpoint": "{}", "bucket": "{}",
                              "credentialsSecretRef": {{"name": "any"}}{}}}}})",
                         name, server.config.endpoint, server.config.bucket,
                         server.config.ca_pem.empty() ? "" : R"(, "caSecretRef": {"name": "own"})");
    };
    const std::string text = fmt::format(R"({{
      "apiVersion": "twinspan.dev/v1alpha1", "kind": "ReplicationLink", "metadata": {{"name": "docs", "namespace": "shop"}},
      "spec": {{"engine": "S3", "topology": "ActiveActive", "source": {}, "targets": [{}],
                "s3": {{"listingIntervalSeconds": 1, "retries": {{"backoffBaseSeconds": 1}}}}}}}})",
                                         endpoint("east", east), endpoint("west", west));
    const auto link = api::parse_replication_link(Json::parse(text));
    EXPECT_TRUE(link) << link.error().message;
    return link.value_or(api::ReplicationLink{});
  }
  void write_credentials() {
    for (const char* name : {"east", "west"}) {
      const fs::path secret = folder / name / "credentials";
      fs::create_directories(secret);
      const bool real = is_real(fmt::format("docs-{}", name));
      std::ofstream(secret / "accessKeyId") << (real ? environment("S3_ACCESS_KEY") : "test");
      std::ofstream(secret / "secretAccessKey") << (real ? environment("S3_SECRET_KEY") : "test-secret");
      fs::create_directories(folder / name / "ca");
      if (real) std::ofstream(folder / name / "ca" / "ca.crt") << read_file(environment("S3_CA")).value_or("");
    }
  }
  static Clearance always(const Direction&, const std::string&) {
    return {{Permit::kAllowed, "", FlowReason::kNone, ""}};
  }
  static bool eventually(const std::function<bool()>& condition) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (std::chrono::steady_clock::now() < deadline) {
      if (condition()) return true;
      std::this_thread::sleep_for(milliseconds(20));
    }
    return false;
  }
};

TEST_F(Links, WritesOnBothSidesEndEqualAndTheLoserOfAConflictIsKept) {
  for (bool listens : {true, false}) {
    SCOPED_TRACE(listens ? "notifications" : "listings");
    write_credentials();
    Server east(listens ? "docs-east-1" : "docs-east-2", listens, clock), west("docs-west", listens, clock);
    const api::ReplicationLink link = link_of(east, west);
    for (int i = 0; i < 20; ++i) {
      east.put(fmt::format("east/{}", i), fmt::format("east {}", i));
      west.put(fmt::format("west/{}", i), fmt::format("west {}", i));
    }
    east.put("both", "earlier");
    std::this_thread::sleep_for(milliseconds(1100));  // dates are told to the second
    west.put("both", "later");
    const auto equal = [&] { return east.all() == west.all(); };

    Replication replication(folder.string(), clock, always, [] {});
    replication.apply(routes_of(link, {}, {0}));
    ASSERT_TRUE(eventually([&] { return east.all().size() == 41 && equal(); }));
    EXPECT_EQ(east.all()["both"], "later");
    const auto kept = east.all(".twinspan/conflicts/");
    ASSERT_EQ(kept.size(), 1u);
    EXPECT_EQ(kept.begin()->second, "earlier");
    EXPECT_TRUE(kept.begin()->first.starts_with(".twinspan/conflicts/both/"));

    // A copy is written again where it is, new keys come on either side; nothing goes to and fro.
    east.put("west/3", "east wrote this");
    west.put("new", "new");
    ASSERT_TRUE(eventually([&] { return west.all()["west/3"] == "east wrote this" && east.all().contains("new"); }));
    const auto engine = [&] { return replication.snapshots().at(0).engine.value_or(s3::ReplicationStatus{}); };
    ASSERT_TRUE(eventually([&] { return engine().state == s3::ReplicationState::kInSync && equal(); }));
    const uint64_t carried = engine().objects_total;
    std::this_thread::sleep_for(milliseconds(2500));  // two more listings
    EXPECT_EQ(engine().objects_total, carried);
    EXPECT_GE(engine().conflicts_total, 1u);
    EXPECT_TRUE(east.all(".twinspan/probe/").empty());

    replication.verify();
    ASSERT_TRUE(eventually([&] { return engine().verification && engine().verification->finished_at; }));
    EXPECT_TRUE(engine().verification->consistent);
    EXPECT_EQ(engine().verification->checked, 42u);

    ReportInput input;
    input.link = &link;
    input.holds_lease = true;
    input.shares = {0};
    input.targets = replication.snapshots();
    const Json details = worker_report(input).details;
    for (const Json& row : details["endpoints"]) EXPECT_EQ(row["role"], "Primary") << row.dump();
    EXPECT_TRUE(details["sync"].contains("conflicts"));
    replication.stop();
    EXPECT_EQ(east.stub.uploads(east.config.bucket) + west.stub.uploads("docs-west"), 0u);
  }
}

// One way, both buckets keeping versions: a delete marker deletes, a key that the source never had stays.
TEST_F(Links, DeleteMarkersOfAVersionedSourceBecomeDeleteMarkersOfTheTarget) {
  write_credentials();
  Server east("docs-east", false, clock), west("docs-west", false, clock);
  ASSERT_TRUE(east.client->keep_versions({}));
  ASSERT_TRUE(west.client->keep_versions({}));
  for (const char* key : {"a", "a-b", "keep"}) east.put(key, key);
  west.put("never in the east", "somebody's");
  api::ReplicationLink link = link_of(east, west);
  link.spec.topology = api::Topology::kActivePassive;
  link.spec.s3.deletes.mode = api::DeletesMode::kReplicate;
  Replication replication(folder.string(), clock, always, [] {});
  replication.apply(routes_of(link, {}, {0}));
  ASSERT_TRUE(eventually([&] { return west.all().size() == 4; }));
  ASSERT_TRUE(east.client->remove("a", {}));
  ASSERT_TRUE(eventually([&] { return west.all().size() == 3; }));
  EXPECT_FALSE(west.all().contains("a"));
  EXPECT_TRUE(west.all().contains("never in the east"));
  s3::ListRequest request;
  request.prefix = "a";
  const auto versions = west.client->list_versions(request, {});
  ASSERT_TRUE(versions);
  ASSERT_EQ(versions->objects.size(), 3u);
  EXPECT_TRUE(versions->objects[0].delete_marker);
  std::string body;  // what was deleted is there still
  EXPECT_TRUE(west.client->get({.key = "a", .version_id = versions->objects[1].version_id},
                               [&](std::string_view piece) { return body += piece, true; }, {}));
  EXPECT_EQ(body, "a");
}

}  // namespace
}  // namespace twinspan::worker_s3
