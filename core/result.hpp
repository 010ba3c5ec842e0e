// Result<T>: a value or an Error. Errors are few canonical codes with a message for people.
#pragma once
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace twinspan {

enum class Code {
  kInvalid,  // the input is wrong; the message names the field, the value and what was expected
  kNotFound,
  kAlreadyExists,
  kConflict,     // the resourceVersion or another precondition no longer holds: read again, decide again
  kGone,         // the resourceVersion has been compacted (HTTP 410): list again
  kDenied,       // not authenticated or not authorised
  kThrottled,    // HTTP 429
  kUnavailable,  // the other side can't be reached, or answers 5xx
  kTimeout,
  kCancelled,  // the stop token was set
  kInternal,
};

std::string_view to_string(Code code);

struct Error {
  Code code = Code::kInternal;
  std::string message;
  bool retryable = false;  // the same call may succeed later without anybody changing anything

  bool operator==(const Error&) const = default;
};

template <class T>
using Result = std::expected<T, Error>;
using Status = Result<void>;

// `retryable` follows from the code: kThrottled, kUnavailable, kTimeout and kConflict are.
std::unexpected<Error> fail(Code code, std::string message);

}  // namespace twinspan
