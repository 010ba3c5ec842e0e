#include "engines/postgres/admin.hpp"

#include <fmt/format.h>

#include "engines/postgres/conninfo.hpp"

namespace twinspan::postgres {
namespace {

constexpr std::chrono::milliseconds kTime{10000};

// The rows don't matter.
Status run(Session& session, const std::string& sql, const std::stop_token& stop) {
  auto done = session.simple(sql, kTime, stop);
  if (!done) return std::unexpected(done.error());
  return {};
}

Result<bool> any(Session& session, const std::string& sql, const std::vector<std::string>& parameters,
                 const std::stop_token& stop) {
  auto rows = session.query(sql, parameters, kTime, stop);
  if (!rows) return std::unexpected(rows.error());
  return !rows->empty();
}

}  // namespace

Result<Session> open_local(const Layout& layout, int port, std::chrono::milliseconds timeout,
                           const std::stop_token& stop, const std::string& database) {
  auto session = Session::open(local_conninfo(layout, port) + " dbname=" + database, timeout, stop);
  if (!session) return session;
  // synchronous_commit: the agent must be able to work while every commit waits for a replica that it is about to bring
  // up. The logging settings keep password verifiers out of the log, errors included, and out of statistics.
  auto prepared = session->simple(
      "SET synchronous_commit = local; SET client_connection_check_interval = '200ms'; SET log_statement = 'none';"
      "SET log_min_duration_statement = -1; SET log_min_error_statement = 'panic'; SET log_duration = off;"
      "SET log_min_duration_sample = -1; SET log_transaction_sample_rate = 0; SET debug_print_parse = off;"
      "SET debug_print_rewritten = off; SET debug_print_plan = off; SET pg_stat_statements.track_utility = off;"
      "SET lock_timeout = '5s'; SET search_path = pg_catalog;"
      // Whatever people set for everybody, or for this role.
      "SET statement_timeout = 0; SET idle_session_timeout = 0; SET idle_in_transaction_session_timeout = 0;"
      "SET default_transaction_read_only = off",
      timeout, stop);
  if (!prepared) return std::unexpected(prepared.error());
  return session;
}

Status ensure_replication_role(Session& session, const std::stop_token& stop) {
  const auto there =
      any(session,
          "SELECT 1 FROM pg_roles WHERE rolname = $1 AND rolreplication AND rolcanlogin AND"
          " pg_has_role(rolname, 'pg_checkpoint', 'member') AND"
          " has_function_privilege(rolname, 'pg_read_binary_file(text, bigint, bigint, boolean)', 'execute') AND"
          " has_function_privilege(rolname, 'pg_read_binary_file(text)', 'execute') AND"
          " has_function_privilege(rolname, 'pg_stat_file(text, boolean)', 'execute') AND"
          " has_function_privilege(rolname, 'pg_ls_dir(text, boolean, boolean)', 'execute')",
          {kReplicationRole}, stop);
  if (!there) return std::unexpected(there.error());
  if (*there) return {};
  const std::string role = session.identifier(kReplicationRole);
  const auto exists = any(session, "SELECT 1 FROM pg_roles WHERE rolname = $1", {kReplicationRole}, stop);
  if (!exists) return std::unexpected(exists.error());
  return run(session,
             fmt::format("{1} ROLE {0} WITH LOGIN REPLICATION NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD NULL;"
                         "GRANT pg_checkpoint TO {0};"
                         "GRANT EXECUTE ON FUNCTION pg_ls_dir(text, boolean, boolean), pg_stat_file(text, boolean),"
                         " pg_read_binary_file(text), pg_read_binary_file(text, bigint, bigint, boolean) TO {0}",
                         role, *exists ? "ALTER" : "CREATE"),
             stop);
}

Status end_sender(Session& session, int64_t pid, const std::stop_token& stop) {
  const auto done = session.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = $1::int AND backend_type = 'walsender'",
      {std::to_string(pid)}, kTime, stop);
  if (!done) return std::unexpected(done.error());
  return {};
}

Status checkpoint(Session& session, std::chrono::milliseconds timeout, const std::stop_token& stop) {
  auto done = session.simple("CHECKPOINT", timeout, stop);
  if (!done) return std::unexpected(done.error());
  return {};
}

}  // namespace twinspan::postgres
