#include "s3/client.hpp"

#include <fmt/format.h>
#include <strings.h>

#include "s3/body.hpp"
#include "s3/caller.hpp"
#include "s3/digest.hpp"
#include "s3/form.hpp"

namespace twinspan::s3 {
namespace {

constexpr size_t kDeletedAtOnceMost = 1000;

// Where the caller asked that nothing be there, a failed precondition means that something is.
Error of_put(bool if_absent, Error error) {
  if (if_absent && error.code == Code::kConflict && error.message.find("PreconditionFailed") != std::string::npos)
    return fail(Code::kAlreadyExists, std::move(error.message)).error();
  return error;
}

Result<PutResult> put_result(const net::Response& response, std::string etag) {
  if (etag.empty()) return fail(Code::kInvalid, "answer: no ETag");
  return PutResult{std::move(etag), response.header("x-amz-version-id")};
}

void add_version(Call& call, const ObjectName& object) {
  if (!object.version_id.empty()) call.query.emplace_back("versionId", object.version_id);
}

Call upload_call(const char* method, const Upload& upload) {
  return {.method = method, .key = upload.key, .query = {{"uploadId", upload.upload_id}}};
}

// Buckets with Object Lock take no body without one.
void add_digest(Call& call) { call.headers.emplace_back("Content-MD5", base64_encode(md5_of(call.body))); }

bool wants_digest(const Error& error) {
  return error.code == Code::kInvalid && (error.message.find("Content-MD5") != std::string::npos ||
                                          error.message.find("x-amz-checksum") != std::string::npos ||
                                          error.message.find("x-amz-sdk-checksum") != std::string::npos);
}

}  // namespace

struct Client::Impl {
  Impl(ClientConfig given, std::shared_ptr<CredentialSource> credentials, const Clock& clock)
      : config(std::move(given)), caller(config, std::move(credentials), clock) {}

  // `parse` of the body of a successful answer.
  template <class T>
  Result<T> ask(const Call& call, Result<T> (*parse)(std::string), const std::stop_token& stop) {
    auto answer = caller.call(call, stop);
    if (!answer) return std::unexpected(answer.error());
    return parse(std::move(answer->response.body));
  }
  Status done(const Call& call, const std::stop_token& stop, bool absent_is_done) {
    const auto answer = caller.call(call, stop);
    if (answer || (absent_is_done && answer.error().code == Code::kNotFound &&
                   answer.error().message.find("NoSuchBucket") == std::string::npos))
      return {};
    return std::unexpected(answer.error());
  }

  Result<Part> upload(Call call, const Upload& upload, int number, int64_t size_bytes, const std::stop_token& stop) {
    call.method = "PUT";
    call.key = upload.key;
    call.query = {{"uploadId", upload.upload_id}, {"partNumber", std::to_string(number)}};
    const auto answer = caller.call(call, stop);
    if (!answer) return std::unexpected(answer.error());
    auto result = put_result(answer->response, unquoted(answer->response.header("ETag")));
    if (!result) return std::unexpected(result.error());
    return Part{number, std::move(result->etag), size_bytes};
  }

  const ClientConfig config;
  Caller caller;
  std::atomic<bool> wants_digests{false};
};

Client::Client(ClientConfig config, std::shared_ptr<CredentialSource> credentials, const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(config), std::move(credentials), clock)) {}
Client::~Client() = default;

const std::string& Client::name() const { return impl_->config.bucket; }

Result<Page> Client::list(const ListRequest& request, std::stop_token stop) {
  Call call{.query = list_query(request)};
  call.query.emplace_back("list-type", "2");
  if (!request.continuation.empty())
    call.query.emplace_back("continuation-token", request.continuation);
  else if (!request.start_after.empty())
    call.query.emplace_back("start-after", request.start_after);
  return impl_->ask(call, parse_list, stop);
}

Result<Page> Client::list_versions(const ListRequest& request, std::stop_token stop) {
  Call call{.query = list_query(request)};
  call.query.emplace_back("versions", "");
  const auto [key, version] = split_marker(request.continuation);
  const std::string& after = request.continuation.empty() ? request.start_after : key;
  if (!after.empty()) call.query.emplace_back("key-marker", after);
  if (!version.empty()) call.query.emplace_back("version-id-marker", version);
  return impl_->ask(call, parse_versions, stop);
}

Result<Head> Client::head(const ObjectName& object, std::stop_token stop) {
  Call call{.method = "HEAD", .key = object.key, .headers = {{"x-amz-checksum-mode", "ENABLED"}}};
  add_version(call, object);
  for (bool again = true;; again = false) {
    const auto answer = impl_->caller.call(call, stop);
    if (answer) return parse_head(object.key, answer->response);
    if (answer.error().code != Code::kNotFound || !again) return std::unexpected(answer.error());
    // Refusals of HEAD have no body, and some servers (Versity S3 Gateway) answer 404 to unknown credentials, too: what
    // is missing is said to a GET.
    const auto there = get(
        {.key = object.key, .range = ByteRange{0, 1}, .version_id = object.version_id},
        [](std::string_view) { return true; }, stop);
    if (!there && there.error().message.find("InvalidRange") == std::string::npos)  // an empty object
      return std::unexpected(there.error());
  }
}

Result<Head> Client::head_part(const ObjectName& object, int part_number, std::stop_token stop) {
  Call call{.method = "HEAD",
            .key = object.key,
            .query = {{"partNumber", std::to_string(part_number)}},
            .headers = {{"x-amz-checksum-mode", "ENABLED"}}};
  add_version(call, object);
  auto answer = impl_->caller.call(call, stop);
  if (!answer) return std::unexpected(answer.error());
  // Its size, not the whole object's.
  std::erase_if(answer->response.headers,
                [](const auto& header) { return strcasecmp(header.first.c_str(), "Content-Range") == 0; });
  return parse_head(object.key, answer->response);
}

Result<Head> Client::get(const GetRequest& request, const std::function<bool(std::string_view)>& chunk,
                         std::stop_token stop) {
  Call call{.key = request.key, .chunk = &chunk, .accept_encoding = request.packed ? "gzip" : "identity"};
  if (!request.version_id.empty()) call.query.emplace_back("versionId", request.version_id);
  if (!request.if_match.empty()) call.headers.emplace_back("If-Match", quoted_etag(request.if_match));
  if (request.range)
    call.headers.emplace_back("Range", range_of(*request.range));
  else
    call.headers.emplace_back("x-amz-checksum-mode", "ENABLED");
  bool whole = false;  // the server passes ranges over
  const std::function<bool(const net::Response&)> opened = [&](const net::Response& head) {
    const std::string expected = request.range ? fmt::format("bytes {}-", request.range->first) : std::string();
    const bool right = !request.range || (head.status == 206 && head.header("Content-Range").starts_with(expected));
    whole = !right && !(head.status == 200 && request.range->first == 0 && request.range->size_bytes == 0);
    return !whole;
  };
  call.opened = &opened;
  const auto answer = impl_->caller.call(call, stop);
  if (whole) return fail(Code::kInvalid, std::string(kNotTheRange));
  if (!answer) return std::unexpected(answer.error());
  return parse_head(request.key, answer->response);
}

Result<PutResult> Client::put(const PutRequest& request, std::string_view body, std::stop_token stop) {
  Call call{.method = "PUT", .key = request.key, .headers = headers_of(request), .body = body, .once = request.once};
  if (request.content_md5.empty()) add_digest(call);
  const auto answer = impl_->caller.call(call, stop);
  if (!answer) return std::unexpected(of_put(request.if_absent, answer.error()));
  return put_result(answer->response, unquoted(answer->response.header("ETag")));
}

Result<PutResult> Client::copy(const std::string& from_bucket, const std::string& from_key,
                               const std::string& from_etag, const PutRequest& to, std::stop_token stop) {
  Call call{.method = "PUT", .key = to.key, .headers = headers_of(to), .late_errors = true};
  if (to.metadata != Metadata{} || !to.tags.empty()) call.headers.emplace_back("x-amz-metadata-directive", "REPLACE");
  if (!to.tags.empty()) call.headers.emplace_back("x-amz-tagging-directive", "REPLACE");
  add_source(call.headers, from_bucket, from_key, from_etag);
  auto answer = impl_->caller.call(call, stop);
  if (!answer) return std::unexpected(of_put(to.if_absent, answer.error()));
  auto etag = parse_etag(std::move(answer->response.body));
  if (!etag) return std::unexpected(etag.error());
  return put_result(answer->response, std::move(*etag));
}

Result<std::string> Client::create_upload(const PutRequest& request, std::stop_token stop) {
  // Of two uploads the first would be nobody's.
  return impl_->ask(
      {.method = "POST", .key = request.key, .query = {{"uploads", ""}}, .headers = headers_of(request), .once = true},
      parse_created_upload, stop);
}

Result<Part> Client::upload_part(const Upload& upload, int number, std::string_view body, std::stop_token stop) {
  Call call{.body = body};
  add_digest(call);
  return impl_->upload(std::move(call), upload, number, static_cast<int64_t>(body.size()), stop);
}

Result<Part> Client::stream_part(const Upload& upload, int number, const BodySource& body, std::stop_token stop) {
  auto part = impl_->upload({.source = &body}, upload, number, body.size_bytes, stop);
  if (part || !wants_digest(part.error())) return part;
  impl_->wants_digests = true;  // from now on they go through memory
  return fail(Code::kUnavailable, "the bucket wants a digest with every part: " + part.error().message);
}

bool Client::streams() const { return impl_->config.endpoint.starts_with("https://") && !impl_->wants_digests; }

Result<Part> Client::copy_part(const Upload& upload, int number, const std::string& from_bucket,
                               const std::string& from_key, const std::string& from_etag, ByteRange range,
                               std::stop_token stop) {
  Call call = upload_call("PUT", upload);
  call.query.emplace_back("partNumber", std::to_string(number));
  call.late_errors = true;
  add_source(call.headers, from_bucket, from_key, from_etag);
  if (range.size_bytes > 0) call.headers.emplace_back("x-amz-copy-source-range", range_of(range));
  auto etag = impl_->ask(call, parse_etag, stop);
  if (!etag) return std::unexpected(etag.error());
  return Part{number, std::move(*etag), range.size_bytes};
}

Result<PutResult> Client::complete_upload(const Upload& upload, const std::vector<Part>& parts, const WriteIf& only,
                                          std::stop_token stop) {
  Call call = upload_call("POST", upload);
  const std::string body = completion_of(parts);
  call.body = body;
  call.late_errors = true;
  add_conditions(call.headers, only);
  auto answer = impl_->caller.call(call, stop);
  if (!answer) {
    // Carried out, but its answer was lost: the object is there, as it would be.
    const std::string expected = completed_etag(parts);
    if (answer.error().code == Code::kNotFound && !expected.empty())
      if (const auto there = head(upload.key, stop); there && there->object.etag == expected)
        return PutResult{expected, there->object.version_id};
    return std::unexpected(of_put(only.if_absent, answer.error()));
  }
  auto etag = parse_etag(std::move(answer->response.body));
  if (!etag) return std::unexpected(etag.error());
  return put_result(answer->response, std::move(*etag));
}

Status Client::abort_upload(const Upload& upload, std::stop_token stop) {
  return impl_->done(upload_call("DELETE", upload), stop, true);
}

Result<std::vector<Upload>> Client::list_uploads(const std::string& prefix, std::stop_token stop) {
  std::vector<Upload> out;
  UploadsPage page;
  do {
    Call call{.query = {{"uploads", ""}, {"encoding-type", "url"}}};
    if (!prefix.empty()) call.query.emplace_back("prefix", prefix);
    if (!page.next_key.empty()) call.query.emplace_back("key-marker", page.next_key);
    if (!page.next_upload_id.empty()) call.query.emplace_back("upload-id-marker", page.next_upload_id);
    auto next = impl_->ask(call, parse_uploads, stop);
    if (!next) return std::unexpected(next.error());
    if (!next->next_key.empty() && next->next_key == page.next_key && next->next_upload_id == page.next_upload_id)
      return fail(Code::kInvalid, "ListMultipartUploadsResult: the same page again");
    page = std::move(*next);
    std::move(page.uploads.begin(), page.uploads.end(), std::back_inserter(out));
  } while (!page.next_key.empty() || !page.next_upload_id.empty());
  return out;
}

Result<std::vector<Part>> Client::list_parts(const Upload& upload, std::stop_token stop) {
  std::vector<Part> out;
  int after = 0;
  do {
    Call call = upload_call("GET", upload);
    if (after > 0) call.query.emplace_back("part-number-marker", std::to_string(after));
    auto page = impl_->ask(call, parse_parts, stop);
    if (!page) return std::unexpected(page.error());
    std::move(page->parts.begin(), page->parts.end(), std::back_inserter(out));
    if (page->next != 0 && page->next <= after) return fail(Code::kInvalid, "ListPartsResult: the same page again");
    after = page->next;
  } while (after != 0);
  return out;
}

Status Client::remove(const std::string& key, std::stop_token stop) {
  return impl_->done({.method = "DELETE", .key = key}, stop, true);
}

Status Client::add_delete_marker(const std::string& key, std::stop_token stop) {
  return impl_->done({.method = "DELETE", .key = key, .once = true}, stop, true);
}

Result<std::vector<DeleteResult>> Client::remove(const std::vector<std::string>& keys, std::stop_token stop) {
  if (keys.empty()) return std::vector<DeleteResult>();
  if (keys.size() > kDeletedAtOnceMost)
    return fail(Code::kInvalid, fmt::format("keys \"{}\": expected at most {}", keys.size(), kDeletedAtOnceMost));
  const std::string body = deletion_of(keys);
  auto answer = impl_->caller.call(
      {.method = "POST",
       .query = {{"delete", ""}},
       .headers = {{"Content-MD5", base64_encode(md5_of(body))}, {"Content-Type", "application/xml"}},
       .body = body,
       .late_errors = true},
      stop);
  if (!answer) return std::unexpected(answer.error());
  return parse_deleted(std::move(answer->response.body), keys);
}

Result<std::map<std::string, std::string>> Client::tags(const ObjectName& object, std::stop_token stop) {
  Call call{.key = object.key, .query = {{"tagging", ""}}};
  add_version(call, object);
  auto out = impl_->ask(call, parse_tags, stop);
  if (!out && out.error().message.find("NoSuchTagSet") != std::string::npos)
    return std::map<std::string, std::string>();
  return out;
}

Result<bool> Client::versioned(std::stop_token stop) {
  return impl_->ask({.query = {{"versioning", ""}}}, parse_versioning, stop);
}

Status Client::create_bucket(std::stop_token stop) {
  const std::string body = bucket_configuration(impl_->config.region);
  return impl_->done({.method = "PUT", .body = body}, stop, false);
}

Status Client::keep_versions(std::stop_token stop) {
  const std::string body = versioning_configuration();
  return impl_->done({.method = "PUT",
                      .query = {{"versioning", ""}},
                      .headers = {{"Content-MD5", base64_encode(md5_of(body))}, {"Content-Type", "application/xml"}},
                      .body = body},
                     stop, false);
}

Status Client::listen(const std::string& prefix, const std::function<bool(std::string_view line)>& record,
                      std::stop_token stop) {
  Call call{.query = {{"events", "s3:ObjectCreated:*"}, {"events", "s3:ObjectRemoved:*"}, {"prefix", prefix}}};
  std::string line;
  bool foreign = false;
  const auto whole_lines = [&](std::string_view piece) {
    line += piece;
    size_t begin = 0;
    for (size_t end; (end = line.find('\n', begin)) != std::string::npos; begin = end + 1) {
      std::string_view one = std::string_view(line).substr(begin, end - begin);
      one.remove_prefix(std::min(one.size(), one.find_first_not_of(" \t\r")));  // spaces keep the stream alive
      if (one.empty()) continue;
      foreign = one[0] != '{';
      if (foreign || !record(one)) return false;
    }
    line.erase(0, std::max(begin, std::min(line.size(), line.find_first_not_of(" \t\r\n"))));
    foreign = !line.empty() && line[0] == '<';  // a listing: the parameters mean nothing here
    return !foreign;
  };
  const auto answer = impl_->caller.stream(call, whole_lines, stop);
  if (foreign) return fail(Code::kInvalid, "the server offers no stream of notifications");
  if (!answer) return std::unexpected(answer.error());
  if (stop.stop_requested()) return fail(Code::kCancelled, "cancelled");
  return fail(Code::kUnavailable, "the stream of notifications ended");
}

bool Client::troubled() const { return impl_->caller.troubled(); }

Result<std::string> Client::presign_get(const std::string& key, std::chrono::seconds lifetime, std::stop_token stop) {
  return impl_->caller.presign(key, lifetime, std::move(stop));
}

}  // namespace twinspan::s3
