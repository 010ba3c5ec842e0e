// The server the suite runs against: the stub, or the one that S3_ENDPOINT names (S3_ACCESS_KEY, S3_SECRET_KEY, S3_CA).
#pragma once
#include <gtest/gtest.h>

#include <cstdlib>

#include "core/file.hpp"
#include "core/wait.hpp"
#include "s3/client.hpp"
#include "s3/credentials.hpp"
#include "sandbox/s3/stub.hpp"

namespace twinspan::s3::testing {

inline std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}
inline bool real_server() { return !environment("S3_ENDPOINT").empty(); }

inline s3_stub::Stub& stub() {
  static s3_stub::Stub one{{}};
  static const bool started [[maybe_unused]] = one.start().has_value();
  return one;
}

inline ClientConfig config_of(const std::string& bucket) {
  ClientConfig config;
  config.endpoint = real_server() ? environment("S3_ENDPOINT") : stub().endpoint();
  config.bucket = bucket;
  config.backoff_base = std::chrono::milliseconds(5);
  config.timeout = std::chrono::seconds(30);
  if (const std::string path = environment("S3_CA"); real_server() && !path.empty())
    config.ca_pem = read_file(path).value_or("");
  return config;
}

inline std::shared_ptr<CredentialSource> credentials() {
  if (real_server())
    return std::make_shared<StaticCredentials>(Credentials{environment("S3_ACCESS_KEY"), environment("S3_SECRET_KEY")});
  return std::make_shared<StaticCredentials>(Credentials{"test", "test-secret"});
}

inline const Clock& system_clock() {
  static const SystemClock clock;
  return clock;
}

inline Result<std::string> body_of(Client& client, const GetRequest& request) {
  std::string out;
  const auto head = client.get(request,
                               [&](std::string_view piece) {
                                 out += piece;
                                 return true;
                               },
                               {});
  if (!head) return std::unexpected(head.error());
  return out;
}

// A bucket of its own for every test, emptied at the end where the server keeps it.
class WithBucket : public ::testing::Test {
 protected:
  void SetUp() override {
    static const int64_t run = SystemClock().wall_now().time_since_epoch().count() / 1000 % 1'000'000'000;
    static int count = 0;
    client = make("suite-" + std::to_string(run) + "-" + std::to_string(++count));
    const Status made = client->create_bucket({});
    ASSERT_TRUE(made) << made.error().message;
  }
  static std::unique_ptr<Client> make(const std::string& bucket) {
    return std::make_unique<Client>(config_of(bucket), credentials(), system_clock());
  }
  std::string put(const std::string& key, std::string_view body, PutRequest request = {}) {
    request.key = key;
    const auto out = client->put(request, body, {});
    EXPECT_TRUE(out) << key << ": " << out.error().message;
    return out ? out->etag : "";
  }
  Result<std::string> fetch(const GetRequest& request) { return body_of(*client, request); }
  std::string read(const std::string& key) {
    const auto out = fetch({.key = key});
    EXPECT_TRUE(out) << key << ": " << out.error().message;
    return out.value_or("");
  }
  std::vector<std::string> keys(const ListRequest& request = {}) {
    std::vector<std::string> out;
    ListRequest next = request;
    do {
      const auto page = client->list(next, {});
      EXPECT_TRUE(page) << page.error().message;
      if (!page) break;
      for (const Listed& one : page->objects) out.push_back(one.key);
      next.continuation = page->next;
    } while (!next.continuation.empty());
    return out;
  }

  std::unique_ptr<Client> client;
};

template <class T>
Code code_of(const Result<T>& result) {
  EXPECT_FALSE(result);
  return result ? Code::kInternal : result.error().code;
}

}  // namespace twinspan::s3::testing
