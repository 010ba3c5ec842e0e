// Bringing configuration to disk and into the running server.
#pragma once
#include <stop_token>
#include <string>
#include <vector>

#include "core/result.hpp"
#include "engines/postgres/children.hpp"
#include "engines/postgres/layout.hpp"
#include "engines/postgres/settings.hpp"

namespace twinspan::postgres {

// Writes the three files; answers whether anything changed (reload then; Observation::pending_restart says what that
// didn't reach). With `judge`, PostgreSQL judges the new postgresql.conf before it replaces the one in use, so that a
// wrong value can't keep the instance from starting again: kInvalid with PostgreSQL's words, the old one stays. It
// judges by the data directory, so before there is one postgresql.conf is not written.
Result<bool> write_configuration(Children& children, const Layout& layout, const Settings& settings, bool judge,
                                 const std::stop_token& stop = {});

// What `judge` asks of PostgreSQL, alone: kInvalid with its words. Libraries are not loaded and memory is not taken.
Status judge_configuration(Children& children, const Layout& layout, const Settings& settings,
                           const std::stop_token& stop = {});

// Copies certificate, key and CA from tls_dir to run_dir, the key readable by the owner alone as PostgreSQL demands.
// True where they changed.
Result<bool> copy_tls_files(const Layout& layout);

// The account this program runs as. PostgreSQL's programs need it to have a name (kNotFound).
Result<std::string> os_user_name();

}  // namespace twinspan::postgres
