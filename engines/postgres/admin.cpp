#include "engines/postgres/admin.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/log.hpp"
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
                           const std::stop_token& stop) {
  auto session = Session::open(local_conninfo(layout, port), timeout, stop);
  if (!session) return session;
  // synchronous_commit: the agent must be able to work while every commit waits for a replica that it is about to bring
  // up. The logging settings keep password verifiers out of the log, errors included.
  auto prepared = session->simple(
      "SET synchronous_commit = local; SET client_connection_check_interval = '200ms'; SET log_statement = 'none';"
      "SET log_min_duration_statement = -1; SET log_min_error_statement = 'panic'; SET log_duration = off;"
      "SET lock_timeout = '5s'; SET search_path = pg_catalog",
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

Status check_owner(const Owner& owner) {
  if (owner.username.empty() || owner.username.size() > 63)
    return fail(Code::kInvalid, "owner Secret, username: expected 1 to 63 characters");
  if (owner.username.starts_with("pg_") || owner.username == kSuperuser || owner.username == kReplicationRole ||
      owner.username == "public" || owner.username == "none")
    return fail(Code::kInvalid, fmt::format("owner Secret, username \"{}\": this name is reserved", owner.username));
  if (owner.password.empty()) return fail(Code::kInvalid, "owner Secret, password: must not be empty");
  return {};
}

Status ensure_owner_and_database(Session& session, const Owner& owner, const std::string& database,
                                 const std::stop_token& stop) {
  if (auto fine = check_owner(owner); !fine) return fine;
  const auto verifier = session.scram_verifier(owner.username, owner.password);
  if (!verifier) return std::unexpected(verifier.error());
  const auto role = any(session, "SELECT 1 FROM pg_roles WHERE rolname = $1", {owner.username}, stop);
  if (!role) return std::unexpected(role.error());
  const std::string name = session.identifier(owner.username);
  if (auto made = run(session,
                      fmt::format("{} ROLE {} WITH LOGIN NOSUPERUSER NOREPLICATION NOBYPASSRLS PASSWORD {}",
                                  *role ? "ALTER" : "CREATE", name, session.literal(*verifier)),
                      stop);
      !made)
    return made;
  const auto exists = any(session, "SELECT 1 FROM pg_database WHERE datname = $1", {database}, stop);
  if (!exists) return std::unexpected(exists.error());
  if (*exists) {
    const auto owned = any(
        session, "SELECT 1 FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE datname = $1 AND rolname = $2",
        {database, owner.username}, stop);
    if (!owned) return std::unexpected(owned.error());
    if (*owned) return {};
    return run(session, fmt::format("ALTER DATABASE {} OWNER TO {}", session.identifier(database), name), stop);
  }
  return run(session, fmt::format("CREATE DATABASE {} OWNER {}", session.identifier(database), name), stop);
}

Status reconcile_slots(Session& session, const std::vector<Observation::Slot>& seen,
                       const std::vector<std::string>& wanted, const std::stop_token& stop) {
  std::optional<Error> first;
  const auto note = [&](const Result<Rows>& done, Code harmless) {
    if (!done && done.error().code != harmless && !first) first = done.error();
  };
  std::vector<std::string> kept;
  for (const Observation::Slot& slot : seen) {
    const bool ours = slot.name.starts_with("twinspan_");
    const bool useful = std::find(wanted.begin(), wanted.end(), slot.name) != wanted.end() && slot.wal_status != "lost";
    if (useful || !ours || slot.active) {
      kept.push_back(slot.name);
      continue;
    }
    log::info("replication slot dropped", {{"slot", slot.name}, {"wal_status", slot.wal_status}});
    note(session.query("SELECT pg_drop_replication_slot($1)", {slot.name}, kTime, stop), Code::kNotFound);
  }
  for (const std::string& name : wanted) {
    if (std::find(kept.begin(), kept.end(), name) != kept.end()) continue;
    log::info("replication slot created", {{"slot", name}});
    note(session.query("SELECT pg_create_physical_replication_slot($1, true)", {name}, kTime, stop),
         Code::kAlreadyExists);
  }
  if (first) return std::unexpected(*first);
  return {};
}

Status checkpoint(Session& session, std::chrono::milliseconds timeout, const std::stop_token& stop) {
  auto done = session.simple("CHECKPOINT", timeout, stop);
  if (!done) return std::unexpected(done.error());
  return {};
}

}  // namespace twinspan::postgres
