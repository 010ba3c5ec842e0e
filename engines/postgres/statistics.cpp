#include "engines/postgres/statistics.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/json.hpp"

namespace twinspan::postgres {
namespace {

// The session that asks is left out of what it counts.
constexpr const char* kQuery = R"(
SELECT json_build_object(
  'connections', (SELECT coalesce(json_object_agg(state, n), '{}') FROM
                   (SELECT coalesce(state, 'unknown') AS state, count(*) AS n FROM pg_stat_activity
                    WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() GROUP BY 1) AS s),
  'max', current_setting('max_connections')::int,
  'blocked', (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND wait_event_type = 'Lock'),
  'oldest', (SELECT coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0) FROM pg_stat_activity
             WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()),
  'prepared', (SELECT coalesce(max(extract(epoch FROM clock_timestamp() - prepared)), 0) FROM pg_prepared_xacts),
  'wal', (SELECT wal_bytes FROM pg_stat_wal),
  'wal_directory', (SELECT coalesce(sum(size), 0) FROM pg_ls_waldir()),
  'timed', (SELECT checkpoints_timed FROM pg_stat_bgwriter),
  'requested', (SELECT checkpoints_req FROM pg_stat_bgwriter),
  'databases', (SELECT coalesce(json_agg(json_build_object('name', d.datname, 'size', pg_database_size(d.oid),
                  'xid', age(d.datfrozenxid), 'multixact', mxid_age(d.datminmxid), 'commits', s.xact_commit,
                  'rollbacks', s.xact_rollback, 'deadlocks', s.deadlocks, 'conflicts', s.conflicts,
                  'temporary', s.temp_bytes, 'read', s.blks_read, 'hit', s.blks_hit)), '[]')
                FROM pg_database AS d JOIN pg_stat_database AS s ON s.datid = d.oid WHERE d.datallowconn),
  'slots', (SELECT coalesce(json_agg(json_build_object('name', slot_name, 'active', active, 'kept', greatest(
              (CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END)
              - restart_lsn, 0))), '[]') FROM pg_replication_slots))::text)";

template <class T>
T number(const Json& json, const char* key) {
  const Json& value = json.at(key);
  return value.is_null() ? T{} : value.get<T>();
}

}  // namespace

Result<Statistics> parse_statistics(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return fail(Code::kInvalid, "statistics: expected a JSON object");
  try {
    Statistics out;
    out.connections = json.at("connections").get<std::map<std::string, int64_t>>();
    out.max_connections = number<int64_t>(json, "max");
    out.waiting_for_locks = number<int64_t>(json, "blocked");
    out.oldest_transaction_seconds = number<double>(json, "oldest");
    out.oldest_prepared_seconds = number<double>(json, "prepared");
    if (json.at("wal").is_number()) out.wal_written_bytes = json.at("wal").get<uint64_t>();
    out.wal_directory_bytes = number<uint64_t>(json, "wal_directory");
    out.checkpoints_timed = number<int64_t>(json, "timed");
    out.checkpoints_requested = number<int64_t>(json, "requested");
    for (const Json& one : json.at("databases"))
      out.databases.push_back({text_of(one, "name"), number<uint64_t>(one, "size"), number<int64_t>(one, "xid"),
                               number<int64_t>(one, "multixact"), number<int64_t>(one, "commits"),
                               number<int64_t>(one, "rollbacks"), number<int64_t>(one, "deadlocks"),
                               number<int64_t>(one, "conflicts"), number<uint64_t>(one, "temporary"),
                               number<uint64_t>(one, "read"), number<uint64_t>(one, "hit")});
    for (const Json& one : json.at("slots"))
      out.slots.push_back({text_of(one, "name"), one.at("active").get<bool>(), number<uint64_t>(one, "kept")});
    return out;
  } catch (const Json::exception& error) {
    return fail(Code::kInvalid, fmt::format("statistics: {}", error.what()));
  }
}

Result<Statistics> read_statistics(Session& session, std::chrono::milliseconds timeout, const std::stop_token& stop) {
  const auto rows = session.simple(kQuery, timeout, stop);
  if (!rows) return std::unexpected(rows.error());
  if (rows->empty() || !rows->front().front()) return fail(Code::kInvalid, "statistics: expected a row");
  return parse_statistics(*rows->front().front());
}

}  // namespace twinspan::postgres
