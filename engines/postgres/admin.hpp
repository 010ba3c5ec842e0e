// What a primary has to hold besides data: the role that replicates; owner.hpp has the database, slots.hpp the slots.
// Every call may be repeated; none waits for a replica.
#pragma once
#include <chrono>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "engines/postgres/layout.hpp"
#include "engines/postgres/sql.hpp"

namespace twinspan::postgres {

// The superuser on the own socket, prepared so that its commits wait for no replica and nothing it says is logged.
Result<Session> open_local(const Layout& layout, int port, std::chrono::milliseconds timeout,
                           const std::stop_token& stop = {}, const std::string& database = "postgres");

// The role that replicates: REPLICATION, the functions that pg_rewind reads with (its documentation, "Notes"), and
// CHECKPOINT.
Status ensure_replication_role(Session& session, const std::stop_token& stop = {});

// Ends a connection of replication. Called again for one that is still there: the first call may find it in a send that
// never ends, which only a second one interrupts.
Status end_sender(Session& session, int64_t pid, const std::stop_token& stop = {});

Status checkpoint(Session& session, std::chrono::milliseconds timeout, const std::stop_token& stop = {});

}  // namespace twinspan::postgres
