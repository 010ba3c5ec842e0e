#include "engines/s3/probe.hpp"

#include <fmt/format.h>

#include "s3/digest.hpp"

namespace twinspan::s3 {
namespace {

constexpr std::string_view kBody = "twinspan";
constexpr const char* kNoEtag = "00000000000000000000000000000000";

// A precondition that fails for every server that knows it.
Result<bool> refused(const Result<PutResult>& answer) {
  if (answer) return false;
  switch (answer.error().code) {
    case Code::kConflict:
    case Code::kAlreadyExists: return true;
    case Code::kInvalid:                 // it doesn't want such headers
    case Code::kNotFound: return false;  // it is there: the server has taken the precondition for something else
    default: return std::unexpected(answer.error());
  }
}

// A right that nobody else needs may be missing: then it is not relied upon, and what was written stays.
Status where_allowed(Status done) {
  if (!done && done.error().code == Code::kDenied) return {};
  return done;
}
Result<bool> where_allowed(Result<bool> knows) {
  if (!knows && knows.error().code == Code::kDenied) return false;
  return knows;
}

// Onto itself, with other metadata: anything else is refused for that reason.
Result<bool> conditional_copies(Bucket& bucket, PutRequest request, const std::string& etag,
                                const std::stop_token& stop) {
  request.metadata.user["twinspan-probe"] = "copy";
  request.if_match = kNoEtag;
  request.if_absent = false;
  const auto matches = refused(bucket.copy(bucket.name(), request.key, etag, request, stop));
  if (!matches || !*matches) return matches;
  request.if_match.clear();
  request.if_absent = true;
  return refused(bucket.copy(bucket.name(), request.key, etag, request, stop));
}

Result<bool> conditional_completes(Bucket& bucket, const std::string& key, const std::stop_token& stop) {
  const auto left = bucket.list_uploads(key, stop);  // by a process that died at it
  if (!left) return std::unexpected(left.error());
  for (const Upload& upload : *left)
    if (upload.key == key)
      if (Status aborted = bucket.abort_upload(upload, stop); !aborted) return std::unexpected(aborted.error());
  const auto id = bucket.create_upload({key}, stop);
  if (!id) return std::unexpected(id.error());
  const Upload upload{key, *id, {}};
  Result<bool> knows = false;
  if (const auto part = bucket.upload_part(upload, 1, kBody, stop))
    knows = refused(bucket.complete_upload(upload, {*part}, {.if_match = kNoEtag}, stop));
  else
    knows = std::unexpected(part.error());
  if (Status aborted = bucket.abort_upload(upload, stop); !aborted && knows) return std::unexpected(aborted.error());
  return knows;
}

}  // namespace

Result<BucketTraits> probe_bucket(Bucket& bucket, const std::string& link, const Settings& settings,
                                  const std::stop_token& stop) {
  const std::string key = fmt::format("{}probe/{}", kReservedPrefix, link);
  PutRequest request{key};
  request.metadata.encryption = settings.encryption;
  request.metadata.encryption_key_id = settings.encryption_key_id;
  const auto put = bucket.put(request, kBody, stop);
  if (!put) return std::unexpected(put.error());
  BucketTraits traits;
  traits.etags_opaque = put->etag != to_hex(md5_of(kBody));
  request.if_match = kNoEtag;
  const auto matches = refused(bucket.put(request, kBody, stop));
  if (!matches) return std::unexpected(matches.error());
  request.if_match.clear();
  request.if_absent = true;
  const auto absent = refused(bucket.put(request, kBody, stop));
  if (!absent) return std::unexpected(absent.error());
  traits.conditional_puts = *matches && *absent;
  if (settings.same_endpoint) {
    const auto copies = where_allowed(conditional_copies(bucket, request, put->etag, stop));
    if (!copies) return std::unexpected(copies.error());
    traits.conditional_copies = *copies;
  }
  const auto completes = where_allowed(conditional_completes(bucket, key, stop));
  if (!completes) return std::unexpected(completes.error());
  traits.conditional_completes = *completes;
  if (Status removed = where_allowed(bucket.remove(key, stop)); !removed) return std::unexpected(removed.error());
  return traits;
}

}  // namespace twinspan::s3
