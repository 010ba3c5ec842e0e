// Waits for what must come true.
#pragma once

#include <chrono>

#include "core/wait.hpp"

namespace twinspan {

// Whether it holds within that time. As long as a machine that is busy with others may take: only what fails waits it
// out.
template <class Holds>
bool eventually(Holds holds, std::chrono::milliseconds patience = std::chrono::seconds(120),
                std::chrono::milliseconds between = std::chrono::milliseconds(20)) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!holds()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    wait_for(between, {});
  }
  return true;
}

}  // namespace twinspan
