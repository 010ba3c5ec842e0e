// The primary lease as a Kubernetes object (ARCHITECTURE.md, "The primary lease"): agents of two versions hold it one
// after the other.
#pragma once
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "core/clock.hpp"
#include "core/json.hpp"
#include "core/result.hpp"
#include "failover/lease.hpp"

namespace twinspan {

// On the lease: the epoch in which its holder was promoted. It says nothing of any other epoch.
inline constexpr std::string_view kPromotedAnnotation = "twinspan.dev/promoted";

// A lease as it was read, with what only its holder's word says.
struct StoredLease {
  LeaseRecord record;
  std::chrono::milliseconds duration{0};  // that its holder promised, kLeaseDurationMost at most; 0: none written yet
};
// kInvalid names the field or annotation that can't be read.
Result<StoredLease> parse_lease(const Json& object);

// JSON merge patch that makes `record` of whatever the lease was, with `record.version` as precondition. `renewed_at`
// for people. An acquisition sets acquireTime and removes what the last release said.
Json lease_patch(const LeaseRecord& record, std::chrono::milliseconds duration, WallTime renewed_at, bool acquisition);

}  // namespace twinspan
