// How long an object has stood as it is, by this observer's own clock. A holder's times are another clock's, and are
// never compared: a lease is over once it stood unchanged here for its whole duration.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.hpp"

namespace twinspan {

class Unchanged {
 public:
  // `received_at`: when the answer arrived. False where it is the version that is known: its time goes on. A version
  // that is empty is like no other.
  bool observe(std::string_view version, BootTime received_at) {
    if (since_ && version == version_ && !version.empty()) return false;
    version_ = version;
    since_ = received_at;
    return true;
  }
  void forget() { since_.reset(); }
  // False while nothing was observed.
  bool stood(std::chrono::nanoseconds duration, BootTime now) const { return since_ && now - *since_ >= duration; }

 private:
  std::string version_;
  std::optional<BootTime> since_;
};

}  // namespace twinspan
