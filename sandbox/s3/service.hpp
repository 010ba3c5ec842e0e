// What each request does to the buckets. Requests are authentic by the time they come here.
#pragma once
#include <atomic>
#include <condition_variable>
#include <map>
#include <mutex>
#include <string>

#include "net/http.hpp"
#include "sandbox/s3/access.hpp"
#include "sandbox/s3/store.hpp"
#include "sandbox/s3/stub.hpp"

namespace twinspan::s3_stub {

using Answer = net::OutgoingResponse;
using Ask = net::IncomingRequest;

Answer refuse(int status, std::string code, std::string message);
Answer xml(std::string text);

class Service {
 public:
  explicit Service(const StubOptions& options)
      : part_bytes_least_(options.part_bytes_least),
        listens_(options.listens),
        wants_digests_(options.wants_digests),
        uploads_of_one_key_(options.uploads_of_one_key) {}

  Answer serve(const Ask& ask);
  WallTime now() const;
  void create_bucket(const std::string& name);
  void put_object(const std::string& bucket, const std::string& key, Object object);
  void delete_object(const std::string& bucket, const std::string& key);
  size_t objects(const std::string& bucket);
  size_t uploads(const std::string& bucket);
  std::vector<std::string> keys(const std::string& bucket);
  std::optional<std::string> body(const std::string& bucket, const std::string& key);

  std::atomic<int64_t> offset_seconds{0};

 private:
  Answer serve_bucket(const Ask& ask, const std::string& name);
  Answer serve_object(const Ask& ask, const std::string& name, const std::string& key);

  // The lock is held, the bucket exists.
  Answer list(const Ask& ask, const std::string& name, const Bucket& bucket, bool versions);
  Answer keep_versions(const Ask& ask, Bucket& bucket);
  Answer list_versions(const Ask& ask, const std::string& name, const Bucket& bucket);
  Answer serve_version(const Ask& ask, Bucket& bucket, const std::string& key, const std::string& id);
  void remember(Bucket& bucket, const std::string& key, ObjectPointer object);
  void erase(Bucket& bucket, const std::string& name, const std::string& key);
  Answer list_uploads(const Ask& ask, const std::string& name, const Bucket& bucket);
  Answer list_parts(const Ask& ask, const std::string& name, const StoredUpload& upload, const std::string& id);
  Answer remove_many(const Ask& ask, Bucket& bucket, const std::string& name);
  Answer show(const Ask& ask, const ObjectPointer& object);  // the object, or its tags
  Answer get(const Ask& ask, const ObjectPointer& object);
  Answer put(const Ask& ask, Bucket& bucket, const std::string& name, const std::string& key, bool copy);
  Answer create_upload(const Ask& ask, Bucket& bucket, const std::string& name, const std::string& key);
  Answer put_part(const Ask& ask, StoredUpload& upload);
  Answer complete(const Ask& ask, Bucket& bucket, const std::string& name, const std::string& key,
                  const std::string& id);
  Answer listen(const Ask& ask, const std::string& name);

  std::optional<Answer> missing_digest(const Ask& ask) const;
  std::optional<Answer> conditions_of_put(const Ask& ask, const Bucket& bucket, const std::string& key);
  std::optional<Answer> source_of_copy(const Ask& ask, ObjectPointer& source);
  std::optional<Answer> take_object(const Ask& ask, Object& object);  // headers and tags
  void store(Bucket& bucket, const std::string& name, const std::string& key, Object object);
  void note(Bucket& bucket, const std::string& name, const std::string& key, const char* event, const Object* object);

  const int64_t part_bytes_least_;
  const bool listens_, wants_digests_, uploads_of_one_key_;
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::map<std::string, Bucket> buckets_;
  int64_t listeners_ = 0, uploads_begun_ = 0, versions_made_ = 0;
};

std::string query_of(const Ask& ask, const char* name);
std::string unquoted_etag(std::string text);

}  // namespace twinspan::s3_stub
