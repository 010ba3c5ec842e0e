#include "engines/postgres/upstream.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

#include "core/text.hpp"

namespace twinspan::postgres {
namespace {

Result<Session> open_replication(const Layout& layout, const Upstream& upstream, const std::string& endpoint,
                                 std::chrono::milliseconds timeout, const std::stop_token& stop) {
  // Not the endpoint's own name: pg_stat_replication must not show this connection as the replica.
  return Session::open(upstream_conninfo(layout, upstream, endpoint + "-asks") + " replication='true'", timeout, stop);
}

Result<Session> open_sql(const Layout& layout, const Upstream& upstream, const std::string& endpoint,
                         std::chrono::milliseconds timeout, const std::stop_token& stop) {
  return Session::open(upstream_conninfo(layout, upstream, endpoint + "-asks", "postgres"), timeout, stop);
}

}  // namespace

Result<Ancestry> ask_ancestry(const Layout& layout, const Upstream& upstream, const std::string& endpoint,
                              std::chrono::milliseconds timeout, const std::stop_token& stop) {
  auto session = open_replication(layout, upstream, endpoint, timeout, stop);
  if (!session) return std::unexpected(session.error());
  const auto identity = session->simple("IDENTIFY_SYSTEM", timeout, stop);
  if (!identity) return std::unexpected(identity.error());
  if (identity->size() != 1 || identity->front().size() < 3 || !identity->front()[0] || !identity->front()[1] ||
      !identity->front()[2])
    return fail(Code::kInternal, "IDENTIFY_SYSTEM: expected system id, timeline and position");
  Ancestry theirs;
  theirs.system_id = *identity->front()[0];
  theirs.timeline = static_cast<uint32_t>(std::strtoul(identity->front()[1]->c_str(), nullptr, 10));
  theirs.end = parse_position(*identity->front()[2]);
  if (theirs.timeline <= 1) return theirs;
  const auto history = session->simple(fmt::format("TIMELINE_HISTORY {}", theirs.timeline), timeout, stop);
  if (!history) return std::unexpected(history.error());
  if (history->size() != 1 || history->front().size() < 2 || !history->front()[1])
    return fail(Code::kInternal, "TIMELINE_HISTORY: expected a file name and its content");
  auto parsed = parse_history(*history->front()[1]);
  if (!parsed) return std::unexpected(parsed.error());
  theirs.history = std::move(*parsed);
  return theirs;
}

Status ensure_slot_at(const Layout& layout, const Upstream& upstream, const std::string& endpoint,
                      std::chrono::milliseconds timeout, const std::stop_token& stop) {
  auto session = open_replication(layout, upstream, endpoint, timeout, stop);
  if (!session) return std::unexpected(session.error());
  // Asked first: the primary makes its members' slots itself, and its log should show no error where all is well.
  const std::string slot = slot_name(endpoint);
  const auto there = session->simple("READ_REPLICATION_SLOT " + slot, timeout, stop);
  if (there && !there->empty() && !there->front().empty() && there->front().front()) return {};
  const auto made =
      session->simple(fmt::format("CREATE_REPLICATION_SLOT {} PHYSICAL RESERVE_WAL", slot), timeout, stop);
  if (!made && made.error().code != Code::kAlreadyExists) return std::unexpected(made.error());
  return {};
}

Result<LogKept> ask_log_kept(const Layout& layout, const Upstream& upstream, const std::string& endpoint,
                             std::chrono::milliseconds timeout, const std::stop_token& stop) {
  auto session = open_sql(layout, upstream, endpoint, timeout, stop);
  if (!session) return std::unexpected(session.error());
  const auto rows = session->query(
      "SELECT (SELECT min(right(name, 16)) FROM pg_ls_dir('pg_wal', true, false) AS name WHERE name ~ "
      "'^[0-9A-F]{24}$'),"
      " (SELECT setting FROM pg_settings WHERE name = 'wal_segment_size'),"
      " (SELECT sum(pg_database_size(oid)) FROM pg_database WHERE has_database_privilege(oid, 'CONNECT'))",
      {}, timeout, stop);
  if (!rows) return std::unexpected(rows.error());
  if (rows->size() != 1 || !rows->front()[0] || !rows->front()[1] || !rows->front()[2])
    return fail(Code::kInternal, "pg_wal of the upstream: expected segments");
  LogKept kept;
  kept.segment_bytes = std::strtoull(rows->front()[1]->c_str(), nullptr, 10);
  kept.data_bytes = std::strtoull(rows->front()[2]->c_str(), nullptr, 10);
  // Eight digits of the upper half of the position, eight that count segments within it.
  const std::string& segment = *rows->front()[0];
  kept.oldest.value = (std::strtoull(segment.substr(0, 8).c_str(), nullptr, 16) << 32) +
                      std::strtoull(segment.substr(8).c_str(), nullptr, 16) * kept.segment_bytes;
  return kept;
}

bool has_log_after(const LogKept& kept, Position received) {
  return kept.segment_bytes == 0 || received.value / kept.segment_bytes * kept.segment_bytes >= kept.oldest.value;
}

Result<Session> reserve_repair(const Layout& layout, const Upstream& primary, const std::string& endpoint,
                               std::chrono::milliseconds timeout, const std::stop_token& stop) {
  auto session = open_sql(layout, primary, endpoint, timeout, stop);
  if (!session) return session;
  // The number is this program's own ("twinspan"): no lock of an application, which never reaches this database.
  const auto locked = session->query("SELECT pg_try_advisory_lock(8392292353732272494)", {}, timeout, stop);
  if (!locked) return std::unexpected(locked.error());
  if (locked->size() != 1 || locked->front().front() != "t")
    return fail(Code::kUnavailable, "another replica is being cloned: one at a time");
  return session;
}

Status settle_for_rewind(const Layout& layout, const Upstream& upstream, const std::string& endpoint,
                         const std::stop_token& stop) {
  constexpr std::chrono::milliseconds kShort{5000};
  auto session = open_sql(layout, upstream, endpoint, kShort, stop);
  if (!session) return std::unexpected(session.error());
  const auto settled = session->query(
      "SELECT 1 FROM pg_control_checkpoint() WHERE NOT pg_is_in_recovery() AND"
      " timeline_id = ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int",
      {}, kShort, stop);
  if (!settled) return std::unexpected(settled.error());
  if (!settled->empty()) return {};
  auto done = session->simple("CHECKPOINT", std::chrono::minutes(10), stop);
  if (!done) return std::unexpected(done.error());
  return {};
}

Result<Place> ask_place(const Layout& layout, const Upstream& upstream, const std::string& endpoint,
                        std::chrono::milliseconds timeout, const std::stop_token& stop) {
  auto session = open_sql(layout, upstream, endpoint, timeout, stop);
  if (!session) return std::unexpected(session.error());
  // What pg_rewind may read, this role may.
  const auto rows =
      session->query("SELECT convert_from(pg_read_binary_file('postmaster.pid'), 'UTF8')", {}, timeout, stop);
  if (!rows) return std::unexpected(rows.error());
  if (rows->size() != 1 || !rows->front().front()) return fail(Code::kInternal, "postmaster.pid: expected one row");
  return place_in(*rows->front().front());
}

Result<Place> place_in(const std::string& postmaster_pid) {
  const auto lines = split_lines(postmaster_pid);
  constexpr size_t kData = 1, kPort = 3, kSocket = 4;
  if (lines.size() <= kSocket || lines[kData].empty() || lines[kSocket].empty())
    return fail(Code::kInvalid, "postmaster.pid: expected the data directory, the port and a socket's directory");
  const std::string port(lines[kPort]);
  if (std::atoi(port.c_str()) <= 0)
    return fail(Code::kInvalid, "postmaster.pid: expected a port, got \"" + port + "\"");
  return Place{std::string(lines[kData]), std::string(lines[kSocket]), std::atoi(port.c_str())};
}

}  // namespace twinspan::postgres
