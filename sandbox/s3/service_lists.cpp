// Listings, page by page.
#include <fmt/format.h>

#include "s3/digest.hpp"
#include "sandbox/s3/service.hpp"
#include "sandbox/s3/xml.hpp"

namespace twinspan::s3_stub {
namespace {

constexpr int kPageMost = 1000;

// Page size, 0 where malformed.
int page_size(const Ask& ask, const char* name) {
  const std::string text = query_of(ask, name);
  if (text.empty()) return kPageMost;
  return std::clamp(std::atoi(text.c_str()), 0, kPageMost);
}

std::string millis(WallTime time) {  // RFC 3339 with three digits, as S3 has it
  std::string out = to_rfc3339_micro(time);
  out.erase(out.size() - 4, 3);
  return out;
}

struct Encoding {
  bool url;
  std::string operator()(const std::string& key) const { return url ? url_encoded(key) : key; }
};

}  // namespace

Answer Service::list(const Ask& ask, const std::string& name, const Bucket& bucket, bool versions) {
  const std::string prefix = query_of(ask, "prefix"), delimiter = query_of(ask, "delimiter");
  std::string after = query_of(ask, versions ? "key-marker" : "start-after");
  if (const std::string token = query_of(ask, "continuation-token"); !token.empty()) {
    if (!token.starts_with("after:")) return refuse(400, "InvalidArgument", "The continuation token is incorrect");
    after = net::percent_decode(token.substr(6));
  }
  const int most = page_size(ask, "max-keys");
  const Encoding encoded{query_of(ask, "encoding-type") == "url"};
  Xml out(versions ? "ListVersionsResult" : "ListBucketResult");
  out.field("Name", name).field("Prefix", encoded(prefix)).field("MaxKeys", most);
  if (encoded.url) out.field("EncodingType", "url");
  auto at = after < prefix ? bucket.objects.lower_bound(prefix) : bucket.objects.upper_bound(after);
  // A common prefix that was returned is not returned again.
  if (!delimiter.empty() && after.ends_with(delimiter) && after.size() > prefix.size())
    at = bucket.objects.lower_bound(after + "\xff");
  int count = 0;
  std::string last;
  bool truncated = false;
  while (at != bucket.objects.end() && at->first.starts_with(prefix)) {
    if (count == most) {
      truncated = most > 0;
      break;
    }
    ++count;
    const size_t cut = delimiter.empty() ? std::string::npos : at->first.find(delimiter, prefix.size());
    if (cut != std::string::npos) {
      last = at->first.substr(0, cut + delimiter.size());
      out.open("CommonPrefixes").field("Prefix", encoded(last)).close("CommonPrefixes");
      at = bucket.objects.lower_bound(last + "\xff");  // no key holds this byte
      continue;
    }
    const char* element = versions ? "Version" : "Contents";
    out.open(element).field("Key", encoded(at->first)).field("LastModified", millis(at->second->modified));
    if (versions) out.field("VersionId", "null").field("IsLatest", "true");
    out.field("ETag", "\"" + at->second->etag + "\"").field("Size", static_cast<int64_t>(at->second->body->size()));
    out.field("StorageClass", "STANDARD").close(element);
    last = at->first;
    ++at;
  }
  out.field("IsTruncated", truncated ? "true" : "false");
  if (!versions) out.field("KeyCount", count);
  if (truncated && versions) out.field("NextKeyMarker", encoded(last)).field("NextVersionIdMarker", "null");
  if (truncated && !versions) out.field("NextContinuationToken", "after:" + net::percent_encode(last));
  return xml(out.finish());
}

Answer Service::list_uploads(const Ask& ask, const std::string& name, const Bucket& bucket) {
  const std::string prefix = query_of(ask, "prefix");
  const std::pair after(query_of(ask, "key-marker"), query_of(ask, "upload-id-marker"));
  const int most = page_size(ask, "max-uploads");
  const Encoding encoded{query_of(ask, "encoding-type") == "url"};
  std::map<std::pair<std::string, std::string>, const StoredUpload*> sorted;
  for (const auto& [id, upload] : bucket.uploads)
    if (uploads_of_one_key_ ? upload.key == prefix : upload.key.starts_with(prefix))
      sorted.emplace(std::pair(upload.key, id), &upload);
  Xml out("ListMultipartUploadsResult");
  out.field("Bucket", name);
  if (encoded.url) out.field("EncodingType", "url");
  int count = 0;
  bool truncated = false;
  std::pair<std::string, std::string> last;
  for (const auto& [place, upload] : sorted) {
    if (place <= after || (after.second.empty() && place.first <= after.first)) continue;
    truncated = count == most;
    if (truncated) break;
    ++count;
    last = place;
    out.open("Upload").field("Key", encoded(place.first)).field("UploadId", place.second);
    out.field("Initiated", millis(upload->initiated)).close("Upload");
  }
  out.field("IsTruncated", truncated ? "true" : "false");
  if (truncated) out.field("NextKeyMarker", encoded(last.first)).field("NextUploadIdMarker", last.second);
  return xml(out.finish());
}

Answer Service::list_parts(const Ask& ask, const std::string& name, const StoredUpload& upload, const std::string& id) {
  const int after = std::atoi(query_of(ask, "part-number-marker").c_str());
  const int most = page_size(ask, "max-parts");
  Xml out("ListPartsResult");
  out.field("Bucket", name).field("Key", upload.key).field("UploadId", id);
  int count = 0, last = 0;
  bool truncated = false;
  for (auto part = upload.parts.upper_bound(after); part != upload.parts.end(); ++part) {
    truncated = count == most;
    if (truncated) break;
    ++count;
    last = part->first;
    out.open("Part").field("PartNumber", part->first).field("ETag", "\"" + part->second.etag + "\"");
    out.field("Size", static_cast<int64_t>(part->second.body->size())).close("Part");
  }
  out.field("IsTruncated", truncated ? "true" : "false");
  if (truncated) out.field("NextPartNumberMarker", last);
  return xml(out.finish());
}

}  // namespace twinspan::s3_stub
