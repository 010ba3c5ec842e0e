// How far a primary's log went at least, by the furthest of what was heard of it. What it wrote after that is not
// known.
#pragma once
#include <algorithm>
#include <optional>
#include <utility>

#include "failover/types.hpp"

namespace twinspan {

class LastKnown {
 public:
  // Of a primary that accepted writes in `epoch`. A later primary's log may be shorter: what was lost stays lost.
  void hear(Epoch epoch, Position end) {
    if (!known_ || epoch > known_->first)
      known_.emplace(epoch, end);
    else if (epoch == known_->first)
      known_->second = std::max(known_->second, end);
  }
  std::optional<Position> position() const { return known_ ? std::optional(known_->second) : std::nullopt; }

 private:
  std::optional<std::pair<Epoch, Position>> known_;
};

}  // namespace twinspan
