// When people are told of requests that fail, and when such a one is made again. What may pass by itself
// (Error::retryable) is told once it has lasted: one answer of 503 is no state of a repository. Anything else is told
// at once. Pure.
#pragma once
#include <algorithm>
#include <chrono>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "core/result.hpp"

namespace twinspan::worker {

class LastingTrouble {
 public:
  static constexpr std::chrono::seconds kLasts{20};
  static constexpr std::chrono::seconds kAgainFirst{1}, kAgainLatest{8};

  void failed(const Error& error, BootTime now) {
    if (!since_) since_ = now;
    told_ = told_ || !error.retryable || now - *since_ >= kLasts;
    words_ = error.message;
    code_ = error.code;
    pause_ = pause_.count() == 0 ? kAgainFirst : std::min(2 * pause_, kAgainLatest);
    again_at_ = now + pause_;
  }
  void passed() { *this = {}; }
  BootTime again_at() const { return again_at_; }                       // before that it is not tried again
  Code code() const { return code_; }                                   // of what failed last
  std::string words() const { return told_ ? words_ : std::string(); }  // empty: there is nothing to tell

 private:
  std::optional<BootTime> since_;
  bool told_ = false;
  std::string words_;
  Code code_ = Code::kInternal;
  std::chrono::seconds pause_{0};
  BootTime again_at_{};
};

}  // namespace twinspan::worker
