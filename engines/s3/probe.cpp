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
    case Code::kInvalid: return false;  // it doesn't want such headers
    default: return std::unexpected(answer.error());
  }
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
  const auto completes = conditional_completes(bucket, key, stop);
  if (!completes) return std::unexpected(completes.error());
  traits.conditional_completes = *completes;
  if (Status removed = bucket.remove(key, stop); !removed) return std::unexpected(removed.error());
  return traits;
}

}  // namespace twinspan::s3
