#include "s3/refusal.hpp"

#include <fmt/format.h>

#include <set>

#include "core/text.hpp"

namespace twinspan::s3 {
namespace {

using Names = std::set<std::string_view>;

const Names kNotFoundNames{"NoSuchKey", "NoSuchBucket", "NoSuchUpload", "NoSuchVersion", "NotFound", "NoSuchTagSet"};
const Names kCredentialNames{"InvalidAccessKeyId",    "SignatureDoesNotMatch", "ExpiredToken",
                             "ExpiredTokenException", "InvalidToken",          "TokenRefreshRequired",
                             "AccessDenied",          "InvalidClientTokenId",  "XAdminUserNotFound"};
const Names kSlowNames{
    "SlowDown",        "SlowDownRead",         "SlowDownWrite",         "Throttling", "ThrottlingException",
    "TooManyRequests", "RequestLimitExceeded", "BandwidthLimitExceeded"};
const Names kAgainNames{"InternalError", "ServiceUnavailable", "Busy", "IncompleteBody", "OperationAborted"};
const Names kConflictNames{"PreconditionFailed", "ConditionalRequestConflict"};

Code code_of(int status, std::string_view name) {
  if (kNotFoundNames.contains(name)) return Code::kNotFound;
  if (kCredentialNames.contains(name) || name == "RequestTimeTooSkewed" || name == "AllAccessDisabled")
    return Code::kDenied;
  if (kSlowNames.contains(name)) return Code::kThrottled;
  if (kAgainNames.contains(name)) return Code::kUnavailable;
  if (kConflictNames.contains(name)) return Code::kConflict;
  if (name == "RequestTimeout") return Code::kTimeout;
  if (name == "BucketAlreadyOwnedByYou") return Code::kAlreadyExists;
  if (name == "NotImplemented") return Code::kInvalid;
  switch (status) {
    case 401:
    case 403: return Code::kDenied;
    case 404: return Code::kNotFound;
    case 408: return Code::kTimeout;
    case 304:
    case 409:
    case 412: return Code::kConflict;
    case 429: return Code::kThrottled;
    case 501: return Code::kInvalid;
    default: return status >= 500 ? Code::kUnavailable : Code::kInvalid;
  }
}

}  // namespace

Error to_error(int status, const Refusal& refusal) {
  std::string message = status ? fmt::format("HTTP {}", status) : std::string();
  if (!refusal.code.empty()) message += fmt::format("{}{}", message.empty() ? "" : " ", one_line(refusal.code, 64));
  if (!refusal.message.empty()) message += fmt::format(": {}", one_line(refusal.message, 200));
  if (!refusal.region.empty()) message += fmt::format(" (the bucket's region is {})", one_line(refusal.region, 64));
  return fail(code_of(status, refusal.code), std::move(message)).error();
}

Remedy remedy_of(int status, const Refusal& refusal) {
  if (refusal.code == "RequestTimeTooSkewed") return Remedy::kCorrectTime;
  if (kCredentialNames.contains(refusal.code)) return Remedy::kCredentials;
  if (refusal.code.empty() && (status == 401 || status == 403)) return Remedy::kCredentials;
  switch (code_of(status, refusal.code)) {
    case Code::kThrottled:
    case Code::kUnavailable:
    case Code::kTimeout: return Remedy::kRepeat;
    default: return Remedy::kNone;
  }
}

}  // namespace twinspan::s3
