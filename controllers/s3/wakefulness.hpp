// Since when this process has looked at something without a gap. What a cache shows after one may be old news: the
// events of meanwhile wait unread, so that silence is counted only from then on. Pure.
#pragma once
#include <chrono>
#include <optional>

#include "core/clock.hpp"

namespace twinspan::controllers {

class Wakefulness {
 public:
  explicit Wakefulness(std::chrono::milliseconds gap = std::chrono::milliseconds(5000)) : gap_(gap) {}

  // To be asked at every look.
  BootTime since(BootTime now) {
    if (!looked_ || now - *looked_ > gap_) since_ = now;
    looked_ = now;
    return since_;
  }

 private:
  std::chrono::milliseconds gap_;
  std::optional<BootTime> looked_;
  BootTime since_{};
};

}  // namespace twinspan::controllers
