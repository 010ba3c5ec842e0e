#include "core/result.hpp"

namespace twinspan {

std::string_view to_string(Code code) {
  switch (code) {
    case Code::kInvalid: return "Invalid";
    case Code::kNotFound: return "NotFound";
    case Code::kAlreadyExists: return "AlreadyExists";
    case Code::kConflict: return "Conflict";
    case Code::kGone: return "Gone";
    case Code::kDenied: return "Denied";
    case Code::kThrottled: return "Throttled";
    case Code::kUnavailable: return "Unavailable";
    case Code::kTimeout: return "Timeout";
    case Code::kCancelled: return "Cancelled";
    case Code::kInternal: return "Internal";
  }
  return "Internal";
}

std::unexpected<Error> fail(Code code, std::string message) {
  const bool retryable =
      code == Code::kThrottled || code == Code::kUnavailable || code == Code::kTimeout || code == Code::kConflict;
  return std::unexpected(Error{code, std::move(message), retryable});
}

}  // namespace twinspan
