// Where credentials come from: given outright, files of a mounted Secret, a web identity, the instance's role.
#pragma once
#include <chrono>
#include <memory>
#include <string>

#include "core/guarded.hpp"
#include "s3/client.hpp"

namespace twinspan::s3 {

class StaticCredentials final : public CredentialSource {
 public:
  explicit StaticCredentials(Credentials credentials) : credentials_(std::move(credentials)) {}
  Result<Credentials> get(bool, std::stop_token) override { return credentials_; }

 private:
  const Credentials credentials_;
};

// Keeps what `fetch` returned: until a little before it expires, until it is refused, and no longer than `keep`.
// Where fetching fails and the old ones have not expired, those are used on.
class KeptCredentials : public CredentialSource {
 public:
  Result<Credentials> get(bool refused, std::stop_token stop) override;

 protected:
  KeptCredentials(const Clock& clock, std::chrono::seconds keep) : clock_(clock), keep_(keep) {}
  virtual Result<Credentials> fetch(std::stop_token stop) = 0;  // one thread at a time

 private:
  const Clock& clock_;
  const std::chrono::seconds keep_;
  Mutex mutex_;
  std::optional<Credentials> kept_ GUARDED_BY(mutex_);
  BootTime fetched_at_ GUARDED_BY(mutex_){};
};

// A folder with the files accessKeyId, secretAccessKey and, for temporary ones, sessionToken, or the same under the
// names of the environment variables: AWS_ACCESS_KEY_ID and so on. Read every 60 s and when they were refused.
class FileCredentials final : public KeptCredentials {
 public:
  FileCredentials(std::string folder, const Clock& clock)
      : KeptCredentials(clock, std::chrono::seconds(60)), folder_(std::move(folder)) {}

 private:
  Result<Credentials> fetch(std::stop_token stop) override;
  const std::string folder_;
};

// AssumeRoleWithWebIdentity of STS, with the token that Kubernetes keeps fresh in a file.
class WebIdentityCredentials final : public KeptCredentials {
 public:
  struct Config {
    std::string role_arn, token_file, session_name = "twinspan";
    std::string endpoint;  // "https://sts.eu-west-1.amazonaws.com"
    std::string ca_pem{};
  };
  // From AWS_ROLE_ARN, AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_SESSION_NAME, AWS_ENDPOINT_URL_STS; nullopt where the
  // first two aren't set.
  static std::optional<Config> from_environment(const std::string& region);
  WebIdentityCredentials(Config config, const Clock& clock)
      : KeptCredentials(clock, std::chrono::hours(12)), config_(std::move(config)) {}

 private:
  Result<Credentials> fetch(std::stop_token stop) override;
  const Config config_;
};

// The role of the machine, by the instance metadata service, version 2.
class InstanceCredentials final : public KeptCredentials {
 public:
  explicit InstanceCredentials(const Clock& clock, std::string endpoint = "http://169.254.169.254")
      : KeptCredentials(clock, std::chrono::hours(1)), endpoint_(std::move(endpoint)) {}

 private:
  Result<Credentials> fetch(std::stop_token stop) override;
  const std::string endpoint_;
};

}  // namespace twinspan::s3
