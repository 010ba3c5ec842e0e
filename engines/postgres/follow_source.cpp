// What following takes at the source, and the subscription by which it begins here.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "core/wait.hpp"
#include "engines/postgres/admin.hpp"
#include "engines/postgres/follow.hpp"
#include "engines/postgres/sql_objects.hpp"

namespace twinspan::postgres {
namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kConnect{10000}, kTime{60000}, kLook{50};
constexpr std::chrono::hours kLongest{24 * 7};
constexpr std::chrono::seconds kGone{10};
// Of who copies and sends: hidden rows are an error and not left out, and no limit of the server's ends a long copy.
constexpr const char* kCopyOptions = "-c row_security=off -c statement_timeout=0";

std::string without_identity() {
  return theirs(kQuotedName, "r",
                "relpersistence = 'p' AND relreplident <> 'f' AND NOT EXISTS (SELECT 1 FROM pg_index WHERE"
                " indrelid = c.oid AND indisvalid AND indimmediate AND CASE relreplident WHEN 'd' THEN"
                " indisprimary WHEN 'i' THEN indisreplident ELSE false END)");
}

Result<SourceSeen> look_at_source(Session& source, const std::stop_token& stop) {
  const auto rows = source.query(
      "SELECT current_setting('server_version_num'), current_setting('wal_level'), pg_is_in_recovery(),"
      " current_setting('max_replication_slots')::int - (SELECT count(*) FROM pg_replication_slots),"
      " current_setting('max_wal_senders')::int - (SELECT count(*) FROM pg_stat_replication),"
      // Amazon gives the attribute to nobody, but makes members of this role.
      " (SELECT rolsuper OR rolreplication FROM pg_roles WHERE rolname = current_user) OR EXISTS (SELECT FROM pg_roles"
      "  WHERE rolname = 'rds_replication' AND pg_has_role(oid, 'MEMBER')),"
      " has_database_privilege(current_database(), 'CREATE'), (SELECT count(*) FROM pg_largeobject_metadata)",
      {}, kTime, stop);
  if (!rows) return std::unexpected(rows.error());
  const Row& row = rows->front();
  SourceSeen seen;
  seen.version = integer_of(row[0]);
  seen.wal_level = row[1].value_or("");
  seen.in_recovery = row[2] == "t";
  seen.free_slots = integer_of(row[3]);
  seen.free_senders = integer_of(row[4]);
  seen.may_replicate = row[5] == "t";
  seen.may_create = row[6] == "t";
  seen.large_objects = integer_of(row[7]);
  const auto find = [&](std::vector<std::string>& into, const std::string& sql) -> Status {
    auto found = list_names(source, sql, stop);
    if (!found) return std::unexpected(found.error());
    into = std::move(*found);
    return {};
  };
  for (const auto& [into, sql] : {
           std::pair{&seen.without_identity, without_identity()},
           std::pair{&seen.hidden_rows, theirs(kQuotedName, "r", "row_security_active(c.oid)")},
           std::pair{&seen.unlogged, theirs(kQuotedName, "r", "relpersistence <> 'p'")},
           std::pair{&seen.of_others, theirs(kQuotedName, "r", "NOT pg_has_role(relowner, 'USAGE')")},
           std::pair{&seen.unreadable_sequences, theirs(kQuotedName, "S", "NOT has_table_privilege(c.oid, 'SELECT')")},
           std::pair{
               &seen.always_triggers,
               fmt::format("SELECT format('%I of %I.%I', tgname, nspname, relname) FROM pg_trigger JOIN pg_class c"
                           " ON c.oid = tgrelid JOIN pg_namespace n ON n.oid = relnamespace WHERE tgenabled IN"
                           " ('A', 'R') AND NOT tgisinternal AND {} ORDER BY 1",
                           kTheirs)},
       })
    if (auto found = find(*into, sql); !found) return std::unexpected(found.error());
  return seen;
}

// Parameters that people may have set too low for a subscription.
Status may_subscribe(Session& local, const std::stop_token& stop) {
  for (const auto& [name, least] : {std::pair{"max_logical_replication_workers", 1}, {"max_worker_processes", 3}}) {
    const auto value = local.query("SELECT current_setting($1)", {name}, kTime, stop);
    if (!value) return std::unexpected(value.error());
    if (integer_of(value->front()[0]) < least)
      return fail(Code::kInvalid, fmt::format("spec.postgres.managed.parameters: {} is {}, must be at least {}", name,
                                              integer_of(value->front()[0]), least));
  }
  return {};
}

Status do_subscribe(const Layout& layout, int port, const Following& following, const std::stop_token& stop) {
  auto source = open_source_to_write(following.source, stop);
  if (!source) return std::unexpected(source.error());
  auto inside = open_local(layout, port, kConnect, stop, following.database);
  if (!inside) return std::unexpected(inside.error());
  const auto tables = list_names(*source, theirs(kQuotedName, "r", "true"), stop);
  if (!tables) return std::unexpected(tables.error());
  const auto here = list_names(*inside, theirs(kQuotedName, "r", "true"), stop);
  if (!here) return std::unexpected(here.error());
  // What was made there since has nowhere to go, and need not be what may be published.
  std::string list;
  for (const std::string& table : *tables)
    if (std::find(here->begin(), here->end(), table) != here->end())
      list += (list.empty() ? " FOR TABLE ONLY " : ", ONLY ") + table;
  const std::string name = quoted_identifier(following.name);
  if (auto made = run(*source, fmt::format("BEGIN; CREATE PUBLICATION {}{}", name, list), kTime, stop); !made)
    return made;
  const auto without = list_names(*source,
                                  fmt::format("SELECT * FROM ({}) AS t (name) WHERE name IN ({})", without_identity(),
                                              published_by(following.name)),
                                  stop);
  if (!without) return std::unexpected(without.error());
  if (auto fine = have_identity(*without); !fine) return fine;
  if (auto made = run(*source, "COMMIT", kTime, stop); !made) return made;
  // The source makes the slot once all transactions are over that run there now.
  return run(*inside,
             fmt::format("CREATE SUBSCRIPTION {0} CONNECTION {1} PUBLICATION {0} WITH (slot_name = {2}, copy_data ="
                         " true, streaming = true)",
                         name, quoted_literal(source_conninfo(following.source, "", kCopyOptions)),
                         quoted_literal(following.name)),
             kLongest, stop);
}

Status do_leave(const Following& following, const std::string& system, const std::stop_token& stop) {
  auto source = open_source_to_write(following.source, stop);
  if (!source) return std::unexpected(source.error());
  // Those that copy a table are PostgreSQL's own: pg_<subscription>_sync_<table>_<system>.
  const std::string ours = fmt::format(
      "FROM pg_replication_slots WHERE slot_name = {} OR (database = current_database() AND NOT active AND slot_name "
      "LIKE"
      " 'pg\\_%\\_sync\\_%\\_{}')",
      quoted_literal(following.name), system);
  for (const auto until = steady_clock::now() + kGone;;) {
    const auto left = source->query("SELECT slot_name, active_pid " + ours, {}, kTime, stop);
    if (!left) return std::unexpected(left.error());
    for (const Row& slot : *left)
      // Of the two, one that is in use is ended first, and dropped in the next round.
      (void)source->query(slot[1] ? "SELECT pg_terminate_backend($1::int)" : "SELECT pg_drop_replication_slot($1)",
                          {slot[1].value_or(slot[0].value_or(""))}, kTime, stop);
    if (left->empty()) break;
    if (!source->alive() || steady_clock::now() > until)
      return fail(Code::kConflict, fmt::format("slot {} can't be dropped", left->front()[0].value_or("")));
    if (!wait_for(kLook, stop)) return fail(Code::kCancelled, "stopped");
  }
  return run(*source, fmt::format("DROP PUBLICATION IF EXISTS {}", quoted_identifier(following.name)), kTime, stop);
}

}  // namespace

Status check_source(const Layout& layout, int port, const ImportSource& source, const std::stop_token& stop) {
  auto there = open_source(source, stop);
  if (!there) return std::unexpected(follow_error(there.error()));
  const auto seen = look_at_source(*there, stop);
  if (!seen) return std::unexpected(follow_error(seen.error()));
  if (auto fine = may_follow(*seen, source); !fine) return fine;
  auto local = open_local(layout, port, kConnect, stop);
  if (!local) return std::unexpected(follow_error(local.error()));
  return may_subscribe(*local, stop);
}

Status subscribe(const Layout& layout, int port, const Following& following, const std::stop_token& stop) {
  const Status done = do_subscribe(layout, port, following, stop);
  return done ? done : std::unexpected(follow_error(done.error()));
}

Status leave_source(const Following& following, const std::string& system, const std::stop_token& stop) {
  const Status done = do_leave(following, system, stop);
  return done ? done : std::unexpected(follow_error(done.error()));
}

}  // namespace twinspan::postgres
