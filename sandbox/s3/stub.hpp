// An S3 server in memory, for tests and for trying out: path style, signatures verified, faults on request. Stricter
// than real servers where clients could go wrong unseen. It keeps nothing on disk.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "net/http.hpp"
#include "s3/client.hpp"

namespace twinspan::s3_stub {

enum class FaultKind {
  kInternal,     // 500 InternalError
  kUnavailable,  // 503 ServiceUnavailable
  kSlowDown,     // 503 SlowDown with Retry-After
  kDenied,       // 403 AccessDenied
  kCut,          // the connection is closed before an answer, the request not carried out
  kCutAfter,     // as kCut, but the request was carried out
  kCutBody,      // the answer ends in the middle of its body
  kLateError,    // 200, then <Error>: of copies and completed uploads
};

struct Fault {
  FaultKind kind = FaultKind::kUnavailable;
  int count = 1;              // so many requests meet it
  std::string method{};       // empty: any
  std::string path_prefix{};  // "/bucket/key", decoded; empty: any
  std::string query{};        // a parameter the request must have; empty: any
  int retry_after_seconds = 0;
};

struct StubOptions {
  net::ServerOptions server{.address = "127.0.0.1"};
  s3::Credentials credentials{"test", "test-secret"};
  int64_t part_bytes_least = 5 << 20;  // of every part but the last
  bool listens = true;                 // offers ListenBucketNotification, as MinIO does
  bool wants_digests = false;          // refuses bodies without one, as buckets with Object Lock do
  bool uploads_of_one_key = false;     // lists uploads as MinIO does: those of exactly the key that is the prefix
};

// Thread-safe.
class Stub {
 public:
  explicit Stub(StubOptions options);
  ~Stub();
  Status start();
  int port() const;
  std::string endpoint() const;  // "http://127.0.0.1:9000"

  void inject(Fault fault);
  void clear_faults();
  void set_clock_offset(std::chrono::seconds offset);  // of the server's clock to the true one
  void set_credentials(s3::Credentials credentials);   // others are refused from now on
  void create_bucket(const std::string& bucket);
  void add(const std::string& bucket, const std::string& key, std::string body);  // as by a put, but faster
  int64_t requests(const std::string& method) const;                              // so far; empty: of all
  void remove(const std::string& bucket, const std::string& key);                 // as a rule of the bucket does it
  size_t objects(const std::string& bucket) const;
  size_t uploads(const std::string& bucket) const;
  std::vector<std::string> keys(const std::string& bucket) const;
  std::optional<std::string> body(const std::string& bucket, const std::string& key) const;  // nullopt: no such key

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace twinspan::s3_stub
