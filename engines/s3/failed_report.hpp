// Which keys a sync has given up, as an object in the target bucket: the status shows only some.
#pragma once
#include <string>
#include <vector>

#include "core/json.hpp"
#include "engines/s3/sync.hpp"

namespace twinspan::s3 {

std::string failed_key(const std::string& link);  // ".twinspan/failed/LINK.json"
// {"failed": N, "finishedAt": …, "keys": [{"key", "error", "tries", "lastModified"}]}; "keys" has kDeadLettersKept at
// most.
Json failed_report(const std::vector<DeadLetter>& letters, const SyncProgress& progress);
Json to_json(const DeadLetter& letter);

}  // namespace twinspan::s3
