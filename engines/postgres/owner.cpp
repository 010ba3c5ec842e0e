#include "engines/postgres/owner.hpp"

#include <fmt/format.h>

#include "core/log.hpp"
#include "engines/postgres/admin.hpp"
#include "engines/postgres/files.hpp"
#include "engines/postgres/scram.hpp"

namespace twinspan::postgres {
namespace {

constexpr std::chrono::milliseconds kTime{10000};
constexpr std::chrono::minutes kHandOverTime{2};  // of what may be many thousand tables

// The rows don't matter.
Status run(Session& session, const std::string& sql, const std::stop_token& stop,
           std::chrono::milliseconds time = kTime) {
  auto done = session.simple(sql, time, stop);
  if (!done) return std::unexpected(done.error());
  return {};
}

struct Database {
  bool exists = false;
  std::string owner;
  bool superuser = false;
};

Result<Database> look_at(Session& session, const std::string& database, const std::stop_token& stop) {
  const auto rows = session.query(
      "SELECT r.rolname, r.rolsuper FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba WHERE d.datname = $1",
      {database}, kTime, stop);
  if (!rows) return std::unexpected(rows.error());
  if (rows->empty()) return Database{};
  return Database{true, rows->front()[0].value_or(""), rows->front()[1].value_or("") == "t"};
}

// A password that is in force stays as it is: another salt would be a change that every replica has to receive.
Status ensure_role(Session& session, const Owner& owner, const std::stop_token& stop) {
  const auto role = session.query(
      "SELECT rolcanlogin AND NOT (rolsuper OR rolreplication OR rolbypassrls), coalesce(rolpassword, '')"
      " FROM pg_authid WHERE rolname = $1",
      {owner.username}, kTime, stop);
  if (!role) return std::unexpected(role.error());
  if (!role->empty() && role->front()[0] == "t" && is_verifier_of(role->front()[1].value_or(""), owner.password))
    return {};
  const auto verifier = session.scram_verifier(owner.username, owner.password);
  if (!verifier) return std::unexpected(verifier.error());
  return run(
      session,
      fmt::format("{} ROLE {} WITH LOGIN NOSUPERUSER NOREPLICATION NOBYPASSRLS PASSWORD {}",
                  role->empty() ? "CREATE" : "ALTER", session.identifier(owner.username), session.literal(*verifier)),
      stop);
}

// REASSIGN OWNED sees the objects of its session's database, and databases as such: those are put back, so that each
// changes hands with what is in it, and what was cut short is begun again. The link's own comes last.
Status hand_over(const Layout& layout, int port, Session& local, const std::string& database,
                 const std::vector<std::string>& with_it, const std::string& from, const std::string& to,
                 const std::stop_token& stop) {
  const std::string old = local.identifier(from), owner = local.identifier(to);
  const auto rows = local.query("SELECT datname FROM pg_database WHERE pg_get_userbyid(datdba) = $1 AND datname <> $2",
                                {from, database}, kTime, stop);
  if (!rows) return std::unexpected(rows.error());
  std::vector<std::string> owned;
  for (const Row& row : *rows) owned.push_back(row[0].value_or(""));
  for (const std::string& one : with_it) {
    if (std::erase(owned, one) == 0) continue;
    std::string back = fmt::format("ALTER DATABASE {} OWNER TO {};", local.identifier(database), old);
    for (const std::string& other : owned)
      back += fmt::format("ALTER DATABASE {} OWNER TO {};", local.identifier(other), old);
    auto inside = open_local(layout, port, kTime, stop, one);
    if (!inside) return std::unexpected(inside.error());
    if (auto done = run(*inside, fmt::format("BEGIN; REASSIGN OWNED BY {} TO {}; {} COMMIT", old, owner, back), stop,
                        kHandOverTime);
        !done)
      return done;
  }
  auto inside = open_local(layout, port, kTime, stop, database);
  if (!inside) return std::unexpected(inside.error());
  if (auto done =
          run(*inside, fmt::format("BEGIN; REASSIGN OWNED BY {0} TO {1}; ALTER ROLE {0} NOLOGIN; COMMIT", old, owner),
              stop, kHandOverTime);
      !done)
    return done;
  log::info("database has a new owner, the former one may not log in any more",
            {{"database", database}, {"former", from}, {"owner", to}});
  return {};
}

}  // namespace

std::string without_line_break(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

Status check_owner(const Owner& owner) {
  if (owner.username.empty() || owner.username.size() > 63)
    return fail(Code::kInvalid, "owner Secret, username: expected 1 to 63 characters");
  if (owner.username.starts_with("pg_") || owner.username == kSuperuser || owner.username == kReplicationRole ||
      owner.username == kMetricsRole || owner.username == "public" || owner.username == "none")
    return fail(Code::kInvalid, fmt::format("owner Secret, username \"{}\": this name is reserved", owner.username));
  if (owner.password.empty()) return fail(Code::kInvalid, "owner Secret, password: must not be empty");
  return {};
}

Result<Owner> read_owner(const std::string& owner_dir) {
  const auto read = [&](const char* key) -> Result<std::string> {
    auto text = read_file(owner_dir + "/" + key);
    if (!text && text.error().code == Code::kNotFound)
      return fail(Code::kNotFound, fmt::format("owner Secret: it does not exist, or has no key {}", key));
    if (!text) return text;
    return without_line_break(std::move(*text));
  };
  auto username = read("username");
  if (!username) return std::unexpected(username.error());
  auto password = read("password");
  if (!password) return std::unexpected(password.error());
  Owner owner{std::move(*username), std::move(*password)};
  if (auto fine = check_owner(owner); !fine) return std::unexpected(fine.error());
  return owner;
}

Status ensure_owner_and_database(const Layout& layout, int port, Session& local, const Owner& owner,
                                 const std::string& database, const std::vector<std::string>& with_it,
                                 const std::stop_token& stop) {
  if (auto fine = check_owner(owner); !fine) return fine;
  if (auto made = ensure_role(local, owner, stop); !made) return made;
  const auto there = look_at(local, database, stop);
  if (!there) return std::unexpected(there.error());
  const std::string name = local.identifier(owner.username), of = local.identifier(database);
  if (!there->exists) return run(local, fmt::format("CREATE DATABASE {} OWNER {}", of, name), stop);
  if (there->owner == owner.username) return {};
  // What a superuser owns is not a former owner's, and PostgreSQL refuses to give it away.
  if (there->superuser) return run(local, fmt::format("ALTER DATABASE {} OWNER TO {}", of, name), stop);
  return hand_over(layout, port, local, database, with_it, there->owner, owner.username, stop);
}

}  // namespace twinspan::postgres
