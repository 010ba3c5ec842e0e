// A program run for its output.
#pragma once
#include <chrono>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include "core/result.hpp"

namespace twinspan::kube {

// Standard output of `command` (looked up in PATH), run with `arguments` and with `environment` added to ours; standard
// error is ours. It is killed where it takes longer than `time` or `stop` is set. kDenied where it fails: its
// credentials were asked for.
Result<std::string> run_process(const std::string& command, const std::vector<std::string>& arguments,
                                const std::vector<std::pair<std::string, std::string>>& environment,
                                std::chrono::milliseconds time, const std::stop_token& stop);

}  // namespace twinspan::kube
