// GET /status of an agent: the head that every engine's workers send, and `details`, which the engine's own controller
// alone reads. Agents are asked while operator and agents are of two versions: a field that is absent was not measured,
// a word that is not known says nothing, and no field ever changes its meaning.
#pragma once
#include "core/json.hpp"
#include "core/result.hpp"
#include "failover/report.hpp"

namespace twinspan {

Json to_json(const MemberReport& report);
// kInvalid names the field, the value and what was expected.
Result<MemberReport> parse_member_report(const Json& json);

}  // namespace twinspan
