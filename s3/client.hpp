// The S3 REST API over net::Client, with AWS Signature Version 4.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "core/clock.hpp"
#include "s3/bucket.hpp"

namespace twinspan::s3 {

struct Credentials {
  std::string access_key_id, secret_access_key;
  std::string session_token{};        // of temporary credentials
  std::optional<WallTime> expires{};  // they are asked for again a little before
};

// Where credentials come from. Thread-safe. `refused`: the last ones were not accepted, read anew.
class CredentialSource {
 public:
  virtual ~CredentialSource() = default;
  virtual Result<Credentials> get(bool refused, std::stop_token stop) = 0;
};

struct ClientConfig {
  std::string endpoint;  // "https://s3.example:9000"
  std::string region = "us-east-1";
  std::string bucket;
  bool path_style = true;  // false: the bucket is the first label of the host
  std::string dial{};      // where to connect instead, "https://10.0.0.7:9000": private links, tests
  std::string ca_pem{};    // empty: the system's roots
  bool verify = true;
  size_t connections = 16;
  int tries = 5;  // for transport failures, 5xx, SlowDown and 429; back-off with full jitter, Retry-After honoured
  std::chrono::milliseconds backoff_base{200}, backoff_max{20000};
  std::chrono::milliseconds timeout{60000};  // of one request
};

// The server's clock is learnt from RequestTimeTooSkewed answers and used for signatures from then on.
class Client final : public Bucket {
 public:
  Client(ClientConfig config, std::shared_ptr<CredentialSource> credentials, const Clock& clock);
  ~Client() override;

  Result<Page> list(const ListRequest& request, std::stop_token stop) override;
  Result<Page> list_versions(const ListRequest& request, std::stop_token stop) override;
  Result<Head> head(const ObjectName& object, std::stop_token stop) override;
  Result<Head> head_part(const ObjectName& object, int part_number, std::stop_token stop) override;
  Result<Head> get(const GetRequest& request, const std::function<bool(std::string_view)>& chunk,
                   std::stop_token stop) override;
  Result<PutResult> put(const PutRequest& request, std::string_view body, std::stop_token stop) override;
  Result<PutResult> copy(const std::string& from_bucket, const std::string& from_key, const std::string& from_etag,
                         const PutRequest& to, std::stop_token stop) override;
  Result<std::string> create_upload(const PutRequest& request, std::stop_token stop) override;
  Result<Part> upload_part(const Upload& upload, int number, std::string_view body, std::stop_token stop) override;
  Result<Part> stream_part(const Upload& upload, int number, const BodySource& body, std::stop_token stop) override;
  bool streams() const override;
  Result<Part> copy_part(const Upload& upload, int number, const std::string& from_bucket, const std::string& from_key,
                         const std::string& from_etag, ByteRange range, std::stop_token stop) override;
  using Bucket::complete_upload;
  Result<PutResult> complete_upload(const Upload& upload, const std::vector<Part>& parts, const WriteIf& only,
                                    std::stop_token stop) override;
  Status abort_upload(const Upload& upload, std::stop_token stop) override;
  Result<std::vector<Upload>> list_uploads(const std::string& prefix, std::stop_token stop) override;
  Result<std::vector<Part>> list_parts(const Upload& upload, std::stop_token stop) override;
  Status remove(const std::string& key, std::stop_token stop) override;
  Status add_delete_marker(const std::string& key, std::stop_token stop) override;
  Result<std::vector<DeleteResult>> remove(const std::vector<std::string>& keys, std::stop_token stop) override;
  Result<std::map<std::string, std::string>> tags(const ObjectName& object, std::stop_token stop) override;
  Result<bool> versioned(std::stop_token stop) override;
  const std::string& name() const override;

  Status create_bucket(std::stop_token stop);  // kAlreadyExists where it is ours already
  Status keep_versions(std::stop_token stop);  // PutBucketVersioning: of everything that is overwritten from now on
  // MinIO's ListenBucketNotification: one JSON record per line, blank lines keep it alive. Ends with `stop`, or with
  // the server's error (kInvalid: it does not offer it).
  Status listen(const std::string& prefix, const std::function<bool(std::string_view line)>& record,
                std::stop_token stop);
  // A URL that carries its signature (SigV4 query parameters), valid for `lifetime`.
  // The last answer was none, or one that says nothing of what was asked (5xx, refused credentials); calls may still be
  // trying.
  bool troubled() const;
  Result<std::string> presign_get(const std::string& key, std::chrono::seconds lifetime, std::stop_token stop);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace twinspan::s3
