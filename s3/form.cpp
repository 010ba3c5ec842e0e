#include "s3/form.hpp"

#include <fmt/format.h>

#include "s3/body.hpp"
#include "s3/uri.hpp"

namespace twinspan::s3 {
namespace {

void add(net::Headers& headers, const char* name, const std::string& value) {
  if (!value.empty()) headers.emplace_back(name, value);
}

void add_metadata(net::Headers& headers, const Metadata& metadata) {
  add(headers, "Content-Type", metadata.content_type);
  add(headers, "Content-Encoding", metadata.content_encoding);
  add(headers, "Content-Language", metadata.content_language);
  add(headers, "Content-Disposition", metadata.content_disposition);
  add(headers, "Cache-Control", metadata.cache_control);
  add(headers, "Expires", metadata.expires);
  add(headers, "x-amz-storage-class", metadata.storage_class);
  add(headers, "x-amz-server-side-encryption", metadata.encryption);
  add(headers, "x-amz-server-side-encryption-aws-kms-key-id", metadata.encryption_key_id);
  for (const auto& [name, value] : metadata.user) headers.emplace_back("x-amz-meta-" + name, value);
}

}  // namespace

void add_conditions(net::Headers& headers, const WriteIf& only) {
  if (!only.if_match.empty()) headers.emplace_back("If-Match", quoted_etag(only.if_match));
  if (only.if_absent) headers.emplace_back("If-None-Match", "*");
}

net::Headers headers_of(const PutRequest& request) {
  net::Headers out;
  add_metadata(out, request.metadata);
  if (!request.tags.empty()) out.emplace_back("x-amz-tagging", tags_of(request.tags));
  add_conditions(out, {request.if_match, request.if_absent});
  add(out, "Content-MD5", request.content_md5);
  return out;
}

void add_source(net::Headers& headers, const std::string& bucket, const std::string& key, const std::string& etag) {
  headers.emplace_back("x-amz-copy-source", "/" + encode_key(bucket) + "/" + encode_key(key));
  if (!etag.empty()) headers.emplace_back("x-amz-copy-source-if-match", quoted_etag(etag));
}

Parameters list_query(const ListRequest& request) {
  Parameters out{{"encoding-type", "url"}};
  // MinIO takes a single key with a prefix for a question after the object of that very name, and lists nothing else.
  const int max_keys = std::max(request.max_keys, 2);
  if (max_keys != 1000) out.emplace_back("max-keys", std::to_string(max_keys));
  if (!request.prefix.empty()) out.emplace_back("prefix", request.prefix);
  if (!request.delimiter.empty()) out.emplace_back("delimiter", request.delimiter);
  return out;
}

std::string range_of(const ByteRange& range) {
  if (range.size_bytes == 0) return fmt::format("bytes={}-", range.first);
  return fmt::format("bytes={}-{}", range.first, range.first + range.size_bytes - 1);
}

}  // namespace twinspan::s3
