// Going back to where the histories part (pg_rewind).
#pragma once
#include <chrono>
#include <stop_token>
#include <string>

#include "core/result.hpp"
#include "engines/postgres/children.hpp"
#include "engines/postgres/conninfo.hpp"
#include "engines/postgres/layout.hpp"

namespace twinspan::postgres {

// Stands beside PGDATA while a rewind is under way. Data under it must not be started: it is neither the old nor the
// new.
std::string rewind_marker(const Layout& layout);

// PostgreSQL must not run here. A crashed instance is recovered by pg_rewind first. The result has standby.signal.
// After a failure the marker tells whether the data was touched: if it stands, only another rewind or a clone helps.
// `from_archive`: log that is needed and no more here is got by the restore_command of the configuration.
Status rewind(Children& children, const Layout& layout, const Upstream& source, const std::string& endpoint,
              bool from_archive, const std::stop_token& stop = {});

}  // namespace twinspan::postgres
