// `kubectl logs` from the runtime's log files.
#pragma once
#include "net/http.hpp"
#include "sandbox/api/server.hpp"
#include "sandbox/runtime/host.hpp"

namespace twinspan::sandbox {

// The last `count` lines of `text`; all of it where count is negative. Pure.
std::string_view last_lines(std::string_view text, long count);

// Answers GET pods/NAME/log with the parameters container, previous, tailLines, limitBytes and follow.
net::OutgoingResponse answer_log(const Runtime& runtime, const PodCall& call);

}  // namespace twinspan::sandbox
