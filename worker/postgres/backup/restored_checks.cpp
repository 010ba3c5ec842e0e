#include "worker/postgres/backup/restored_checks.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "core/text.hpp"
#include "engines/postgres/command.hpp"
#include "engines/postgres/conninfo.hpp"

namespace twinspan::worker {
namespace {

using std::chrono::milliseconds;

constexpr std::chrono::hours kLongest{24};  // the pod ends before that
constexpr milliseconds kOpen{10000};
constexpr size_t kQueryShown = 200;

std::string without_end(std::string text) {
  while (!text.empty() && std::string_view("; \t\r\n").find(text.back()) != std::string_view::npos) text.pop_back();
  return text;
}

Result<postgres::Session> open_as_reader(const postgres::Layout& layout, int port, const std::string& database,
                                         const std::stop_token& stop) {
  // What a session begins with goes before what is set for roles and databases.
  return postgres::Session::open(
      postgres::conninfo({{"host", layout.run_dir},
                          {"port", std::to_string(port)},
                          {"user", kTestRole},
                          {"dbname", database},
                          {"application_name", "twinspan-restore-test"},
                          {"gssencmode", "disable"},
                          {"options",
                           "-c default_transaction_read_only=on -c statement_timeout=0 -c client_encoding=UTF8"
                           " -c cursor_tuple_fraction=1 -c lock_timeout=0"}}),
      kOpen, stop);
}

// A cursor takes nothing but what reads, and hands over no more than is fetched.
Result<postgres::Rows> ask_one(const postgres::Layout& layout, int port, const std::string& database,
                               const std::string& query, const std::string& fetch, const std::stop_token& stop) {
  auto session = open_as_reader(layout, port, database, stop);
  if (!session) return std::unexpected(session.error());
  if (auto begun = session->query("BEGIN READ ONLY", {}, kOpen, stop); !begun) return begun;
  const auto declared =
      session->query(fmt::format("DECLARE restored NO SCROLL CURSOR FOR\n{}", without_end(query)), {}, kLongest, stop);
  if (!declared) return declared;
  return session->query(fetch, {}, kLongest, stop);
}

Error of_query(const std::string& field, size_t number, const std::string& query, const Error& error) {
  return {error.code, fmt::format("{}[{}] \"{}\": {}", field, number, one_line(query, kQueryShown), error.message),
          error.retryable};
}

}  // namespace

Status make_test_role(postgres::Session& superuser, const std::stop_token& stop) {
  const auto made = superuser.simple(
      fmt::format(
          "DROP ROLE IF EXISTS {0}; CREATE ROLE {0} LOGIN BYPASSRLS IN ROLE pg_read_all_data, pg_read_all_stats,"
          " pg_read_all_settings",
          kTestRole),
      std::chrono::minutes(1), stop);
  if (!made) return std::unexpected(made.error());
  return {};
}

Status judge_check(const postgres::Rows& rows, int64_t at_least) {
  if (rows.size() != 1)
    return fail(Code::kInvalid,
                rows.empty() ? "gives no row, one is expected" : "gives more than one row, one is expected");
  if (rows.front().size() != 1)
    return fail(Code::kInvalid, fmt::format("gives {} columns, one is expected", rows.front().size()));
  const auto& cell = rows.front().front();
  if (!cell) return fail(Code::kInvalid, "gives NULL, a number is expected");
  const char *begin = cell->data(), *end = begin + cell->size();
  const auto too_small = [&] {
    return fail(Code::kInvalid, fmt::format("gives {}, at least {} is expected", *cell, at_least));
  };
  int64_t whole = 0;
  if (const auto [at, failed] = std::from_chars(begin, end, whole); failed == std::errc() && at == end)
    return whole >= at_least ? Status{} : too_small();
  double number = 0;
  if (const auto [at, failed] = std::from_chars(begin, end, number);
      failed != std::errc() || at != end || std::isnan(number))
    return fail(Code::kInvalid, fmt::format("gives \"{}\", a number is expected", one_line(*cell, kQueryShown)));
  return number >= static_cast<double>(at_least) ? Status{} : too_small();
}

Status ask_restored(const postgres::Layout& layout, int port, const api::TestAssignment& test,
                    const std::string& database, const std::stop_token& stop) {
  for (size_t i = 0; i < test.queries.size(); ++i)
    if (auto done = ask_one(layout, port, database, test.queries[i], "MOVE FORWARD ALL IN restored", stop); !done)
      return std::unexpected(of_query("queries", i, test.queries[i], done.error()));
  for (size_t i = 0; i < test.checks.size(); ++i) {
    const api::RestoreCheck& check = test.checks[i];
    const auto rows = ask_one(layout, port, database, check.query, "FETCH FORWARD 2 FROM restored", stop);
    if (!rows) return std::unexpected(of_query("checks", i, check.query, rows.error()));
    if (auto holds = judge_check(*rows, check.at_least); !holds)
      return std::unexpected(of_query("checks", i, check.query, holds.error()));
  }
  return {};
}

Status check_heap_and_indexes(postgres::Children& children, const postgres::Layout& layout, int port,
                              const std::stop_token& stop) {
  const postgres::Command command{layout.program("pg_amcheck"),
                                  {"--all", "--install-missing", "--no-password", "--host=" + layout.run_dir,
                                   fmt::format("--port={}", port), fmt::format("--username={}", postgres::kSuperuser)},
                                  {},
                                  kLongest,
                                  {}};
  const auto done = postgres::run(children, command, stop);
  if (!done) return std::unexpected(done.error());
  if (done->exit.clean()) return {};
  return fail(Code::kInternal, fmt::format("pg_amcheck: {}: {} {}", done->exit.describe(), done->out, done->last));
}

Result<bool> check_checksums(postgres::Children& children, const postgres::Layout& layout,
                             const std::stop_token& stop) {
  const postgres::Command command{
      layout.program("pg_checksums"), {"--check", "--pgdata=" + layout.pgdata()}, {}, kLongest, {}};
  const auto done = postgres::run(children, command, stop);
  if (!done) return std::unexpected(done.error());
  if (done->exit.clean()) return true;
  if (done->last.find("data checksums are not enabled") != std::string::npos) return false;
  return fail(Code::kInternal, fmt::format("pg_checksums: {}: {}", done->exit.describe(), done->last));
}

}  // namespace twinspan::worker
