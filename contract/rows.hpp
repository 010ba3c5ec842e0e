// Rows of status.endpoints: words that people read, and what programs go by. A newer version's word stays in the row as
// it is, and says nothing here.
#pragma once
#include "api/types.hpp"
#include "failover/types.hpp"

namespace twinspan {

MemberState state_of(const api::EndpointStatus& row);  // kUnknown also where the word is not known
Role role_of(const api::EndpointStatus& row);          // kNone also where it is absent or not known

}  // namespace twinspan
