// Multi-part uploads.
#include <fmt/format.h>

#include <charconv>
#include <pugixml.hpp>

#include "s3/body.hpp"
#include "s3/digest.hpp"
#include "sandbox/s3/service.hpp"
#include "sandbox/s3/xml.hpp"

namespace twinspan::s3_stub {

Answer Service::create_upload(const Ask& ask, Bucket& bucket, const std::string& name, const std::string& key) {
  StoredUpload upload;
  upload.key = key;
  upload.initiated = now();
  if (auto bad = take_object(ask, upload.object)) return std::move(*bad);
  const std::string id = fmt::format("upload-{:08}", ++uploads_begun_);
  bucket.uploads.emplace(id, std::move(upload));
  return xml(
      Xml("InitiateMultipartUploadResult").field("Bucket", name).field("Key", key).field("UploadId", id).finish());
}

Answer Service::put_part(const Ask& ask, StoredUpload& upload) {
  const int number = std::atoi(query_of(ask, "partNumber").c_str());
  if (number < 1 || number > 10000) return refuse(400, "InvalidArgument", "partNumber: expected 1 to 10000");
  StoredPart part;
  if (ask.header("x-amz-copy-source").empty()) {
    if (auto bad = missing_digest(ask)) return std::move(*bad);
    part.body = std::make_shared<const std::string>(ask.body);
  } else {
    ObjectPointer source;
    if (auto bad = source_of_copy(ask, source)) return std::move(*bad);
    const std::string range = ask.header("x-amz-copy-source-range");
    size_t first = 0, last = source->body->size() - 1;
    if (!range.empty() && (std::sscanf(range.c_str(), "bytes=%zu-%zu", &first, &last) != 2 || last < first ||
                           last >= source->body->size()))
      return refuse(416, "InvalidRange", "x-amz-copy-source-range");
    part.body = std::make_shared<const std::string>(source->body->substr(first, last + 1 - first));
  }
  part.etag = s3::to_hex(s3::md5_of(*part.body));
  const std::string digest = ask.header("Content-MD5");
  if (!digest.empty() && digest != base64_encode(s3::md5_of(ask.body))) return refuse(400, "BadDigest", "of the part");
  const std::string etag = "\"" + part.etag + "\"";
  upload.parts.insert_or_assign(number, std::move(part));
  if (!ask.header("x-amz-copy-source").empty())
    return xml(Xml("CopyPartResult").field("ETag", etag).field("LastModified", to_rfc3339(now())).finish());
  Answer out = xml("");
  out.headers.emplace_back("ETag", etag);
  return out;
}

Answer Service::complete(const Ask& ask, Bucket& bucket, const std::string& name, const std::string& key,
                         const std::string& id) {
  pugi::xml_document document;
  if (!document.load_buffer(ask.body.data(), ask.body.size())) return refuse(400, "MalformedXML", "not well-formed");
  StoredUpload& upload = bucket.uploads[id];
  if (auto bad = conditions_of_put(ask, bucket, key)) return std::move(*bad);
  Object object = upload.object;
  auto body = std::make_shared<std::string>();
  std::vector<s3::Part> listed;
  int last = 0;
  for (const pugi::xml_node node : document.child("CompleteMultipartUpload").children("Part")) {
    const int number = node.child("PartNumber").text().as_int();
    if (number <= last) return refuse(400, "InvalidPartOrder", "The parts were not in ascending order");
    last = number;
    const auto part = upload.parts.find(number);
    if (part == upload.parts.end() || part->second.etag != unquoted_etag(node.child_value("ETag")))
      return refuse(400, "InvalidPart", fmt::format("part {} was not found or has another ETag", number));
    if (!object.part_bytes.empty() && object.part_bytes.back() < part_bytes_least_)
      return refuse(400, "EntityTooSmall", "A part but the last is too small");
    object.part_bytes.push_back(static_cast<int64_t>(part->second.body->size()));
    *body += *part->second.body;
    listed.push_back({number, part->second.etag, 0});
  }
  if (listed.empty()) return refuse(400, "MalformedXML", "no parts");
  object.body = std::move(body);
  object.etag = s3::completed_etag(listed);
  bucket.uploads.erase(id);
  store(bucket, name, key, std::move(object));
  return xml(Xml("CompleteMultipartUploadResult")
                 .field("Bucket", name)
                 .field("Key", key)
                 .field("ETag", "\"" + bucket.objects[key]->etag + "\"")
                 .finish());
}

}  // namespace twinspan::s3_stub
