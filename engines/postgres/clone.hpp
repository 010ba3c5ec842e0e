// A copy of another member's data (pg_basebackup).
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/result.hpp"
#include "engines/postgres/children.hpp"
#include "engines/postgres/conninfo.hpp"
#include "engines/postgres/layout.hpp"

namespace twinspan::postgres {

struct CloneProgress {
  uint64_t done_bytes = 0;
  uint64_t total_bytes = 0;  // grows where the source does
};
// A line of `pg_basebackup --progress`: "  24576/38912 kB (63%), 0/1 tablespace …"; nullopt where it is another line.
std::optional<CloneProgress> parse_clone_progress(std::string_view line);

// Copies into a directory beside, then replaces PGDATA, old data included, by it in one rename. The result has
// standby.signal. PostgreSQL must not run here. Streams the WAL of the meantime from the slot of `endpoint`, which is
// made at the source. Tablespaces are put on this volume, wherever the source has them (tablespaces.hpp).
Status clone(Children& children, const Layout& layout, const Upstream& source, const std::string& endpoint,
             const std::function<void(const CloneProgress&)>& on_progress, const std::stop_token& stop = {});

}  // namespace twinspan::postgres
