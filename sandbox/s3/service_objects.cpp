// Objects: put, copied, read, removed.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <charconv>
#include <pugixml.hpp>
#include <set>

#include "s3/digest.hpp"
#include "sandbox/s3/service.hpp"
#include "sandbox/s3/xml.hpp"

namespace twinspan::s3_stub {
namespace {

std::string http_date(WallTime time) {
  return fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", std::chrono::floor<std::chrono::seconds>(time));
}

bool kept(std::string_view name) {
  static const std::set<std::string_view> kNames{"content-type",        "content-encoding",     "content-language",
                                                 "content-disposition", "cache-control",        "expires",
                                                 "x-amz-storage-class", "x-amz-checksum-crc32c"};
  return kNames.contains(name) || name.starts_with("x-amz-meta-");
}

// Of "bytes=a-b", "bytes=a-", "bytes=-n"; nullopt: not satisfiable.
std::optional<std::pair<int64_t, int64_t>> parse_range(std::string_view text, int64_t size) {
  if (!text.starts_with("bytes=")) return std::nullopt;
  text.remove_prefix(6);
  const size_t dash = text.find('-');
  if (dash == text.npos) return std::nullopt;
  int64_t first = -1, last = -1;
  std::from_chars(text.data(), text.data() + dash, first);
  std::from_chars(text.data() + dash + 1, text.data() + text.size(), last);
  if (first < 0 && last > 0) return std::pair(std::max<int64_t>(0, size - last), size - 1);
  if (first < 0 || first >= size || (last >= 0 && last < first)) return std::nullopt;
  return std::pair(first, last < 0 ? size - 1 : std::min(last, size - 1));
}

}  // namespace

std::optional<Answer> Service::take_object(const Ask& ask, Object& object) {
  for (const auto& [given, value] : ask.headers) {
    std::string name = given;
    for (char& c : name) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
    if (kept(name)) object.headers.emplace_back(name, value);
  }
  const std::string tags = ask.header("x-amz-tagging");
  for (size_t at = 0; at < tags.size();) {
    const size_t end = std::min(tags.find('&', at), tags.size());
    const std::string one = tags.substr(at, end - at);
    const size_t equals = std::min(one.find('='), one.size());
    object.tags[net::percent_decode(one.substr(0, equals))] =
        net::percent_decode(equals < one.size() ? one.substr(equals + 1) : "");
    at = end + 1;
  }
  static constexpr std::string_view kAllowed = "+-=._:/@ ";
  for (const auto& [tag, value] : object.tags)
    for (const char c : tag + value)
      if (static_cast<unsigned char>(c) < 0x80 && !std::isalnum(c) && kAllowed.find(c) == kAllowed.npos)
        return refuse(400, "InvalidTag", "The TagValue you have provided is invalid");
  if (object.tags.size() > 10) return refuse(400, "InvalidTag", "Object tags cannot be greater than 10");
  const std::string digest = ask.header("Content-MD5");
  if (!digest.empty() && digest != base64_encode(s3::md5_of(ask.body)))
    return refuse(400, "BadDigest", "The Content-MD5 did not match what was received");
  return std::nullopt;
}

std::optional<Answer> Service::missing_digest(const Ask& ask) const {
  if (!wants_digests_ || !ask.header("Content-MD5").empty()) return std::nullopt;
  for (const char* name : {"x-amz-checksum-crc32", "x-amz-checksum-crc32c", "x-amz-checksum-crc64nvme",
                           "x-amz-checksum-sha1", "x-amz-checksum-sha256"})
    if (!ask.header(name).empty()) return std::nullopt;
  return refuse(400, "InvalidRequest",
                "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock "
                "parameters");
}

std::optional<Answer> Service::conditions_of_put(const Ask& ask, const Bucket& bucket, const std::string& key) {
  const auto there = bucket.objects.find(key);
  const std::string match = ask.header("If-Match"), none = ask.header("If-None-Match");
  if (!none.empty() && none != "*") return refuse(501, "NotImplemented", "If-None-Match: expected *");
  if (!none.empty() && there != bucket.objects.end())
    return refuse(412, "PreconditionFailed", "There is such an object");
  if (match.empty()) return std::nullopt;
  if (there == bucket.objects.end()) return refuse(404, "NoSuchKey", "The key does not exist");
  if (there->second->etag != unquoted_etag(match)) return refuse(412, "PreconditionFailed", "The ETag is another");
  return std::nullopt;
}

std::optional<Answer> Service::source_of_copy(const Ask& ask, ObjectPointer& source) {
  std::string path = net::percent_decode(ask.header("x-amz-copy-source"));
  if (path.starts_with('/')) path.erase(0, 1);
  const size_t slash = path.find('/');
  if (slash == std::string::npos) return refuse(400, "InvalidArgument", "x-amz-copy-source: expected /bucket/key");
  const auto bucket = buckets_.find(path.substr(0, slash));
  if (bucket == buckets_.end()) return refuse(404, "NoSuchBucket", "of the source");
  const auto found = bucket->second.objects.find(path.substr(slash + 1));
  if (found == bucket->second.objects.end()) return refuse(404, "NoSuchKey", "The source does not exist");
  const std::string match = ask.header("x-amz-copy-source-if-match");
  if (!match.empty() && unquoted_etag(match) != found->second->etag)
    return refuse(412, "PreconditionFailed", "The source's ETag is another");
  source = found->second;
  return std::nullopt;
}

Answer Service::put(const Ask& ask, Bucket& bucket, const std::string& name, const std::string& key, bool copy) {
  if (auto bad = conditions_of_put(ask, bucket, key)) return std::move(*bad);
  Object object;
  if (auto bad = take_object(ask, object)) return std::move(*bad);
  if (!copy) {
    if (auto bad = missing_digest(ask)) return std::move(*bad);
    object.body = std::make_shared<const std::string>(ask.body);
    store(bucket, name, key, std::move(object));
    Answer out = xml("");
    out.headers.emplace_back("ETag", "\"" + bucket.objects[key]->etag + "\"");
    return out;
  }
  ObjectPointer source;
  if (auto bad = source_of_copy(ask, source)) return std::move(*bad);
  const bool replace = ask.header("x-amz-metadata-directive") == "REPLACE";
  if (!replace && bucket.objects.contains(key) && bucket.objects[key] == source)
    return refuse(400, "InvalidRequest", "a copy onto itself that changes nothing");
  object.body = source->body;
  if (!replace) object.headers = source->headers;
  if (ask.header("x-amz-tagging-directive") != "REPLACE") object.tags = source->tags;
  store(bucket, name, key, std::move(object));
  return xml(Xml("CopyObjectResult")
                 .field("ETag", "\"" + bucket.objects[key]->etag + "\"")
                 .field("LastModified", to_rfc3339(bucket.objects[key]->modified))
                 .finish());
}

Answer Service::get(const Ask& ask, const ObjectPointer& object) {
  const std::string match = ask.header("If-Match");
  if (!match.empty() && unquoted_etag(match) != object->etag)
    return refuse(412, "PreconditionFailed", "The ETag is another");
  const auto size = static_cast<int64_t>(object->body->size());
  Answer out;
  out.content_type = "binary/octet-stream";
  out.headers = object->headers;
  out.headers.emplace_back("ETag", "\"" + object->etag + "\"");
  out.headers.emplace_back("Last-Modified", http_date(object->modified));
  out.headers.emplace_back("Accept-Ranges", "bytes");
  if (!object->tags.empty()) out.headers.emplace_back("x-amz-tagging-count", std::to_string(object->tags.size()));
  if (ask.header("x-amz-checksum-mode") != "ENABLED")
    std::erase_if(out.headers, [](const auto& header) { return header.first.starts_with("x-amz-checksum-"); });
  int64_t first = 0, last = size - 1;
  const std::string range = ask.header("Range"), part = query_of(ask, "partNumber");
  if (!range.empty()) {
    const auto asked = parse_range(range, size);
    if (!asked) return refuse(416, "InvalidRange", "The requested range is not satisfiable");
    std::tie(first, last) = *asked;
  } else if (!part.empty()) {
    const auto number = static_cast<size_t>(std::atoi(part.c_str()));
    const std::vector<int64_t> whole{size};
    const std::vector<int64_t>& parts = object->part_bytes.empty() ? whole : object->part_bytes;
    if (number < 1 || number > parts.size()) return refuse(416, "InvalidPartNumber", "There is no such part");
    for (size_t i = 0; i + 1 < number; ++i) first += parts[i];
    last = first + parts[number - 1] - 1;
    if (!object->part_bytes.empty()) out.headers.emplace_back("x-amz-mp-parts-count", std::to_string(parts.size()));
  }
  if (!range.empty() || !part.empty()) {
    out.status = 206;
    out.headers.emplace_back("Content-Range", fmt::format("bytes {}-{}/{}", first, last, size));
  }
  out.body_owner = object->body;
  out.body_view =
      std::string_view(*object->body).substr(static_cast<size_t>(first), static_cast<size_t>(last + 1 - first));
  return out;
}

Answer Service::remove_many(const Ask& ask, Bucket& bucket, const std::string& name) {
  if (ask.header("Content-MD5").empty())
    return refuse(400, "InvalidRequest", "Missing required header for this request: Content-MD5");
  if (ask.header("Content-MD5") != base64_encode(s3::md5_of(ask.body))) return refuse(400, "BadDigest", "of the body");
  pugi::xml_document document;
  if (!document.load_buffer(ask.body.data(), ask.body.size(), pugi::parse_default | pugi::parse_ws_pcdata_single))
    return refuse(400, "MalformedXML", "The XML was not well-formed");
  const pugi::xml_node root = document.child("Delete");
  Xml out("DeleteResult");
  size_t count = 0;
  for (const pugi::xml_node node : root.children("Object")) {
    const std::string key = node.child_value("Key");
    if (key.empty() || ++count > 1000) return refuse(400, "MalformedXML", "expected 1 to 1000 keys");
    erase(bucket, name, key);
    if (std::string_view(root.child_value("Quiet")) != "true") out.open("Deleted").field("Key", key).close("Deleted");
  }
  if (count == 0) return refuse(400, "MalformedXML", "expected 1 to 1000 keys");
  return xml(out.finish());
}

}  // namespace twinspan::s3_stub
