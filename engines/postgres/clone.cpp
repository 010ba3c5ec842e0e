#include "engines/postgres/clone.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>

#include "engines/postgres/command.hpp"
#include "engines/postgres/files.hpp"
#include "engines/postgres/rewind.hpp"
#include "engines/postgres/tablespaces.hpp"
#include "engines/postgres/upstream.hpp"

namespace twinspan::postgres {

std::optional<CloneProgress> parse_clone_progress(std::string_view line) {
  const size_t start = line.find_first_not_of(' ');
  if (start == std::string_view::npos) return std::nullopt;
  line.remove_prefix(start);
  CloneProgress progress;
  const char* end = line.data() + line.size();
  auto done = std::from_chars(line.data(), end, progress.done_bytes);
  if (done.ec != std::errc() || done.ptr == end || *done.ptr != '/') return std::nullopt;
  done = std::from_chars(done.ptr + 1, end, progress.total_bytes);
  if (done.ec != std::errc() || !std::string_view(done.ptr, static_cast<size_t>(end - done.ptr)).starts_with(" kB ("))
    return std::nullopt;
  progress.done_bytes *= 1024;
  progress.total_bytes *= 1024;
  return progress;
}

Status clone(Children& children, const Layout& layout, const Upstream& source, const std::string& endpoint,
             const std::function<void(const CloneProgress&)>& on_progress, const std::stop_token& stop) {
  if (auto slot = ensure_slot_at(layout, source, endpoint, std::chrono::seconds(5), stop); !slot) return slot;
  if (auto removed = remove_tree(layout.unfinished()); !removed) return removed;
  const auto tablespaces = ask_tablespaces(layout, source, endpoint, std::chrono::seconds(5), stop);
  if (!tablespaces) return std::unexpected(tablespaces.error());
  if (auto removed = remove_unused(layout, {}); !removed) return removed;
  const Tablespaces before = linked_tablespaces(layout), places = places_for_clone(layout, *tablespaces);
  Command command{layout.program("pg_basebackup"),
                  {"--pgdata", layout.unfinished(), "--dbname", upstream_conninfo(layout, source, endpoint + "-clones"),
                   "--wal-method", "stream", "--slot", slot_name(endpoint), "--checkpoint", "fast", "--no-password",
                   "--progress", "--no-manifest"},
                  {},
                  std::chrono::hours(24 * 7),
                  {}};
  for (const auto& [oid, location] : *tablespaces)
    command.arguments.push_back("--tablespace-mapping=" + mapping(location, places.at(oid)));
  command.on_line = [&](std::string_view line) {
    if (const auto progress = parse_clone_progress(line); progress && on_progress) on_progress(*progress);
  };
  if (auto done = run_checked(children, command, stop); !done) return std::unexpected(done.error());
  // Of no use here, and confusing: this instance's configuration lies elsewhere.
  for (const char* name : {"/postmaster.pid", "/backup_label.old", "/tablespace_map.old"})
    std::remove((layout.unfinished() + name).c_str());
  if (auto wrote = replace_file(layout.unfinished() + "/standby.signal", "", 0600); !wrote)
    return std::unexpected(wrote.error());
  if (auto synced = sync_directory(layout.unfinished()); !synced) return synced;

  const std::string old = layout.data_dir + "/replaced";
  if (auto removed = remove_tree(old); !removed) return removed;
  if (exists(layout.pgdata()) && std::rename(layout.pgdata().c_str(), old.c_str()) != 0)
    return fail(Code::kInternal, fmt::format("rename {}: {}", layout.pgdata(), std::strerror(errno)));
  if (std::rename(layout.unfinished().c_str(), layout.pgdata().c_str()) != 0)
    return fail(Code::kInternal, fmt::format("rename to {}: {}", layout.pgdata(), std::strerror(errno)));
  std::remove(rewind_marker(layout).c_str());
  if (auto synced = sync_directory(layout.data_dir); !synced) return synced;
  if (auto removed = remove_tree(old); !removed) return removed;
  return remove_unused(layout, before);
}

}  // namespace twinspan::postgres
