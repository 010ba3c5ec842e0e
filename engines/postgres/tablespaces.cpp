#include "engines/postgres/tablespaces.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>

#include "engines/postgres/files.hpp"
#include "engines/postgres/sql.hpp"

namespace twinspan::postgres {
namespace {

namespace fs = std::filesystem;

std::string home(const Layout& layout) { return layout.data_dir + "/tablespaces"; }

}  // namespace

Result<Tablespaces> ask_tablespaces(const Layout& layout, const Upstream& upstream, const std::string& endpoint,
                                    std::chrono::milliseconds timeout, const std::stop_token& stop) {
  auto session = Session::open(upstream_conninfo(layout, upstream, endpoint + "-asks", "postgres"), timeout, stop);
  if (!session) return std::unexpected(session.error());
  // Those within PGDATA have a relative location.
  const auto rows = session->query(
      "SELECT oid, pg_tablespace_location(oid) FROM pg_tablespace WHERE pg_tablespace_location(oid) LIKE '/%'", {},
      timeout, stop);
  if (!rows) return std::unexpected(rows.error());
  Tablespaces found;
  for (const Row& row : *rows)
    if (row[0] && row[1]) found[static_cast<uint32_t>(std::strtoul(row[0]->c_str(), nullptr, 10))] = *row[1];
  return found;
}

Tablespaces linked_tablespaces(const std::string& pgdata) {
  Tablespaces found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(pgdata + "/pg_tblspc", error)) {
    const std::string name = entry.path().filename();
    uint32_t oid = 0;
    if (std::from_chars(name.data(), name.data() + name.size(), oid).ec != std::errc() || !entry.is_symlink()) continue;
    if (const fs::path target = fs::read_symlink(entry.path(), error); !error) found[oid] = target;
  }
  return found;
}

bool lies_within(const std::string& path, const std::string& directory) {
  const fs::path inner = fs::path(path).lexically_normal(), outer = fs::path(directory).lexically_normal();
  const auto [rest, end] = std::mismatch(outer.begin(), outer.end(), inner.begin(), inner.end());
  return rest == outer.end() && end != inner.end();
}

Result<std::vector<std::string>> make_missing_locations(const Layout& layout, const Tablespaces& upstream) {
  const Tablespaces own = linked_tablespaces(layout);
  std::vector<std::string> outside;
  for (const auto& [oid, location] : upstream) {
    if (own.contains(oid)) continue;
    if (!lies_within(location, layout.data_dir) || lies_within(location, layout.pgdata())) {
      outside.push_back(location);
      continue;
    }
    std::error_code error;
    fs::create_directories(location, error);
    if (error) return fail(Code::kInternal, fmt::format("make {}: {}", location, error.message()));
  }
  return outside;
}

Tablespaces places_for_clone(const Layout& layout, const Tablespaces& source) {
  int number = 1;
  while (exists(fmt::format("{}/{}", home(layout), number))) ++number;
  Tablespaces places;
  for (const auto& [oid, location] : source) places[oid] = fmt::format("{}/{}/{}", home(layout), number, oid);
  return places;
}

std::string mapping(const std::string& from, const std::string& to) {
  const auto escaped = [](const std::string& path) {
    std::string text;
    for (const char c : path) {
      if (c == '=' || c == '\\') text += '\\';
      text += c;
    }
    return text;
  };
  return escaped(from) + "=" + escaped(to);
}

std::vector<std::string> tablespaces_but_of(const std::string& pgdata, const std::string& data_dir) {
  std::vector<std::string> all{data_dir + "/pgdata", data_dir + "/restoring/pgdata"}, found;
  std::error_code error;
  for (const auto& kept : fs::directory_iterator(data_dir + "/before", error))
    for (const char* name : {"/pgdata", "/parked"}) all.push_back(kept.path().string() + name);
  for (const std::string& one : all) {
    if (one == pgdata) continue;
    for (const auto& [oid, location] : linked_tablespaces(one)) found.push_back(location);
  }
  return found;
}

bool is_used(const std::string& path, const std::vector<std::string>& locations) {
  return std::any_of(locations.begin(), locations.end(),
                     [&](const std::string& one) { return one == path || lies_within(one, path); });
}

Status remove_unused(const Layout& layout, const Tablespaces& before) {
  const std::vector<std::string> used = tablespaces_but_of("", layout.data_dir);
  for (const auto& [oid, location] : before)
    if (lies_within(location, layout.data_dir) && !is_used(location, used))
      if (auto removed = remove_tree(location); !removed) return removed;
  // What clones that were cut short left.
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(home(layout), error))
    if (const std::string name = entry.path().filename();
        !is_used(entry.path(), used) && name.find_first_not_of("0123456789") == std::string::npos)
      if (auto removed = remove_tree(entry.path()); !removed) return removed;
  return {};
}

}  // namespace twinspan::postgres
