#include "engines/postgres/import_marks.hpp"

#include <fmt/format.h>

#include "engines/postgres/admin.hpp"
#include "engines/postgres/import_source.hpp"

namespace twinspan::postgres {
namespace {

constexpr std::chrono::milliseconds kTime{10000};
constexpr std::chrono::minutes kDropTime{10};
// What a new database is made as before it takes the place of the other, and what that is called until it is gone.
constexpr const char *kFresh = "twinspan_import", *kDiscarded = "twinspan_discarded";

Status run(Session& session, const std::string& sql, const std::stop_token& stop,
           std::chrono::milliseconds time = kTime) {
  return run(session, sql, time, stop);
}

Status make_table(Session& local, const std::stop_token& stop) {
  return run(local,
             "CREATE SCHEMA IF NOT EXISTS twinspan; CREATE TABLE IF NOT EXISTS twinspan.imports"
             " (database oid PRIMARY KEY, state text NOT NULL, begun timestamptz NOT NULL DEFAULT now(),"
             " completed timestamptz); ALTER TABLE twinspan.imports ADD COLUMN IF NOT EXISTS timeline bigint,"
             " ADD COLUMN IF NOT EXISTS name name",
             stop);
}

// Of what is written now: pg_control has a new one only with the first checkpoint after a promotion.
constexpr const char* kTimeline = "('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint";

std::string mark_sql(Session& local, const std::string& database, const char* state) {
  return fmt::format(
      "INSERT INTO twinspan.imports (database, state, timeline) SELECT oid, '{0}', {2} FROM pg_database WHERE datname ="
      " {1} ON CONFLICT (database) DO UPDATE SET state = '{0}', begun = now(), timeline = "
      "excluded.timeline;",
      state, local.literal(database), kTimeline);
}

// Objects of people's, the first few: what extensions own, and what a new database has, is not theirs.
constexpr const char* kHolds =
    "WITH theirs AS (SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> "
    "'information_schema'),"
    " extended AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e'),"
    " found AS (SELECT CASE relkind WHEN 'r' THEN 'table ' WHEN 'p' THEN 'table ' WHEN 'v' THEN 'view ' WHEN 'S' THEN"
    "  'sequence ' ELSE 'relation ' END || format('%I.%I', n.nspname, relname) AS name FROM pg_class c JOIN theirs n"
    "  ON n.oid = relnamespace WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c') AND NOT EXISTS (SELECT FROM "
    "extended"
    "  WHERE classid = 'pg_class'::regclass AND objid = c.oid)"
    " UNION ALL SELECT 'function ' || format('%I.%I', n.nspname, proname) FROM pg_proc p JOIN theirs n"
    "  ON n.oid = pronamespace WHERE NOT EXISTS (SELECT FROM extended WHERE classid = 'pg_proc'::regclass AND"
    "  objid = p.oid)"
    " UNION ALL SELECT 'type ' || format('%I.%I', n.nspname, typname) FROM pg_type t JOIN theirs n ON n.oid ="
    "  typnamespace WHERE typtype IN ('d', 'e') AND NOT EXISTS (SELECT FROM extended WHERE classid ="
    "  'pg_type'::regclass AND objid = t.oid)"
    " UNION ALL SELECT 'schema ' || quote_ident(nspname) FROM theirs n WHERE nspname <> 'public' AND NOT EXISTS (SELECT"
    "  FROM extended WHERE classid = 'pg_namespace'::regclass AND objid = n.oid)"
    " UNION ALL SELECT 'large object ' || oid FROM pg_largeobject_metadata)"
    " SELECT coalesce(string_agg(name, ', '), '') FROM (SELECT name FROM found LIMIT 3) AS first";

Result<std::string> holds(const Layout& layout, int port, const std::string& database, const std::stop_token& stop) {
  auto inside = open_local(layout, port, kTime, stop, database);
  if (!inside) return std::unexpected(inside.error());
  const auto rows = inside->query(kHolds, {}, kTime, stop);
  if (!rows) return std::unexpected(rows.error());
  return rows->empty() ? "" : rows->front()[0].value_or("");
}

// The limit that keep_clients_out sets. An invalid database, which a DROP that was cut short leaves, is shut as well.
Result<bool> is_shut(Session& local, const std::string& database, const std::stop_token& stop) {
  const auto rows =
      local.query("SELECT datconnlimit IN (0, -2) FROM pg_database WHERE datname = $1", {database}, kTime, stop);
  if (!rows) return std::unexpected(rows.error());
  return !rows->empty() && rows->front()[0] == "t";
}

Result<bool> exists(Session& local, const std::string& database, const std::stop_token& stop) {
  const auto rows = local.query("SELECT 1 FROM pg_database WHERE datname = $1", {database}, kTime, stop);
  if (!rows) return std::unexpected(rows.error());
  return !rows->empty();
}

Status find_subscriptions(Session& local, const std::string& database, ImportFound& found,
                          const std::stop_token& stop) {
  const auto rows = local.query(
      "SELECT subname FROM pg_subscription s JOIN pg_database d ON d.oid = subdbid WHERE datname = $1 AND"
      " starts_with(subname, $2) ORDER BY 1",
      {database, std::string(kImportSubscription)}, kTime, stop);
  if (!rows) return std::unexpected(rows.error());
  for (const Row& row : *rows) found.subscriptions.push_back(row[0].value_or(""));
  return {};
}

// By their mark, whatever they are called.
Status drop_discarded(Session& local, const std::stop_token& stop) {
  const auto rows = local.query(
      "SELECT datname FROM pg_database d JOIN twinspan.imports i ON i.database = d.oid WHERE state = 'Discarded'", {},
      kTime, stop);
  if (!rows) return std::unexpected(rows.error());
  for (const Row& row : *rows)
    if (auto dropped = run(local, fmt::format("DROP DATABASE {} WITH (FORCE)", local.identifier(row[0].value_or(""))),
                           stop, kDropTime);
        !dropped)
      return dropped;
  // That one was completed is remembered longer than its database.
  return run(
      local,
      "DELETE FROM twinspan.imports WHERE state <> 'Completed' AND database NOT IN (SELECT oid FROM pg_database)",
      stop);
}

Status end_sessions(Session& local, const std::string& database, bool superusers, const std::stop_token& stop) {
  const auto done = local.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity a LEFT JOIN pg_roles r ON r.oid = a.usesysid"
      " WHERE datname = $1 AND pid <> pg_backend_pid() AND ($2::bool OR NOT coalesce(r.rolsuper, true))",
      {database, superusers ? "true" : "false"}, kTime, stop);
  if (!done) return std::unexpected(done.error());
  return {};
}

}  // namespace

Result<ImportFound> look_at_import(const Layout& layout, int port, const std::string& database,
                                   const std::stop_token& stop) {
  auto local = open_local(layout, port, kTime, stop);
  if (!local) return std::unexpected(local.error());
  ImportFound found;
  const auto shut = is_shut(*local, database, stop);
  if (!shut) return std::unexpected(shut.error());
  found.shut = *shut;
  const auto table = local->query("SELECT to_regclass('twinspan.imports') IS NOT NULL", {}, kTime, stop);
  if (!table) return std::unexpected(table.error());
  if (table->front()[0] == "t") {
    const auto rows = local->query(
        // An earlier version's table knows no timeline.
        fmt::format("SELECT state, to_char(completed AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), d.oid,"
                    " to_jsonb(i) ->> 'timeline', {}, (SELECT system_identifier FROM pg_control_system())"
                    " FROM twinspan.imports i JOIN pg_database d ON d.oid = i.database WHERE datname = $1",
                    kTimeline),
        {database}, kTime, stop);
    if (!rows) return std::unexpected(rows.error());
    if (!rows->empty()) {
      found.mark = rows->front()[0] == "Completed" ? ImportMark::kCompleted : ImportMark::kBegun;
      found.completed_at = rows->front()[1].value_or("");
      found.origin = {rows->front()[5].value_or(""), integer_of(rows->front()[2]), integer_of(rows->front()[3])};
      found.timeline_now = integer_of(rows->front()[4]);
      if (auto seen = find_subscriptions(*local, database, found, stop); !seen) return std::unexpected(seen.error());
      if (found.mark == ImportMark::kCompleted) return found;
    } else {
      const auto gone = local->query(
          "SELECT 1 FROM twinspan.imports i WHERE state = 'Completed' AND to_jsonb(i) ->> 'name' = $1"
          " AND database NOT IN (SELECT oid FROM pg_database)",
          {database}, kTime, stop);
      if (!gone) return std::unexpected(gone.error());
      found.told_completed = !gone->empty();
    }
  }
  auto there = holds(layout, port, database, stop);
  if (!there) return std::unexpected(there.error());
  found.holds = std::move(*there);
  return found;
}

Status keep_clients_out(Session& local, const std::string& database, const std::stop_token& stop) {
  if (auto closed = run(local, fmt::format("ALTER DATABASE {} CONNECTION LIMIT 0", local.identifier(database)), stop);
      !closed)
    return closed;
  return end_sessions(local, database, false, stop);
}

Status let_clients_in(Session& local, const std::string& database, const std::stop_token& stop) {
  return run(local, fmt::format("ALTER DATABASE {} CONNECTION LIMIT -1", local.identifier(database)), stop);
}

Status drop_subscriptions(const Layout& layout, int port, const std::string& database, const std::stop_token& stop) {
  auto inside = open_local(layout, port, kTime, stop, database);
  if (!inside) return std::unexpected(inside.error());
  ImportFound found;
  if (auto seen = find_subscriptions(*inside, database, found, stop); !seen) return seen;
  for (const std::string& one : found.subscriptions)
    // Dropping one whose rows were being copied asks the source, which need not be this cluster's any more, nor answer.
    if (auto dropped = run(*inside,
                           fmt::format("ALTER SUBSCRIPTION {0} DISABLE; ALTER SUBSCRIPTION {0} SET (slot_name = NONE);"
                                       "ALTER SUBSCRIPTION {0} CONNECTION 'host=/nonexistent'; DROP SUBSCRIPTION {0}",
                                       inside->identifier(one)),
                           stop, kDropTime);
        !dropped)
      return dropped;
  return {};
}

Status give_up_import(Session& local, const std::string& database, const std::stop_token& stop) {
  return run(
      local,
      fmt::format("BEGIN; DELETE FROM twinspan.imports WHERE database = (SELECT oid FROM pg_database WHERE datname = "
                  "{}); ALTER DATABASE {} CONNECTION LIMIT -1; COMMIT",
                  local.literal(database), local.identifier(database)),
      stop);
}

Status begin_import(Session& local, const std::string& database, const std::stop_token& stop) {
  if (auto made = make_table(local, stop); !made) return made;
  return run(local, mark_sql(local, database, "Begun"), stop);
}

Status begin_import_anew(const Layout& layout, int port, Session& local, const std::string& database,
                         const std::string& owner, const std::stop_token& stop) {
  if (auto made = make_table(local, stop); !made) return made;
  if (auto dropped = drop_subscriptions(layout, port, database, stop); !dropped) return dropped;
  if (auto dropped = drop_discarded(local, stop); !dropped) return dropped;
  const auto left = exists(local, kFresh, stop);
  if (!left) return std::unexpected(left.error());
  if (*left) {  // of an attempt that was cut short right there
    const auto there = holds(layout, port, kFresh, stop);
    if (!there) return std::unexpected(there.error());
    if (!there->empty())
      return fail(Code::kInvalid, fmt::format("database {} is in the way and holds {}; rename it", kFresh, *there));
  } else if (auto made = run(
                 local, fmt::format("CREATE DATABASE {} OWNER {} CONNECTION LIMIT 0", kFresh, local.identifier(owner)),
                 stop, kDropTime);
             !made) {
    return made;
  }
  if (auto ended = end_sessions(local, database, true, stop); !ended) return ended;
  const std::string name = local.identifier(database);
  if (auto swapped = run(local,
                         fmt::format("BEGIN; {} {} ALTER DATABASE {} RENAME TO {}; ALTER DATABASE {} RENAME TO {};"
                                     "ALTER DATABASE {} CONNECTION LIMIT 0; COMMIT",
                                     mark_sql(local, kFresh, "Begun"), mark_sql(local, database, "Discarded"), name,
                                     kDiscarded, kFresh, name, name),
                         stop, kDropTime);
      !swapped) {
    if (local.alive()) (void)run(local, "ROLLBACK", stop);
    return swapped;
  }
  return drop_discarded(local, stop);
}

Status complete_import(Session& local, const std::string& database, const std::stop_token& stop) {
  return run(local,
             fmt::format("BEGIN; UPDATE twinspan.imports SET state = 'Completed', completed = now(), name = {0} WHERE"
                         " database = (SELECT oid FROM pg_database WHERE datname = {0}); ALTER DATABASE {1} CONNECTION"
                         " LIMIT -1;"
                         "COMMIT",
                         local.literal(database), local.identifier(database)),
             stop);
}

}  // namespace twinspan::postgres
