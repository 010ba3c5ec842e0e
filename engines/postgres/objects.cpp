#include "engines/postgres/objects.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <functional>

#include "core/text.hpp"
#include "engines/postgres/admin.hpp"

namespace twinspan::postgres {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTime{10000};
constexpr std::chrono::minutes kLongTime{2};  // of a database that is copied, or an extension's script
constexpr size_t kWordsMax = 400;

bool is_true(const std::optional<std::string>& text) { return text == "t"; }

// The line of the statement that PostgreSQL shows may have a password's verifier in it.
std::string words_of(const Error& error) {
  std::string text = error.message;
  if (const size_t at = text.find(" LINE 1: "); at != std::string::npos) text.resize(at);
  return one_line(text, kWordsMax);
}

bool is_over(const Error& error) { return error.code == Code::kCancelled || error.code == Code::kUnavailable; }

Result<SeenObjects> look(Session& session, const std::stop_token& stop) {
  SeenObjects seen;
  const auto roles = session.query(
      "SELECT rolname, rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication, rolbypassrls, rolconnlimit,"
      " coalesce(rolpassword, '') FROM pg_authid",
      {}, kTime, stop);
  if (!roles) return std::unexpected(roles.error());
  for (const Row& row : *roles) {
    SeenRole role{
        {is_true(row[1]), is_true(row[2]), is_true(row[3]), is_true(row[4]), is_true(row[5]), is_true(row[6])},
        {},
        row[8].value_or("")};
    const std::string limit = row[7].value_or("");
    std::from_chars(limit.data(), limit.data() + limit.size(), role.attributes.connection_limit);
    seen.roles.emplace(row[0].value_or(""), std::move(role));
  }
  const auto members = session.query(
      "SELECT m.rolname, g.rolname FROM pg_auth_members a JOIN pg_roles m ON m.oid = a.member"
      " JOIN pg_roles g ON g.oid = a.roleid",
      {}, kTime, stop);
  if (!members) return std::unexpected(members.error());
  for (const Row& row : *members) seen.roles[row[0].value_or("")].member_of.insert(row[1].value_or(""));
  const auto databases = session.query("SELECT datname, pg_get_userbyid(datdba) FROM pg_database", {}, kTime, stop);
  if (!databases) return std::unexpected(databases.error());
  for (const Row& row : *databases) seen.databases[row[0].value_or("")] = row[1].value_or("");
  return seen;
}

// One after another, each by itself: what PostgreSQL refuses is noted, and the rest goes on. What takes too long ends
// its session, and PostgreSQL undoes it.
Status carry_out(Session& session, const std::vector<Statement>& plan, const std::function<Result<Session>()>& open,
                 Objects::Outcome& outcome, const std::stop_token& stop) {
  for (const Statement& statement : plan) {
    const auto done = session.simple(statement.sql, kLongTime, stop);
    if (done) {
      outcome.changed.push_back(statement.object);
    } else {
      const bool too_long = done.error().code == Code::kTimeout;
      if (is_over(done.error()) || (!session.alive() && !too_long)) return std::unexpected(done.error());
      outcome.troubles.push_back({statement.object, too_long
                                                        ? fmt::format("took longer than {} min and was given up: {}",
                                                                      kLongTime.count(), words_of(done.error()))
                                                        : words_of(done.error())});
      if (session.alive()) continue;
      auto another = open();
      if (!another) return std::unexpected(another.error());
      session = std::move(*another);
    }
  }
  return {};
}

// Where there is no such database that was said already.
Status ensure_extensions(const Layout& layout, int port, const WantedDatabase& database, Objects::Outcome& outcome,
                         const std::stop_token& stop) {
  // Where an extension names no schema of its own, it is put where people's objects are.
  const auto open = [&]() -> Result<Session> {
    auto inside = open_local(layout, port, kTime, stop, database.name);
    if (!inside) return inside;
    if (auto set = inside->simple("SET search_path = public", kTime, stop); !set) return std::unexpected(set.error());
    return inside;
  };
  auto inside = open();
  if (!inside) {
    if (inside.error().code == Code::kCancelled) return std::unexpected(inside.error());
    outcome.troubles.push_back({"database " + database.name, words_of(inside.error())});
    return {};
  }
  const auto rows = inside->query("SELECT extname, extversion FROM pg_catalog.pg_extension", {}, kTime, stop);
  if (!rows) return std::unexpected(rows.error());
  std::map<std::string, std::string> installed;
  for (const Row& row : *rows) installed[row[0].value_or("")] = row[1].value_or("");
  return carry_out(*inside, plan_extensions(database, installed), open, outcome, stop);
}

}  // namespace

Result<Objects::Outcome> Objects::ensure(const Layout& layout, int port, const std::vector<Role>& roles,
                                         const std::vector<WantedDatabase>& databases, const std::stop_token& stop) {
  const auto open = [&] { return open_local(layout, port, kTime, stop); };
  auto session = open();
  if (!session) return std::unexpected(session.error());
  const auto seen = look(*session, stop);
  if (!seen) return std::unexpected(seen.error());
  std::vector<WantedRole> wanted;
  std::map<std::string, KnownPassword> passwords;  // what nobody declares any more is forgotten
  for (const Role& role : roles) {
    WantedRole one = role.wanted;
    if (role.password && !one.absent) {
      KnownPassword& known = passwords[one.name] = passwords_[one.name];
      if (known.verifier.empty() || known.password != *role.password) {
        auto verifier = session->scram_verifier(one.name, *role.password);
        if (!verifier) return std::unexpected(verifier.error());
        known = {*role.password, std::move(*verifier)};
      }
      one.verifier = known.verifier;
    }
    wanted.push_back(std::move(one));
  }
  passwords_ = std::move(passwords);
  Outcome outcome;
  if (auto done = carry_out(*session, plan_objects(wanted, databases, *seen), open, outcome, stop); !done)
    return std::unexpected(done.error());
  for (const WantedDatabase& database : databases) {
    const bool failed = std::any_of(outcome.troubles.begin(), outcome.troubles.end(), [&](const Trouble& trouble) {
      return trouble.object == "database " + database.name;
    });
    if (database.extensions.empty() || (failed && !seen->databases.contains(database.name))) continue;
    if (auto done = ensure_extensions(layout, port, database, outcome, stop); !done)
      return std::unexpected(done.error());
  }
  return outcome;
}

}  // namespace twinspan::postgres
