// What a member does by itself for a connection that hangs and for log that is lost for good.
#include <fmt/format.h>

#include <algorithm>

#include "backup/archive.hpp"
#include "core/log.hpp"
#include "engines/postgres/archive/follow.hpp"
#include "engines/postgres/archive/lineage_store.hpp"
#include "engines/postgres/deaf.hpp"
#include "engines/postgres/declared.hpp"
#include "engines/postgres/files.hpp"
#include "engines/postgres/owner.hpp"
#include "engines/postgres/tablespaces.hpp"
#include "engines/postgres/upstream.hpp"
#include "worker/postgres/backup/restore_data.hpp"
#include "worker/postgres/disk_probe.hpp"
#include "worker/postgres/jobs.hpp"

namespace twinspan::worker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kTime{3000};
// A receiver tries again five times a second: one that has none for so long is refused, or its upstream is away.
constexpr seconds kReceivesNothing{5};
// A receiver ends by itself after wal_receiver_timeout. One that is silent for so long, and longer than it may be,
// hangs.
constexpr seconds kHangsForGood{30};
// Whoever gets nothing out of the archive for so long, though it is there, is cloned.
constexpr seconds kArchiveGivesUp{120};
// Room that a clone needs beside the copy: log of the meantime.
constexpr uint64_t kCloneReserve = 256ULL << 20;
constexpr seconds kDeclaredInterval{10};
constexpr std::chrono::hours kRemadeSaid{1};

}  // namespace

// PostgreSQL counts whoever bears an endpoint's name among those that commits wait for.
Status Jobs::end_false_senders(const Desired& desired, const Local& local, const std::stop_token& stop) {
  std::vector<int64_t> pids;
  for (const auto& sender : local.seen->senders) {
    if (!sender.deaf) continue;
    log::warn("a replica holds its connection open and reads nothing: ended, so that its slot can be let go",
              {{"replica", sender.application}, {"pid", sender.pid}});
    pids.push_back(sender.pid);
  }
  for (const auto& one : local.seen->strangers) {
    if (!desired.froms.contains(one.application)) continue;
    log::warn(
        "a subscriber bears an endpoint's name, so that commits would wait for it instead of a replica: ended; "
        "give it another application_name",
        {{"application", one.application}, {"user", one.user}, {"pid", one.pid}});
    pids.push_back(one.pid);
  }
  if (pids.empty()) return {};
  auto session = connect(desired, stop);
  if (!session) return std::unexpected(session.error());
  for (const int64_t pid : pids)
    if (auto ended = postgres::end_sender(*session, pid, stop); !ended) return ended;
  return {};
}

void Jobs::look_for_log_gap(const Desired& desired, const Local& local, const Upkeep& job,
                            const std::stop_token& stop) {
  const auto no_gap = [&] {
    if (local.log_gap) c_.local.update([](Local& one) { one.log_gap.reset(); });
  };
  if (postgres::is_streaming(*local.seen) || local.receiver_stopped || local.following.empty()) {
    receives_nothing_.reset();
    return no_gap();
  }
  const BootTime now = c_.clock.boot_now();
  const Position received = std::max(local.seen->received, local.received.value_or(Position{}));
  if (!receives_nothing_ || receives_nothing_->life != local.life || receives_nothing_->received != received)
    receives_nothing_ = Idle{local.life, received, now};
  if (receives_nothing_->replayed != local.seen->replayed) {
    receives_nothing_->replayed = local.seen->replayed;
    receives_nothing_->replayed_at = now;
  }
  if (now - receives_nothing_->since < kReceivesNothing) return;
  const auto upstream = find(desired, local.following);
  if (!upstream) return no_gap();
  const auto kept = postgres::ask_log_kept(c_.layout, *upstream, desired.settings.endpoint, kTime, stop);
  // Who can't be asked is away: that is no gap.
  if (!kept || postgres::has_log_after(*kept, received)) return no_gap();
  Local::LogGap gap{local.following, received, kept->oldest, "", kept->data_bytes, std::nullopt, local.data_life};
  // What a clone that was cut short left behind would count against the next one.
  (void)postgres::remove_tree(c_.layout.unfinished());
  const uint64_t room = kept->data_bytes + kCloneReserve;
  if (const auto volume = volume_of(c_.layout.data_dir); volume && volume->free_bytes < room)
    gap.lacking = room - volume->free_bytes;
  const bool known =
      local.log_gap && local.log_gap->data_life == gap.data_life && local.log_gap->upstream == gap.upstream;
  const std::string before = known ? local.log_gap->restore_command : "";
  // It is there, and nothing comes of it: a clone helps, where there is room for one.
  const bool vain = now - std::max(receives_nothing_->since, receives_nothing_->replayed_at) > kArchiveGivesUp;
  if (desired.paused) {
    gap.restore_command = before;  // as it is in the file, which stays as it is
  } else if (!vain || gap.lacking) {
    const auto command = from_archive(desired, local, job, *upstream, received, stop);
    // That it can't be told is no reason to clone; nor is a job that gave way.
    if (!command && (stop.stop_requested() || !vain)) return;
    if (command) gap.restore_command = *command;
  }
  if (!gap.restore_command.empty() && (!local.log_gap || local.log_gap->restore_command.empty()))
    log::info("log that the upstream has removed is got from the archive", {{"from", to_string(received)}});
  if (!local.log_gap)
    log::warn("the upstream has removed log that is needed here next",
              {{"upstream", gap.upstream}, {"needed", to_string(received)}, {"oldest", to_string(kept->oldest)}});
  c_.local.update([&](Local& one) {
    if (one.life == local.life) one.log_gap = gap;
  });
}

// restore_command of a replica that gets from the archive what its upstream has no more; empty: the archive lacks it,
// too. Only of the primary's history, and only what comes next there: where another takes its place the replica follows
// that one, and this is over.
Result<std::string> Jobs::from_archive(const Desired& desired, const Local& local, const Upkeep& job,
                                       const postgres::Upstream& upstream, Position received,
                                       const std::stop_token& stop) {
  if (!desired.backup || desired.backup_of_another || upstream.endpoint != job.primary) return "";
  const auto archive = c_.archive();
  if (!archive || !local.timeline) return fail(Code::kUnavailable, "the archive can't be asked yet");
  const auto theirs = postgres::ask_ancestry(c_.layout, upstream, desired.settings.endpoint, kTime, stop);
  if (!theirs) return std::unexpected(theirs.error());
  const postgres::Ancestry own{local.system_id, *local.timeline, local.history, received, true};
  if (postgres::judge(own, *theirs).kinship != postgres::Kinship::kSame) return "";
  if (local.memory && !contained(local.memory->epochs, received, job.epochs)) return "";
  const postgres::Followed followed{theirs->timeline, backup::departures_of(theirs->history)};
  const std::string next = postgres::segment_of_history(followed, received.value);
  const auto ours = is_our_log(*archive, followed, backup::timeline_of(next), job.epochs, stop);
  if (!ours) return std::unexpected(ours.error());
  if (!*ours) return "";
  const auto stored = stored_digest(*archive, next, stop);
  if (!stored) return std::unexpected(stored.error());
  return *stored ? follow_command(*archive, followed) : "";
}

// Whether what the archive has of this history, from that timeline on, is of the database whose log is of these epochs:
// what another promotion stored under the same number is not.
Result<bool> Jobs::is_our_log(const PgBackRest& archive, const postgres::Followed& followed, uint32_t first,
                              const EpochHistory& epochs, const std::stop_token& stop) const {
  auto lineage = postgres::LineageStore::open(archive.config(), archive.stanza(), c_.clock);
  if (!lineage) return std::unexpected(lineage.error());
  const auto noted = lineage->list(stop);
  if (!noted) return std::unexpected(noted.error());
  const auto ours = [&](uint32_t timeline) {
    return backup::is_ours(timeline, followed.history, noted->begun, epochs);
  };
  return ours(followed.timeline) && std::ranges::all_of(followed.history, [&](const backup::Departure& one) {
           return one.timeline < first || ours(one.timeline);
         });
}

Status Jobs::keep_declared(const Desired& desired, const std::stop_token& stop) {
  const BootTime now = c_.clock.boot_now();
  if (now - declared_at_ < kDeclaredInterval) return {};
  declared_at_ = now;
  const auto owner = postgres::read_owner(c_.owner_dir);
  if (!owner || owner_applied_.empty()) return {};  // told elsewhere, or not applied yet
  auto session = connect(desired, stop);
  if (!session) return std::unexpected(session.error());
  const auto seen = postgres::look_at_declared(*session, owner->username, desired.database, stop);
  if (!seen) return std::unexpected(seen.error());
  const WallTime time = c_.clock.wall_now();
  if (const auto said = c_.local.copy().database_remade_at; said && time - *said > kRemadeSaid)
    c_.local.update([](Local& local) { local.database_remade_at.reset(); });
  if (seen->database && seen->digest == declared_digest_) return {};
  log::warn(seen->database ? "the owner or the replication role was altered: set back as declared"
                           : "the database was dropped: made anew, empty",
            {{"database", desired.database}, {"owner", owner->username}});
  owner_applied_.clear();
  if (auto role = postgres::ensure_replication_role(*session, stop); !role) return role;
  if (auto done = apply_owner(desired, *session, stop); !done) return done;
  if (!seen->database) c_.local.update([&](Local& local) { local.database_remade_at = time; });
  return {};
}

Status Jobs::keep_objects(const Desired& desired, const Local& local, const std::string& owner,
                          const std::stop_token& stop) {
  auto said = objects_.keep(desired.objects,
                            {c_.layout, desired.settings.port, local.life, local.opened_in.value, owner}, stop);
  if (!said) return std::unexpected(said.error());
  if (*said != local.objects) c_.local.update([&](Local& one) { one.objects = std::move(*said); });
  return {};
}

Status Jobs::make_tablespaces(const Desired& desired, const std::string& upstream, const std::stop_token& stop) {
  const auto source = find(desired, upstream);
  if (!source) return {};
  const auto theirs = postgres::ask_tablespaces(c_.layout, *source, desired.settings.endpoint, kTime, stop);
  if (!theirs) return {};  // it is away: what it has shows once it is back
  const auto outside = postgres::make_missing_locations(c_.layout, *theirs);
  if (!outside) return std::unexpected(outside.error());
  if (outside->empty()) return {};
  log::warn("a tablespace of the upstream lies outside the volume and can't be made here",
            {{"upstream", upstream}, {"location", outside->front()}});
  c_.local.update([&](Local& local) {
    local.log_gap = Local::LogGap{
        upstream, local.received.value_or(Position{}), {}, outside->front(), 0, std::nullopt, local.data_life};
  });
  return fail(Code::kUnavailable,
              fmt::format("tablespace at {} lies outside the volume, a clone comes next", outside->front()));
}

void Jobs::bound_wal(postgres::Settings& settings) {
  const auto volume = c_.local.copy().volume;
  if (!volume) return;
  settings.wal = postgres::wal_bounds(volume->total_bytes);
  if (bounded_for_bytes_ == volume->total_bytes) return;
  bounded_for_bytes_ = volume->total_bytes;
  log::info("WAL is bounded by the volume's size, where the spec sets no parameters of its own",
            {{"volume_bytes", volume->total_bytes},
             {"max_slot_wal_keep_bytes", settings.wal->slots_bytes},
             {"max_wal_bytes", settings.wal->checkpoint_bytes},
             {"wal_keep_bytes", settings.wal->keep_bytes}});
}

Status Jobs::restart_hung_receiver(const Desired& desired, const Local& local) {
  const auto& receiver = local.seen->receiver;
  if (desired.paused || !receiver || !postgres::receiver_hangs(*receiver) ||
      receiver->silent_seconds < static_cast<double>(kHangsForGood.count()))
    return {};
  log::warn("the WAL receiver hangs: restarting PostgreSQL",
            {{"upstream", local.following}, {"silent_seconds", static_cast<int64_t>(receiver->silent_seconds)}});
  doing(MemberState::kStopping);
  return c_.postmaster.stop(postgres::StopMode::kFast, seconds(2));
}

Result<postgres::Session> Jobs::prepare_repair(const Desired& desired, const postgres::Upstream& primary,
                                               const std::stop_token& stop) {
  // Proven anew, just before it is given up: everything here is part of the primary's history.
  const auto own = own_ancestry(desired, stop);
  if (!own) return std::unexpected(own.error());
  const auto theirs = postgres::ask_ancestry(c_.layout, primary, desired.settings.endpoint, kTime, stop);
  if (!theirs) return std::unexpected(theirs.error());
  if (const auto judgement = postgres::judge(*own, *theirs); judgement.kinship != postgres::Kinship::kSame) {
    c_.local.update([](Local& local) {
      local.log_gap.reset();
      local.comparison.reset();
    });
    return fail(Code::kUnavailable, fmt::format("not cloned: {}", judgement.reason));
  }
  return postgres::reserve_repair(c_.layout, primary, desired.settings.endpoint, kTime, stop);
}

}  // namespace twinspan::worker
