// Whether a primary still has what was declared: the database, its owner and the role that replicates. Any of them may
// be dropped or altered by whoever owns it, or by a superuser.
#pragma once
#include <stop_token>
#include <string>

#include "core/result.hpp"
#include "engines/postgres/sql.hpp"

namespace twinspan::postgres {

struct Declared {
  bool database = false;  // it exists
  // Everything of the roles that the agent sets, digested: it differs once somebody changed any of it. Whom the
  // database belongs to is not in it: what a person gave away by SQL is not taken back while it runs.
  std::string digest;
};
Result<Declared> look_at_declared(Session& session, const std::string& owner, const std::string& database,
                                  const std::stop_token& stop = {});

}  // namespace twinspan::postgres
