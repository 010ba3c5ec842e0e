// What a member remembers, as it lies beside its data and as it is told: an agent that was upgraded, or downgraded,
// reads what the other version wrote.
#pragma once
#include "core/json.hpp"
#include "core/result.hpp"
#include "failover/memory.hpp"

namespace twinspan {

Json to_json(const MemberMemory& memory);
// kInvalid names the field, the value and what was expected.
Result<MemberMemory> parse_member_memory(const Json& json);

}  // namespace twinspan
