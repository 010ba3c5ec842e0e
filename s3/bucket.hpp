// One bucket of an S3 API, as the engine sees it: the seam between the client and everything that decides.
#pragma once
#include <concepts>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "core/result.hpp"

namespace twinspan::s3 {

// One entry of a listing. Keys are bytes in UTF-8, ordered as S3 orders them: by their bytes, unsigned.
struct Listed {
  std::string key;
  std::string etag;  // without quotes; "<md5>" or "<md5 of md5s>-<parts>"; not always an MD5 (encryption)
  int64_t size_bytes = 0;
  WallTime last_modified{};
  std::string storage_class;
  std::string version_id;       // of list_versions only
  bool latest = true;           // of list_versions only
  bool delete_marker = false;   // of list_versions only
  std::vector<Listed> older{};  // what the key had before, newest first: only where a walk looks at histories
  bool operator==(const Listed&) const = default;
};

// An object, or one of its versions. A key alone is its latest.
struct ObjectName {
  std::string key;
  std::string version_id{};  // empty: the latest

  template <class Text>
  requires std::convertible_to<Text, std::string> ObjectName(Text&& of,
                                                             std::string version = {})  // NOLINT: a key names an object
      : key(std::forward<Text>(of)), version_id(std::move(version)) {}
};

struct Page {
  std::vector<Listed> objects;
  std::vector<std::string> common_prefixes;
  std::string
      next;  // continuation token; empty: the listing is complete, and only then may absence be concluded from it
};

struct ListRequest {
  std::string prefix{};
  std::string start_after{};   // exclusive; of the first page
  std::string continuation{};  // `next` of the page before
  std::string delimiter{};
  int max_keys = 1000;  // 2 … 1000; 1 is taken as 2
};

// What a copy has to carry besides the bytes. Header values as sent; empty: absent.
struct Metadata {
  std::string content_type, content_encoding, content_language, content_disposition, cache_control, expires;
  std::string storage_class;
  std::string encryption, encryption_key_id;  // x-amz-server-side-encryption, -aws-kms-key-id
  std::map<std::string, std::string> user;    // x-amz-meta-*, names in lower case without the prefix
  bool operator==(const Metadata&) const = default;
};

struct Head {
  Listed object;
  Metadata metadata;
  std::map<std::string, std::string> checksums;  // "crc32c" → Base64, as far as the server has them
  int parts = 0;                                 // x-amz-mp-parts-count of a request with part_number; 0: not said
  int tags = 0;                                  // x-amz-tagging-count; 0: none, or the server doesn't say
};

struct ByteRange {
  int64_t first = 0, size_bytes = 0;  // size 0: to the end
};

struct GetRequest {
  std::string key;
  std::string if_match{};  // an ETag: kConflict where the object has changed since it was listed
  std::optional<ByteRange> range{};
  std::string version_id{};
  bool packed = false;  // we could read it packed: a server that unpacks for those who can't leaves it as it is stored
};
// The answer to a GET of a range that was none.
inline constexpr std::string_view kNotTheRange = "answer: not the range that was asked for";

struct PutRequest {
  std::string key;
  Metadata metadata{};
  std::map<std::string, std::string> tags{};
  std::string if_match{};     // kConflict where the object has another ETag; needs a server that knows it
  bool if_absent = false;     // If-None-Match: *; kAlreadyExists where there is one
  std::string content_md5{};  // Base64; the server refuses a body that differs (kInvalid)
  // Every put makes a version: not repeated where it may have been carried out without our hearing of it. On
  // kUnavailable and kTimeout it may be there.
  bool once = false;
};

// When an object may be written.
struct WriteIf {
  std::string if_match{};  // as in PutRequest
  bool if_absent = false;
};

struct PutResult {
  std::string etag, version_id;
};

struct Part {
  int number = 0;  // 1 … 10,000
  std::string etag;
  int64_t size_bytes = 0;  // of list_parts only
};

struct Upload {
  std::string key, upload_id;
  WallTime initiated{};
};

// A body that is not in memory: `write_to` writes it, all of `size_bytes`, to the writer it is given, and ends where
// that returns false. Each attempt begins it anew. Its error is what the call fails with.
struct BodySource {
  int64_t size_bytes = 0;
  std::function<Status(const std::function<bool(std::string_view)>& write)> write_to;
};

struct DeleteResult {
  std::string key;
  Status outcome;  // a key that was not there is a success
};

// Thread-safe; every call is one request (or several with retries) and ends soon after `stop` is set (kCancelled).
// kNotFound: no such key, upload or bucket. kDenied: credentials. kThrottled, kUnavailable, kTimeout: still failing
// after the client's own retries. kConflict: a precondition failed. kInvalid: the request or the answer makes no sense.
class Bucket {
 public:
  virtual ~Bucket() = default;

  virtual Result<Page> list(const ListRequest& request, std::stop_token stop) = 0;  // ListObjectsV2
  // Versions and delete markers; those of a key newest first. A key's may be spread over pages; of the last page's last
  // entry, a server may tell once more.
  virtual Result<Page> list_versions(const ListRequest& request, std::stop_token stop) = 0;
  virtual Result<Head> head(const ObjectName& object, std::stop_token stop) = 0;
  virtual Result<Head> head_part(const ObjectName& object, int part_number,
                                 std::stop_token stop) = 0;  // size: the part's
  // The body goes to `chunk` as it arrives; false ends the call (kCancelled). A body shorter than announced is
  // kUnavailable. The caller repeats from where it is: no retry once bytes were handed over.
  virtual Result<Head> get(const GetRequest& request, const std::function<bool(std::string_view)>& chunk,
                           std::stop_token stop) = 0;
  virtual Result<PutResult> put(const PutRequest& request, std::string_view body, std::stop_token stop) = 0;
  virtual Result<PutResult> copy(const std::string& from_bucket, const std::string& from_key,
                                 const std::string& from_etag, const PutRequest& to,
                                 std::stop_token stop) = 0;  // within one endpoint, up to 5 GiB. Where `to` has neither
                                                             // metadata nor tags, the source's are kept
  // Its upload_id. On kUnavailable and kTimeout there may be an upload all the same; it is not asked for twice.
  virtual Result<std::string> create_upload(const PutRequest& request, std::stop_token stop) = 0;
  virtual Result<Part> upload_part(const Upload& upload, int number, std::string_view body, std::stop_token stop) = 0;
  // As upload_part, of a body that passes through; only where streams() is true.
  virtual Result<Part> stream_part(const Upload&, int, const BodySource&, std::stop_token) {
    return fail(Code::kInternal, "bodies can't be streamed to this bucket");
  }
  // Without TLS the digest of a body goes before it.
  virtual bool streams() const { return false; }
  virtual Result<Part> copy_part(const Upload& upload, int number, const std::string& from_bucket,
                                 const std::string& from_key, const std::string& from_etag, ByteRange range,
                                 std::stop_token stop) = 0;
  virtual Result<PutResult> complete_upload(const Upload& upload, const std::vector<Part>& parts, const WriteIf& only,
                                            std::stop_token stop) = 0;
  Result<PutResult> complete_upload(const Upload& upload, const std::vector<Part>& parts, std::stop_token stop) {
    return complete_upload(upload, parts, WriteIf{}, std::move(stop));
  }
  virtual Status abort_upload(const Upload& upload, std::stop_token stop) = 0;  // one that is gone is a success
  // MinIO lists those of exactly the key `prefix`, and none where it is empty: who begins an upload must remember it.
  virtual Result<std::vector<Upload>> list_uploads(const std::string& prefix, std::stop_token stop) = 0;
  virtual Result<std::vector<Part>> list_parts(const Upload& upload, std::stop_token stop) = 0;
  virtual Status remove(const std::string& key, std::stop_token stop) = 0;
  // Of a bucket that keeps versions: a DELETE that is not repeated, as PutRequest::once.
  virtual Status add_delete_marker(const std::string& key, std::stop_token stop) = 0;
  virtual Result<std::vector<DeleteResult>> remove(const std::vector<std::string>& keys,
                                                   std::stop_token stop) = 0;  // ≤ 1000
  virtual Result<std::map<std::string, std::string>> tags(const ObjectName& object, std::stop_token stop) = 0;
  virtual Result<bool> versioned(std::stop_token stop) = 0;

  virtual const std::string& name() const = 0;
};

}  // namespace twinspan::s3
