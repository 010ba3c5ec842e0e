// The XML that requests carry.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "s3/bucket.hpp"

namespace twinspan::s3 {

std::string completion_of(const std::vector<Part>& parts);            // CompleteMultipartUpload
std::string deletion_of(const std::vector<std::string>& keys);        // Delete
std::string bucket_configuration(std::string_view region);            // CreateBucketConfiguration; empty for us-east-1
std::string versioning_configuration();                               // VersioningConfiguration: Enabled
std::string tags_of(const std::map<std::string, std::string>& tags);  // the x-amz-tagging header: a=1&b=2, encoded
// "\"<etag>\"", also where it came with quotes.
std::string quoted_etag(std::string_view etag);
// What CompleteMultipartUpload answers as ETag; empty where a part's is not an MD5.
std::string completed_etag(const std::vector<Part>& parts);

}  // namespace twinspan::s3
