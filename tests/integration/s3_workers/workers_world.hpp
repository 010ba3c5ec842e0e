// An S3 link on the sandbox: operator and workers as processes, two S3 servers in this one.
#pragma once
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/base64.hpp"
#include "core/log.hpp"
#include "core/wait.hpp"
#include "s3/client.hpp"
#include "s3/credentials.hpp"
#include "sandbox/demo/cluster.hpp"
#include "sandbox/s3/stub.hpp"
#include "tests/places.hpp"

namespace twinspan::sandbox {

using std::chrono::seconds;

inline constexpr const char *kSource = "backups-sgp", *kTarget = "backups-nyc";

class WorkersTest : public testing::Test {
 protected:
  void SetUp() override {
    log::configure(log::Level::kError, {{"component", "test"}});
    DemoOptions options;
    options.crds = test::in_source("/crds");
    cluster_ = std::make_unique<DemoCluster>(options, clock_);
    expect(cluster_->start());
    expect(cluster_->start_operator());
    for (auto [side, bucket] : {std::pair{&sgp_, kSource}, {&nyc_, kTarget}}) {
      expect(side->start());
      side->create_bucket(bucket);
    }
    apply(kube::kNamespaces, {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", link_.ns}}}});
    Json secret{{"apiVersion", "v1"}, {"kind", "Secret"}, {"metadata", {{"name", "keys"}, {"namespace", link_.ns}}}};
    secret["data"] = {{"accessKeyId", base64_encode("test")}, {"secretAccessKey", base64_encode("test-secret")}};
    apply(kube::kSecrets, secret);
  }
  void TearDown() override {
    if (HasFailure() && cluster_) {
      printf("status: %s\noperator:\n%s\n", status().dump(1).c_str(), cluster_->operator_log_tail(20).c_str());
      for (int i = 0; i < 3; ++i) printf("worker %d:\n%s\n", i, cluster_->pod_log_tail(pod(i), 30).c_str());
    }
    cluster_.reset();
  }

  static void expect(const Status& status) { ASSERT_TRUE(status) << status.error().message; }
  void apply(const kube::Resource& resource, const Json& object) {
    const auto applied = cluster_->client().apply(resource, object, "test");
    ASSERT_TRUE(applied) << applied.error().message;
  }
  void apply_link(int workers, Json settings = Json::object()) {
    Json link{{"apiVersion", "twinspan.dev/v1alpha1"},
              {"kind", "ReplicationLink"},
              {"metadata", {{"name", link_.name}, {"namespace", link_.ns}}}};
    const auto side = [](const s3_stub::Stub& server, const char* bucket) {
      return Json{{"endpoint", server.endpoint()}, {"bucket", bucket}, {"credentialsSecretRef", {{"name", "keys"}}}};
    };
    link["spec"] = {{"engine", "S3"},
                    {"source", {{"name", "sgp"}, {"s3", side(sgp_, kSource)}}},
                    {"targets", Json::array({{{"name", "nyc"}, {"s3", side(nyc_, kTarget)}}})},
                    {"s3", {{"workers", workers}, {"listingIntervalSeconds", 2}}}};
    link["spec"]["s3"].update(settings);
    apply(kube::kReplicationLinks, link);
  }
  void write(int count) {
    for (int i = 0; i < count; ++i, ++written_)
      sgp_.add(kSource, fmt::format("daily/{:05}.gz", written_), fmt::format("content of {}", written_));
  }
  kube::Key pod(int ordinal) const { return {link_.ns, fmt::format("{}-s3-{}", link_.name, ordinal)}; }
  Json status() {
    const auto link = cluster_->client().get(kube::kReplicationLinks, link_);
    return link ? member_of(*link, "status") : Json();
  }
  // "0:[0] 1:[1]": who copies which shares.
  std::string shares() {
    std::string out;
    const Json seen = status();
    for (const Json& worker : member_of(seen, "workers")) {
      if (member_of(worker, "shares").empty()) continue;
      out += fmt::format("{}{}:{}", out.empty() ? "" : " ", text_of(worker, "name").back(),
                         member_of(worker, "shares").dump());
    }
    return out;
  }
  template <class Done>
  bool eventually(Done done, seconds limit = seconds(120)) {  // a takeover alone takes 18 s
    const auto until = std::chrono::steady_clock::now() + limit;
    while (std::chrono::steady_clock::now() < until) {
      if (done()) return true;
      wait_for(std::chrono::milliseconds(50), {});
    }
    return done();
  }
  size_t arrived() {
    s3::ClientConfig config;
    config.endpoint = nyc_.endpoint();
    config.region = "us-east-1";
    config.bucket = kTarget;
    config.path_style = true;
    s3::Client client(config, std::make_shared<s3::StaticCredentials>(s3::Credentials{"test", "test-secret"}), clock_);
    s3::ListRequest request;
    request.prefix = "daily/";
    size_t count = 0;
    do {
      const auto page = client.list(request, {});
      if (!page) return 0;
      count += page->objects.size();
      request.continuation = page->next;
    } while (!request.continuation.empty());
    return count;
  }
  bool all_there() {
    return eventually([&] { return arrived() == static_cast<size_t>(written_); });
  }
  Json verify(const std::string& request) {
    const Json patch{{"metadata", {{"annotations", {{"twinspan.dev/verify", request}}}}}};
    EXPECT_TRUE(cluster_->client().merge_patch(kube::kReplicationLinks, link_, patch));
    Json seen;
    EXPECT_TRUE(eventually([&] {
      seen = member_of(status(), "verification");
      return text_of(seen, "request") == request;
    })) << status().dump(1);
    return seen;
  }

  const SystemClock clock_;
  const kube::Key link_{"backups", "b"};
  s3_stub::Stub sgp_{s3_stub::StubOptions{}}, nyc_{s3_stub::StubOptions{}};
  std::unique_ptr<DemoCluster> cluster_;
  int written_ = 0;
};

}  // namespace twinspan::sandbox
