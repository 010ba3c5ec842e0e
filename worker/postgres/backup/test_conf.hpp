// The configuration of a database that was restored to be tested: nobody outside reaches it, and nothing in it acts by
// itself. No log is stored, no subscription runs, no extension has a worker of its own. Pure.
#pragma once
#include <cstdint>
#include <map>
#include <string>

#include "engines/postgres/layout.hpp"

namespace twinspan::worker {

// `libraries`: shared_preload_libraries of the link, which functions and the log's records may need. `floor`: what the
// log was written with (ControlData::recovery_floor).
std::string render_test_conf(const postgres::Layout& layout, int port, const std::string& libraries,
                             const std::map<std::string, int64_t>& floor);
std::string render_test_hba();
std::string render_test_ident(const std::string& os_user);

}  // namespace twinspan::worker
