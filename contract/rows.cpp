#include "contract/rows.hpp"

namespace twinspan {

MemberState state_of(const api::EndpointStatus& row) {
  return parse_member_state(row.state).value_or(MemberState::kUnknown);
}

Role role_of(const api::EndpointStatus& row) {
  for (const Role role : {Role::kPrimary, Role::kReplica})
    if (row.role == to_string(role)) return role;
  return Role::kNone;
}

}  // namespace twinspan
