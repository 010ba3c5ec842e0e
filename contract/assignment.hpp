// status.assignment: what the operator wants and every agent obeys, read and written here alone. Whoever can't read it
// acts on no guess: it stays as it is until a program that knows it comes.
#pragma once
#include <optional>

#include "api/types.hpp"
#include "core/json.hpp"
#include "core/result.hpp"
#include "failover/assignment.hpp"

namespace twinspan {

// nullopt: nobody was assigned yet. kInvalid names the field, its value and what was expected: a newer version's word.
Result<std::optional<Assignment>> assignment_of(const api::LinkStatus& status);
// With the times of no engine, which its mover adds.
api::AssignmentStatus status_of(const Assignment& assignment);
// What a merge patch makes of whatever was assigned before: nothing that was decided then stays beside it.
Json merge_patch_of(const api::AssignmentStatus& assignment);

}  // namespace twinspan
