#include "engines/postgres/promote.hpp"

#include <signal.h>

#include "core/log.hpp"
#include "core/wait.hpp"
#include "engines/postgres/files.hpp"

namespace twinspan::postgres {
namespace {

constexpr std::chrono::milliseconds kReplayMayWait{100};  // for a reader, once a promotion is wanted

// The process that replays reads neither a changed max_standby_streaming_delay nor the request to promote while it
// waits for a reader (PostgreSQL: ResolveRecoveryConflictWithVirtualXIDs and -Lock, standby.c).
constexpr const char* kEndReadersInTheWay =
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' "
    "AND pid <> pg_backend_pid() AND EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'startup' "
    "AND (wait_event LIKE 'RecoveryConflict%' OR wait_event_type IN ('Lock', 'BufferPin')))";

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
  using SteadyClock = std::chrono::steady_clock;
  const auto deadline = SteadyClock::now() + timeout;
  auto patient_until = SteadyClock::now() + kReplayMayWait;
  for (;;) {
    const auto now = SteadyClock::now();
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - now);
    if (left.count() <= 0) return fail(Code::kTimeout, "the promotion takes too long");
    const auto done = session.query("SELECT 1 WHERE NOT pg_is_in_recovery()", {}, left, stop);
    if (!done) return std::unexpected(done.error());
    if (!done->empty()) return {};
    if (now >= patient_until) {
      patient_until = now + kReplayMayWait;
      const auto ended = session.query(kEndReadersInTheWay, {}, left, stop);
      if (!ended) return std::unexpected(ended.error());
      if (!ended->empty()) log::warn("readers ended, replay waited for them", {{"sessions", ended->size()}});
    }
    if (!wait_for(std::chrono::milliseconds(5), stop)) return fail(Code::kCancelled, "stopped");
  }
}

Status wait_until_receiver_stopped(Session& session, std::chrono::milliseconds timeout, const std::stop_token& stop) {
  return poll_until(session,
                    "SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_get_wal_receiver() r WHERE r.pid IS NOT NULL)",
                    "the WAL receiver does not stop", timeout, stop);
}

}  // namespace twinspan::postgres
