#include "engines/postgres/import_source.hpp"

#include <fmt/format.h>

#include <charconv>

#include "engines/postgres/conninfo.hpp"
#include "engines/postgres/sql_objects.hpp"

namespace twinspan::postgres {
namespace {

constexpr std::chrono::milliseconds kConnect{10000}, kTime{60000};
// libpq would look for one in the home directory, which need not be this user's.
constexpr const char* kNoCertificate = "/nonexistent/postgresql.crt";

}  // namespace

std::string source_conninfo(const ImportSource& from, const std::string& application_name, const std::string& options) {
  return conninfo({{"host", from.host},
                   {"port", std::to_string(from.port)},
                   {"dbname", from.database},
                   {"user", from.user},
                   {"passfile", from.pass_file},
                   {"sslmode", from.ssl_mode},
                   {"sslrootcert", from.ca_file},
                   {"sslcert", kNoCertificate},
                   {"gssencmode", "disable"},
                   {"connect_timeout", "10"},
                   {"application_name", application_name},
                   {"options", options}});
}

Result<Session> open_source(const ImportSource& from, const std::stop_token& stop) {
  auto session = Session::open(source_conninfo(from, "twinspan-import"), kConnect, stop);
  if (!session) return session;
  if (auto set = session->simple("SET statement_timeout = 0; SET search_path = pg_catalog", kTime, stop); !set)
    return std::unexpected(set.error());
  return session;
}

Result<Session> open_source_to_write(const ImportSource& from, const std::stop_token& stop) {
  auto session = open_source(from, stop);
  if (!session) return session;
  if (auto set =
          session->simple("SET default_transaction_read_only = off; SET synchronous_commit = local", kTime, stop);
      !set)
    return std::unexpected(set.error());
  return session;
}

std::string theirs(const std::string& what, const char* kind, const std::string& condition) {
  return fmt::format(
      "SELECT {} FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE relkind = '{}' AND {} AND {} ORDER "
      "BY 1",
      what, kind, kTheirs, condition);
}

std::string published_by(const std::string& publication) {
  return fmt::format(
      "SELECT {} FROM pg_publication p JOIN pg_publication_rel ON prpubid = p.oid JOIN pg_class c ON c.oid = prrelid"
      " JOIN pg_namespace n ON n.oid = relnamespace WHERE pubname = {}",
      kQuotedName, quoted_literal(publication));
}

Status run(Session& session, const std::string& sql, std::chrono::milliseconds time, const std::stop_token& stop) {
  auto done = session.simple(sql, time, stop);
  if (!done) return std::unexpected(done.error());
  return {};
}

Result<std::vector<std::string>> list_names(Session& session, const std::string& sql, const std::stop_token& stop) {
  const auto rows = session.query(sql, {}, kTime, stop);
  if (!rows) return std::unexpected(rows.error());
  std::vector<std::string> found;
  for (const Row& row : *rows) found.push_back(row[0].value_or(""));
  return found;
}

int64_t integer_of(const std::optional<std::string>& text) {
  int64_t value = 0;
  if (text) std::from_chars(text->data(), text->data() + text->size(), value);
  return value;
}

}  // namespace twinspan::postgres
