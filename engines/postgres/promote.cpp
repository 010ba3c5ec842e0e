#include "engines/postgres/promote.hpp"

#include <signal.h>

#include "core/wait.hpp"
#include "engines/postgres/files.hpp"

namespace twinspan::postgres {
namespace {

// Until the query answers a row.
Status poll_until(Session& session, const char* sql, const char* what, std::chrono::milliseconds timeout,
                  const std::stop_token& stop) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return fail(Code::kTimeout, what);
    const auto rows = session.query(sql, {}, left, stop);
    if (!rows) return std::unexpected(rows.error());
    if (!rows->empty()) return {};
    if (!wait_for(std::chrono::milliseconds(5), stop)) return fail(Code::kCancelled, "stopped");
  }
}

}  // namespace

Status request_promotion(const Layout& layout, const Postmaster& postmaster) {
  if (!postmaster.running()) return fail(Code::kUnavailable, "the database does not run");
  const std::string path = layout.pgdata() + "/promote";
  if (auto wrote = replace_file(path, "\n", 0600); !wrote) return std::unexpected(wrote.error());
  postmaster.send(SIGUSR1);
  return {};
}

Status wait_until_promoted(Session& session, std::chrono::milliseconds timeout, const std::stop_token& stop) {
  return poll_until(session, "SELECT 1 WHERE NOT pg_is_in_recovery()", "the promotion takes too long", timeout, stop);
}

Status wait_until_receiver_stopped(Session& session, std::chrono::milliseconds timeout, const std::stop_token& stop) {
  return poll_until(session,
                    "SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_get_wal_receiver() r WHERE r.pid IS NOT NULL)",
                    "the WAL receiver does not stop", timeout, stop);
}

}  // namespace twinspan::postgres
