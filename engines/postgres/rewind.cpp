#include "engines/postgres/rewind.hpp"

#include <cstdio>
#include <optional>

#include "core/log.hpp"
#include "engines/postgres/command.hpp"
#include "engines/postgres/data.hpp"
#include "engines/postgres/files.hpp"
#include "engines/postgres/upstream.hpp"

namespace twinspan::postgres {

std::string rewind_marker(const Layout& layout) { return layout.data_dir + "/rewinding"; }

Status rewind(Children& children, const Layout& layout, const Upstream& source, const std::string& endpoint,
              bool from_archive, const std::stop_token& stop) {
  if (auto settled = settle_for_rewind(layout, source, endpoint, stop); !settled) return settled;
  // The slot first: from here on the source keeps what the rewound instance will want to stream.
  if (auto slot = ensure_slot_at(layout, source, endpoint, std::chrono::seconds(5), stop); !slot) return slot;
  const bool again = exists(rewind_marker(layout));
  if (auto marked = replace_file(rewind_marker(layout), "1\n", 0600); !marked) return std::unexpected(marked.error());
  if (auto synced = sync_directory(layout.data_dir); !synced) return synced;
  // Recovery before the rewind runs PostgreSQL in single-user mode, which knows no standby mode.
  if (auto unset = set_standby(layout, false); !unset) return unset;

  bool touched = again;
  Command command{layout.program("pg_rewind"),
                  {"--target-pgdata", layout.pgdata(), "--source-server",
                   upstream_conninfo(layout, source, endpoint + "-rewinds", "postgres"), "--config-file",
                   layout.conf_file(), "--progress"},
                  {},
                  std::chrono::hours(24),
                  {}};
  if (from_archive) command.arguments.push_back("--restore-target-wal");
  command.on_line = [&touched](std::string_view line) {
    // It announces that it begins to copy; before, it only read.
    if (line.find("reading source file list") != std::string_view::npos) return;
    if (line.find("need to copy") != std::string_view::npos || line.find("Done!") != std::string_view::npos)
      touched = true;
    if (line.find("kB (") == std::string_view::npos) log::info("pg_rewind", {{"text", line}});
  };
  const auto done = run_checked(children, command, stop);
  if (!done) {
    if (!touched) {
      std::remove(rewind_marker(layout).c_str());
      (void)sync_directory(layout.data_dir);
    }
    return std::unexpected(done.error());
  }
  if (auto set = set_standby(layout, true); !set) return set;
  std::remove(rewind_marker(layout).c_str());
  return sync_directory(layout.data_dir);
}

}  // namespace twinspan::postgres
