// What a primary has to hold besides data: roles, the database, slots. Every call may be repeated; none waits for a
// replica.
#pragma once
#include <chrono>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "engines/postgres/layout.hpp"
#include "engines/postgres/observe.hpp"
#include "engines/postgres/sql.hpp"

namespace twinspan::postgres {

// The superuser on the own socket, prepared so that its commits wait for no replica and nothing it says is logged.
Result<Session> open_local(const Layout& layout, int port, std::chrono::milliseconds timeout,
                           const std::stop_token& stop = {});

// The role that replicates: REPLICATION, the functions that pg_rewind reads with (its documentation, "Notes"), and
// CHECKPOINT.
Status ensure_replication_role(Session& session, const std::stop_token& stop = {});

struct Owner {
  std::string username, password;
};
// kInvalid where the name belongs to PostgreSQL or to Twinspan.
Status check_owner(const Owner& owner);
// The owner as a plain login role with this password, and the database, owned by it.
Status ensure_owner_and_database(Session& session, const Owner& owner, const std::string& database,
                                 const std::stop_token& stop = {});

// What is missing of `wanted` is made, reserving WAL at once; a slot of ours that isn't wanted is dropped once nobody
// uses it, and one whose WAL is lost is made anew. `seen` is a fresh observation's slots.
Status reconcile_slots(Session& session, const std::vector<Observation::Slot>& seen,
                       const std::vector<std::string>& wanted, const std::stop_token& stop = {});

Status checkpoint(Session& session, std::chrono::milliseconds timeout, const std::stop_token& stop = {});

}  // namespace twinspan::postgres
