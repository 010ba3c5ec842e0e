// Requests of s3/bucket.hpp in the form of S3: headers and parameters.
#pragma once
#include <string>

#include "s3/bucket.hpp"
#include "s3/sign.hpp"

namespace twinspan::s3 {

// What a put, a copy and the start of an upload have in common.
net::Headers headers_of(const PutRequest& request);
void add_conditions(net::Headers& headers, const WriteIf& only);
// What a copy is made of; `etag` empty: whatever is there.
void add_source(net::Headers& headers, const std::string& bucket, const std::string& key, const std::string& etag);
Parameters list_query(const ListRequest& request);
std::string range_of(const ByteRange& range);  // "bytes=0-99"

}  // namespace twinspan::s3
