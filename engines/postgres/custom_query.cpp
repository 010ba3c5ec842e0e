#include "engines/postgres/custom_query.hpp"

#include <fmt/format.h>

#include <cstdlib>
#include <set>

#include "core/text.hpp"
#include "engines/postgres/conninfo.hpp"

namespace twinspan::postgres {
namespace {

using std::chrono::milliseconds;

constexpr size_t kLabelMost = 256;  // characters: what is longer is cut
constexpr milliseconds kOpen{1000}, kAnswer{1000}, kRole{10000};

// People end a query by a semicolon, which a subquery can't have.
std::string without_end(std::string text) {
  while (!text.empty() && std::string_view("; \t\r\n").find(text.back()) != std::string_view::npos) text.pop_back();
  return text;
}

// What a session begins with goes before what is set for roles and databases.
std::string conninfo_of(const Layout& layout, int port, const CustomQuery& query) {
  return conninfo({{"host", layout.run_dir},
                   {"port", std::to_string(port)},
                   {"user", kMetricsRole},
                   {"dbname", query.database},
                   {"application_name", "twinspan-metrics"},
                   {"gssencmode", "disable"},
                   {"options", fmt::format("-c default_transaction_read_only=on -c statement_timeout={}s"
                                           " -c lock_timeout=1s -c client_encoding=UTF8"
                                           " -c client_connection_check_interval=200"
                                           " -c max_parallel_workers_per_gather=0 -c jit=off",
                                           query.timeout.count())}});
}

}  // namespace

std::string statement_of(const CustomQuery& query) {
  std::string columns;
  const auto add = [&](const std::string& column) { columns += (columns.empty() ? "" : ", ") + column; };
  for (const std::string& label : query.labels) add(fmt::format("left(q.\"{}\"::text, {})", label, kLabelMost));
  for (const std::string& value : query.values) add(fmt::format("q.\"{}\"::float8", value));
  // The line break ends a comment that the text may end with.
  return fmt::format("SELECT {} FROM (\n{}\n) AS q LIMIT {}", columns, without_end(query.text), kCustomRowsMost + 1);
}

Result<std::vector<CustomRow>> custom_rows(const Rows& rows, const CustomQuery& query) {
  if (rows.size() > kCustomRowsMost)
    return fail(Code::kInvalid, fmt::format("answers more than {} rows", kCustomRowsMost));
  std::vector<CustomRow> out;
  std::set<std::vector<std::string>> seen;
  for (const Row& row : rows) {
    if (row.size() != query.labels.size() + query.values.size())
      return fail(Code::kInternal, "another number of columns");
    CustomRow one;
    for (size_t i = 0; i < row.size(); ++i)
      if (i < query.labels.size())
        one.labels.push_back(one_line(row[i].value_or(""), 4 * kLabelMost));
      else
        one.values.push_back(row[i] ? std::optional(std::strtod(row[i]->c_str(), nullptr)) : std::nullopt);
    if (!seen.insert(one.labels).second)
      return fail(Code::kInvalid, query.labels.empty() ? "answers several rows and has no labels to tell them apart"
                                                       : "answers several rows with the same labels");
    out.push_back(std::move(one));
  }
  return out;
}

Result<std::vector<CustomRow>> ask(const Layout& layout, int port, const CustomQuery& query,
                                   const std::stop_token& stop) {
  auto session = Session::open(conninfo_of(layout, port, query), kOpen, stop);
  if (!session) return std::unexpected(session.error());
  // Never committed: some functions write though a transaction only reads (lo_create in PostgreSQL 15).
  const auto superuser = session->simple("BEGIN READ ONLY; SELECT current_setting('is_superuser')", kAnswer, stop);
  if (!superuser) return fail(Code::kUnavailable, superuser.error().message);
  if (superuser->size() != 1 || superuser->front().front() != "off")
    return fail(Code::kDenied, fmt::format("role {} is a superuser: nothing is asked", kMetricsRole));
  const auto rows = session->query(statement_of(query), {}, query.timeout + kAnswer, stop);
  if (!rows) return std::unexpected(rows.error());
  return custom_rows(*rows, query);
}

// Its settings are ones that it can't alter itself.
Status ensure_metrics_role(Session& session, const std::stop_token& stop) {
  const auto there = session.query(
      "SELECT rolcanlogin AND NOT rolsuper AND NOT rolcreaterole AND NOT rolcreatedb AND NOT rolreplication AND NOT"
      " rolbypassrls AND pg_has_role(rolname, 'pg_monitor', 'member') AND"
      " coalesce(rolconfig @> '{temp_file_limit=1GB}', false) FROM pg_roles WHERE rolname = $1",
      {kMetricsRole}, kRole, stop);
  if (!there) return std::unexpected(there.error());
  if (!there->empty() && there->front().front() == "t") return {};
  const auto made = session.simple(
      fmt::format("{1} ROLE {0} WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS PASSWORD NULL;"
                  "GRANT pg_monitor TO {0}; ALTER ROLE {0} SET temp_file_limit = '1GB'",
                  kMetricsRole, there->empty() ? "CREATE" : "ALTER"),
      kRole, stop);
  if (!made) return std::unexpected(made.error());
  return {};
}

}  // namespace twinspan::postgres
