// What S3 servers answer, read into values. Nothing here throws; what is missing or malformed is kInvalid and named.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/http.hpp"
#include "s3/bucket.hpp"

namespace twinspan::s3 {

struct Refusal {  // <Error>; empty where the answer had no such body
  std::string code, message, region;
};
// nullopt: the text is no <Error>. Copies and completed uploads may answer 200 and still bring one.
std::optional<Refusal> parse_refusal(std::string body);

Result<Page> parse_list(std::string body);  // ListObjectsV2
// ListObjectVersions. `next` is key marker and version marker, joined by a newline; see split_marker().
Result<Page> parse_versions(std::string body);
std::pair<std::string, std::string> split_marker(const std::string& next);

struct UploadsPage {
  std::vector<Upload> uploads;
  std::string next_key, next_upload_id;  // both empty: there are no more
};
Result<UploadsPage> parse_uploads(std::string body);

struct PartsPage {
  std::vector<Part> parts;
  int next = 0;  // the number after which the next page begins; 0: there are no more
};
Result<PartsPage> parse_parts(std::string body);

Result<std::string> parse_created_upload(std::string body);  // its id
Result<std::string> parse_etag(std::string body);            // of CompleteMultipartUpload, CopyObject, UploadPartCopy
// One result for each of `keys`, in their order; a key the answer does not mention is kInvalid.
Result<std::vector<DeleteResult>> parse_deleted(std::string body, const std::vector<std::string>& keys);
Result<std::map<std::string, std::string>> parse_tags(std::string body);
Result<bool> parse_versioning(std::string body);
Result<std::string> parse_session(std::string body, std::string& access_key_id, std::string& secret_access_key,
                                  std::string& session_token);  // of STS; its expiration as RFC 3339

// What the headers of HEAD, GET and PUT say of an object; kInvalid without a size. `total`: where the answer is a
// range, the size of the whole object comes from Content-Range.
Result<Head> parse_head(const std::string& key, const net::Response& answer);
std::string unquoted(std::string_view etag);
Result<WallTime> parse_http_date(std::string_view text);  // "Wed, 21 Oct 2015 07:28:00 GMT" (RFC 9110, 5.6.7)

}  // namespace twinspan::s3
