#include "s3/credentials.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "net/http.hpp"

namespace twinspan::s3::testing {
namespace {

struct ManualClock final : Clock {
  BootTime boot_now() const override { return BootTime(std::chrono::seconds(1000) + past); }
  WallTime wall_now() const override { return *parse_rfc3339("2026-11-21T10:00:00Z") + past; }
  std::chrono::seconds past{0};
};

class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "credentials-XXXXXX").string();
    path = mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
  void write(const std::string& name, const std::string& text) const { std::ofstream(path + "/" + name) << text; }
  std::string path;
};

Code code_of(const Result<Credentials>& result) { return result ? Code::kInternal : result.error().code; }

TEST(FileCredentials, AreReadUnderEitherName) {
  const ManualClock clock;
  const Folder folder;
  FileCredentials source(folder.path, clock);
  EXPECT_EQ(code_of(source.get(false, {})), Code::kDenied);
  folder.write("AWS_ACCESS_KEY_ID", "id\n");
  EXPECT_EQ(code_of(source.get(false, {})), Code::kDenied);
  folder.write("AWS_SECRET_ACCESS_KEY", "secret\n");
  auto out = source.get(false, {});
  ASSERT_TRUE(out) << out.error().message;
  EXPECT_EQ(out->access_key_id + " " + out->secret_access_key + " " + out->session_token, "id secret ");
  FileCredentials other(folder.path, clock);
  folder.write("accessKeyId", "id2");
  folder.write("secretAccessKey", "secret2");
  folder.write("sessionToken", "token2");
  out = other.get(false, {});
  ASSERT_TRUE(out);
  EXPECT_EQ(out->access_key_id + " " + out->secret_access_key + " " + out->session_token, "id2 secret2 token2");
}

TEST(FileCredentials, AreReadAnewEveryMinuteAndWhenRefused) {
  ManualClock clock;
  const Folder folder;
  folder.write("accessKeyId", "one");
  folder.write("secretAccessKey", "secret");
  FileCredentials source(folder.path, clock);
  EXPECT_EQ(source.get(false, {})->access_key_id, "one");
  folder.write("accessKeyId", "two");
  clock.past = std::chrono::seconds(59);
  EXPECT_EQ(source.get(false, {})->access_key_id, "one");
  clock.past = std::chrono::seconds(60);
  EXPECT_EQ(source.get(false, {})->access_key_id, "two");
  folder.write("accessKeyId", "three");
  clock.past = std::chrono::seconds(63);
  EXPECT_EQ(source.get(false, {})->access_key_id, "two");
  EXPECT_EQ(source.get(true, {})->access_key_id, "three");
}

TEST(FileCredentials, AreUsedOnWhileTheFilesAreAway) {
  ManualClock clock;
  const Folder folder;
  folder.write("accessKeyId", "one");
  folder.write("secretAccessKey", "secret");
  FileCredentials source(folder.path, clock);
  EXPECT_TRUE(source.get(false, {}));
  std::filesystem::remove(folder.path + "/accessKeyId");
  clock.past = std::chrono::seconds(100);
  EXPECT_EQ(source.get(false, {})->access_key_id, "one");
  EXPECT_EQ(code_of(source.get(true, {})), Code::kDenied);
}

// Serves STS and the metadata service alike, and counts.
class Services {
 public:
  Services() : server_({.address = "127.0.0.1"}, [this](const net::IncomingRequest& ask) { return answer(ask); }) {
    EXPECT_TRUE(server_.start());
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(server_.port()); }

  std::string expires = "2026-11-21T11:00:00Z";
  bool refuse = false;
  int sessions = 0;
  std::string form;

 private:
  net::OutgoingResponse answer(const net::IncomingRequest& ask) {
    net::OutgoingResponse out;
    if (refuse) {
      out.status = 403;
      out.body = "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not you</Message></Error></ErrorResponse>";
      return out;
    }
    if (ask.method == "POST") {
      form = ask.body;
      const std::string number = std::to_string(++sessions);
      out.body =
          "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>id" + number +
          "</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>t</SessionToken><Expiration>" + expires +
          "</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>";
      return out;
    }
    const std::string roles = "/latest/meta-data/iam/security-credentials/";
    if (ask.method == "PUT" && ask.path == "/latest/api/token" &&
        !ask.header("X-aws-ec2-metadata-token-ttl-seconds").empty()) {
      out.body = "the-token";
    } else if (ask.header("X-aws-ec2-metadata-token") != "the-token") {
      out.status = 401;
    } else if (ask.path == roles) {
      out.body = "my-role\n";
    } else if (ask.path == roles + "my-role") {
      ++sessions;
      out.body = R"({"Code": "Success", "AccessKeyId": "id", "SecretAccessKey": "s", "Token": "t", "Expiration": ")" +
                 expires + "\"}";
    } else {
      out.status = 404;
    }
    return out;
  }
  net::Server server_;
};

TEST(WebIdentityCredentials, AreAskedForWithTheTokenAndRenewedBeforeTheyExpire) {
  ManualClock clock;
  const Folder folder;
  folder.write("token", "a.b+c\n");
  Services services;
  WebIdentityCredentials source({"arn:aws:iam::1:role/r", folder.path + "/token", "twinspan", services.url()}, clock);
  auto out = source.get(false, {});
  ASSERT_TRUE(out) << out.error().message;
  EXPECT_EQ(out->access_key_id + out->secret_access_key + out->session_token, "id1st");
  EXPECT_EQ(services.form,
            "Action=AssumeRoleWithWebIdentity&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName=twinspan"
            "&Version=2011-06-15&WebIdentityToken=a.b%2Bc");
  clock.past = std::chrono::minutes(54);
  EXPECT_EQ(source.get(false, {})->access_key_id, "id1");
  services.expires = "2026-11-21T12:00:00Z";
  clock.past = std::chrono::minutes(56);
  EXPECT_EQ(source.get(false, {})->access_key_id, "id2");
}

TEST(WebIdentityCredentials, LastUntilTheyExpireWhileStsIsAway) {
  ManualClock clock;
  const Folder folder;
  folder.write("token", "t");
  Services services;
  WebIdentityCredentials source({"arn", folder.path + "/token", "twinspan", services.url()}, clock);
  EXPECT_TRUE(source.get(false, {}));
  services.refuse = true;
  clock.past = std::chrono::minutes(58);
  EXPECT_EQ(source.get(false, {})->access_key_id, "id1");
  clock.past = std::chrono::minutes(60);
  const auto out = source.get(false, {});
  EXPECT_EQ(code_of(out), Code::kDenied);
  EXPECT_EQ(out.error().message, "AssumeRoleWithWebIdentity: HTTP 403 AccessDenied: not you");
}

TEST(WebIdentityCredentials, AreConfiguredAsKubernetesSetsTheEnvironment) {
  unsetenv("AWS_ROLE_ARN");
  EXPECT_FALSE(WebIdentityCredentials::from_environment("eu-west-1"));
  setenv("AWS_ROLE_ARN", "arn", 1);
  setenv("AWS_WEB_IDENTITY_TOKEN_FILE", "/token", 1);
  const auto config = WebIdentityCredentials::from_environment("eu-west-1");
  unsetenv("AWS_ROLE_ARN");
  unsetenv("AWS_WEB_IDENTITY_TOKEN_FILE");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->endpoint, "https://sts.eu-west-1.amazonaws.com");
  EXPECT_EQ(config->token_file, "/token");
}

TEST(InstanceCredentials, ComeFromTheRoleOfTheMachine) {
  const ManualClock clock;
  Services services;
  InstanceCredentials source(clock, services.url());
  const auto out = source.get(false, {});
  ASSERT_TRUE(out) << out.error().message;
  EXPECT_EQ(out->access_key_id + out->secret_access_key + out->session_token, "idst");
  EXPECT_EQ(out->expires, *parse_rfc3339("2026-11-21T11:00:00Z"));
  EXPECT_TRUE(source.get(false, {}));
  EXPECT_EQ(services.sessions, 1);
}

TEST(InstanceCredentials, ARefusalSaysWhoRefused) {
  const ManualClock clock;
  Services services;
  services.refuse = true;
  InstanceCredentials source(clock, services.url());
  const auto out = source.get(false, {});
  EXPECT_EQ(code_of(out), Code::kDenied);
  EXPECT_TRUE(out.error().message.starts_with("instance metadata: ")) << out.error().message;
}

}  // namespace
}  // namespace twinspan::s3::testing
