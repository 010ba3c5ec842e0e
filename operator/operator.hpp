// The operator's wiring. Starts health, caches, election, reconcilers, in this order; stops in reverse.
#pragma once
#include <stop_token>

#include "core/clock.hpp"
#include "kube/config.hpp"
#include "operator/options.hpp"

namespace twinspan {

// Runs until `stop` is set (0), the leadership is lost or something can't start (1).
int run_operator(const Options& options, kube::Config config, const Clock& clock, std::stop_token stop);

}  // namespace twinspan
