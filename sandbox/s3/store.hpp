// The stub's buckets, in memory: what is stored, and the rules of storing it. Thread-safe by one lock around each call.
#pragma once
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "net/http.hpp"

namespace twinspan::s3_stub {

struct Object {
  std::shared_ptr<const std::string> body;
  std::string etag;
  net::Headers headers;  // that were put with it and come back: Content-Type, x-amz-meta-*, …
  std::map<std::string, std::string> tags;
  WallTime modified{};
  std::vector<int64_t> part_bytes;  // of a multi-part object
};
using ObjectPointer = std::shared_ptr<const Object>;

struct StoredPart {
  std::shared_ptr<const std::string> body;
  std::string etag;
};

struct StoredUpload {
  std::string key;
  Object object;  // headers and tags to be
  WallTime initiated{};
  std::map<int, StoredPart> parts;
};

struct Version {
  std::string id;
  ObjectPointer object;  // null: a delete marker
  WallTime modified{};
};

struct Bucket {
  std::map<std::string, ObjectPointer> objects;  // by the bytes of their keys, as S3 orders them
  std::map<std::string, StoredUpload> uploads;   // by id
  bool keeps_versions = false;
  std::map<std::string, std::deque<Version>> history;  // where it keeps versions: of each key, the latest first
  std::vector<std::string> events;                     // JSON records, for those who listen
};

}  // namespace twinspan::s3_stub
