// From replica to primary.
#pragma once
#include <chrono>
#include <stop_token>

#include "core/result.hpp"
#include "engines/postgres/postmaster.hpp"
#include "engines/postgres/sql.hpp"

namespace twinspan::postgres {

// Asks for promotion without SQL, so that it works in any state of recovery (PostgreSQL: PROMOTE_SIGNAL_FILE and
// SIGUSR1).
Status request_promotion(const Layout& layout, const Postmaster& postmaster);
// Waits until it accepts writes, looking every 5 ms. Ends the sessions of readers that replay waits for, however long
// max_standby_streaming_delay lets them.
Status wait_until_promoted(Session& session, std::chrono::milliseconds timeout, const std::stop_token& stop = {});
// Until no WAL receiver is left; call after the configuration with an empty primary_conninfo was loaded.
Status wait_until_receiver_stopped(Session& session, std::chrono::milliseconds timeout,
                                   const std::stop_token& stop = {});

}  // namespace twinspan::postgres
