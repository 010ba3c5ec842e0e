// Versions: what was overwritten or deleted since the bucket keeps them.
#include <fmt/format.h>

#include <pugixml.hpp>

#include "sandbox/s3/service.hpp"
#include "sandbox/s3/xml.hpp"

namespace twinspan::s3_stub {

Answer Service::keep_versions(const Ask& ask, Bucket& bucket) {
  pugi::xml_document document;
  if (!document.load_buffer(ask.body.data(), ask.body.size()) || !document.child("VersioningConfiguration"))
    return refuse(400, "MalformedXML", "expected a VersioningConfiguration");
  if (std::string_view(document.child("VersioningConfiguration").child_value("Status")) != "Enabled")
    return refuse(501, "NotImplemented", "the stub can't suspend versioning");
  if (bucket.keeps_versions) return xml("");
  bucket.keeps_versions = true;
  for (const auto& [key, object] : bucket.objects) bucket.history[key] = {{"null", object, object->modified}};
  return xml("");
}

void Service::remember(Bucket& bucket, const std::string& key, ObjectPointer object) {
  if (!bucket.keeps_versions) return;
  const WallTime modified = object ? object->modified : now();
  bucket.history[key].push_front({fmt::format("v{:08}", ++versions_made_), std::move(object), modified});
}

void Service::erase(Bucket& bucket, const std::string& name, const std::string& key) {
  if (bucket.objects.erase(key)) note(bucket, name, key, "s3:ObjectRemoved:Delete", nullptr);
  remember(bucket, key, nullptr);  // a delete marker, also where there is no such key
}

Answer Service::serve_version(const Ask& ask, Bucket& bucket, const std::string& key, const std::string& id) {
  const auto history = bucket.history.find(key);
  const auto none = [] { return refuse(404, "NoSuchVersion", "The version does not exist"); };
  if (history == bucket.history.end()) return none();
  std::deque<Version>& versions = history->second;
  const auto found = std::find_if(versions.begin(), versions.end(), [&](const Version& one) { return one.id == id; });
  if (found == versions.end()) return none();
  if (ask.method == "DELETE") {
    versions.erase(found);
    bucket.objects.erase(key);
    if (!versions.empty() && versions.front().object) bucket.objects[key] = versions.front().object;
    if (versions.empty()) bucket.history.erase(history);
    Answer out;
    out.status = 204;
    return out;
  }
  if (!found->object) return refuse(405, "MethodNotAllowed", "The version is a delete marker");
  return show(ask, found->object);
}

// By key, of one key the latest first.
Answer Service::list_versions(const Ask& ask, const std::string& name, const Bucket& bucket) {
  const std::string prefix = query_of(ask, "prefix"), key_marker = query_of(ask, "key-marker"),
                    version_marker = query_of(ask, "version-id-marker");
  if (!query_of(ask, "delimiter").empty()) return refuse(501, "NotImplemented", "versions with a delimiter");
  const std::string max_keys = query_of(ask, "max-keys");
  const int most = max_keys.empty() ? 1000 : std::clamp(std::atoi(max_keys.c_str()), 0, 1000);
  const bool url = query_of(ask, "encoding-type") == "url";
  const auto encoded = [&](const std::string& key) { return url ? url_encoded(key) : key; };
  Xml out("ListVersionsResult");
  out.field("Name", name).field("Prefix", encoded(prefix)).field("MaxKeys", most);
  if (url) out.field("EncodingType", "url");
  int count = 0;
  bool truncated = false;
  std::pair<std::string, std::string> last;
  for (auto at = bucket.history.lower_bound(std::max(prefix, key_marker));
       at != bucket.history.end() && at->first.starts_with(prefix) && !truncated; ++at) {
    bool passed = at->first != key_marker;  // the marker's versions up to its own were told before; without one, all
    if (!passed && version_marker.empty()) continue;
    for (const Version& one : at->second) {
      if (!std::exchange(passed, passed || one.id == version_marker)) continue;
      truncated = count == most;
      if (truncated) break;
      ++count;
      last = {at->first, one.id};
      const char* element = one.object ? "Version" : "DeleteMarker";
      out.open(element).field("Key", encoded(at->first)).field("VersionId", one.id);
      out.field("IsLatest", &one == &at->second.front() ? "true" : "false");
      out.field("LastModified", to_rfc3339_micro(one.modified));
      if (one.object)
        out.field("ETag", "\"" + one.object->etag + "\"")
            .field("Size", static_cast<int64_t>(one.object->body->size()))
            .field("StorageClass", "STANDARD");
      out.close(element);
    }
  }
  out.field("IsTruncated", truncated ? "true" : "false");
  if (truncated) out.field("NextKeyMarker", encoded(last.first)).field("NextVersionIdMarker", last.second);
  return xml(out.finish());
}

}  // namespace twinspan::s3_stub
