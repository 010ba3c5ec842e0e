#include "worker/postgres/backup/restore_test.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "backup/archive.hpp"
#include "backup/goal.hpp"
#include "backup/pgbackrest.hpp"
#include "core/guarded.hpp"
#include "core/log.hpp"
#include "core/wait.hpp"
#include "engines/postgres/admin.hpp"
#include "engines/postgres/auto_conf.hpp"
#include "engines/postgres/configure.hpp"
#include "engines/postgres/data.hpp"
#include "engines/postgres/files.hpp"
#include "engines/postgres/postmaster.hpp"
#include "engines/postgres/timeline.hpp"
#include "worker/postgres/backup/pgbackrest.hpp"
#include "worker/postgres/backup/restore_data.hpp"
#include "worker/postgres/backup/restored_checks.hpp"
#include "worker/postgres/backup/test_conf.hpp"

namespace twinspan::worker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::chrono::hours kLongest{24};
constexpr int kPort = 5432;

std::string tablespaces_of(const postgres::Layout& layout) { return layout.data_dir + "/tablespaces"; }

// One test, up to its answer.
class RestoreTest {
 public:
  RestoreTest(const RestoreTestNeeds& needs, const RestoreTestOrder& order, const std::stop_token& stop)
      : needs_(needs), order_(order), stop_(stop), begun_(needs.clock.boot_now()) {}

  RestoreTestResult run() {
    RestoreTestResult result;
    result.asked = order_.test.asked;
    const auto words = proven();
    result.seconds = seconds_;
    result.outcome = words    ? RestoreTestResult::Outcome::kPassed
                     : moved_ ? RestoreTestResult::Outcome::kMoved
                              : RestoreTestResult::Outcome::kFailed;
    result.message = words ? *words : words.error().message;
    return result;
  }

 private:
  // What it is, for people.
  Result<std::string> proven() {
    if (auto fetched = fetch(); !fetched) return std::unexpected(fetched.error());
    if (auto configured = configure(); !configured) return std::unexpected(configured.error());
    const postgres::Layout& layout = needs_.layout;
    postgres::Postmaster postmaster(needs_.children, layout, {}, [this](const postgres::Death& death) {
      MutexLock lock(mutex_);
      ended_ = death.last_words.empty() ? death.exit.describe() : death.last_words;
    });
    if (auto started = postmaster.start(); !started) return std::unexpected(started.error());
    auto session = answers();
    if (!session) return std::unexpected(session.error());
    seconds_ = std::chrono::duration_cast<seconds>(needs_.clock.boot_now() - begun_).count();
    log::info("PostgreSQL answers", {{"seconds", *seconds_}});
    const auto end = came_to_the_end(*session);
    if (!end) return std::unexpected(end.error());
    if (auto asked = ask(*session); !asked) return std::unexpected(asked.error());
    if (auto stopped = postmaster.stop(postgres::StopMode::kFast, std::chrono::minutes(30)); !stopped)
      return std::unexpected(stopped.error());
    const auto checksums = check_checksums(needs_.children, layout, stop_);
    if (!checksums) return std::unexpected(checksums.error());
    return fmt::format(
        "the log up to {} of timeline {} was replayed; {}; {} queries, {} checks{}", *end, order_.test.timeline,
        *checksums ? "every page's checksum holds" : "the database has no checksums", order_.test.queries.size(),
        order_.test.checks.size(), order_.test.amcheck ? "; pg_amcheck found nothing" : "");
  }

  Status fetch() {
    const postgres::Layout& layout = needs_.layout;
    if (mkdir(layout.pgdata().c_str(), 0700) != 0)
      return fail(Code::kInternal, fmt::format("{}: {}", layout.pgdata(), std::strerror(errno)));
    const backup::Instance instance{order_.stanza, layout.pgdata(), layout.run_dir, kPort, layout.run_dir + "/backup"};
    const auto config = needs_.access.write(order_.destination, order_.encryption, instance, stop_);
    if (!config) return std::unexpected(config.error());
    const PgBackRest program(needs_.children, *config, order_.stanza);
    const auto info = program.run_checked({"--output=json", "info"}, {}, stop_);
    if (!info) return std::unexpected(info.error());
    const auto stored = backup::parse_info(info->out, order_.stanza);
    if (!stored) return std::unexpected(stored.error());
    newest_ = stored->newest_segment;
    log::info("restoring", {{"label", order_.test.label}, {"timeline", order_.test.timeline}, {"newest", newest_}});
    return fetch_backup(program, layout, tablespaces_of(layout), backup::options_of({}, timeline(), order_.test.label),
                        timeline(), std::nullopt, 0, kLongest, stop_);
  }

  Status configure() {
    const postgres::Layout& layout = needs_.layout;
    const auto control = postgres::read_control_data(needs_.children, layout, stop_);
    if (!control) return std::unexpected(control.error());
    const auto user = postgres::os_user_name();
    if (!user) return std::unexpected(user.error());
    // What people had PostgreSQL set itself would win over what makes this copy harmless.
    const auto cleaned = postgres::clean_auto_conf(layout, [](const postgres::AutoSetting& setting) {
      return setting.name == "restore_command" || setting.name.starts_with("recovery_target");
    });
    if (!cleaned) return std::unexpected(cleaned.error());
    for (const auto& [path, text] :
         {std::pair{layout.conf_file(), render_test_conf(layout, kPort, order_.libraries, control->recovery_floor)},
          std::pair{layout.hba_file(), render_test_hba()}, std::pair{layout.ident_file(), render_test_ident(*user)}})
      if (auto wrote = postgres::replace_file(path, text, 0600); !wrote) return std::unexpected(wrote.error());
    return {};
  }

  // Nobody gets in before recovery is over.
  Result<postgres::Session> answers() {
    while (true) {
      {
        MutexLock lock(mutex_);
        if (ended_) return fail(Code::kInternal, fmt::format("PostgreSQL ended while it recovered: {}", *ended_));
      }
      auto session = postgres::open_local(needs_.layout, kPort, milliseconds(2000), stop_);
      if (session) return session;
      if (!wait_for(milliseconds(200), stop_)) return fail(Code::kCancelled, "stopped");
    }
  }

  // PostgreSQL's own new history says where recovery ended. The end, for people.
  Result<std::string> came_to_the_end(postgres::Session& session) {
    const auto text =
        session.query("SELECT pg_read_file('pg_wal/' || left(pg_walfile_name(pg_current_wal_lsn()), 8) || '.history')",
                      {}, seconds(10), stop_);
    if (!text) return std::unexpected(text.error());
    const auto history = postgres::parse_history(text->empty() ? std::string() : text->front().front().value_or(""));
    if (!history) return std::unexpected(history.error());
    if (history->empty()) return fail(Code::kInternal, "the history of the restored timeline says nothing");
    const TimelineSwitch& end = history->back();
    if (backup::is_segment(newest_) && backup::timeline_of(newest_) > timeline()) {
      moved_ = true;
      return fail(Code::kInvalid, fmt::format("the link went on from timeline {} meanwhile", timeline()));
    }
    if (const std::string gap = gap_after(end, newest_, timeline()); !gap.empty()) return fail(Code::kInvalid, gap);
    return to_string(end.end);
  }

  Status ask(postgres::Session& session) {
    if (auto made = make_test_role(session, stop_); !made) return made;
    if (auto asked = ask_restored(needs_.layout, kPort, order_.test, order_.database, stop_); !asked) return asked;
    if (!order_.test.amcheck) return {};
    return check_heap_and_indexes(needs_.children, needs_.layout, kPort, stop_);
  }

  uint32_t timeline() const { return static_cast<uint32_t>(order_.test.timeline); }

  const RestoreTestNeeds& needs_;
  const RestoreTestOrder& order_;
  const std::stop_token& stop_;
  const BootTime begun_;
  std::string newest_;  // segment that was stored when it began
  std::optional<int64_t> seconds_;
  bool moved_ = false;
  Mutex mutex_;
  std::optional<std::string> ended_ GUARDED_BY(mutex_);
};

}  // namespace

RestoreTestResult test_restore(const RestoreTestNeeds& needs, const RestoreTestOrder& order,
                               const std::stop_token& stop) {
  return RestoreTest(needs, order, stop).run();
}

}  // namespace twinspan::worker
