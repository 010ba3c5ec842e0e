// What makes of the data here a replica of whoever is primary, or tells what they are beside the primary's.
#include <fmt/format.h>

#include <algorithm>

#include "backup/archive.hpp"
#include "core/log.hpp"
#include "core/wait.hpp"
#include "engines/postgres/archive/follow.hpp"
#include "engines/postgres/clone.hpp"
#include "engines/postgres/configure.hpp"
#include "engines/postgres/data.hpp"
#include "engines/postgres/processes.hpp"
#include "engines/postgres/promote.hpp"
#include "engines/postgres/rewind.hpp"
#include "engines/postgres/slots.hpp"
#include "engines/postgres/upstream.hpp"
#include "worker/postgres/backup/restore_data.hpp"
#include "worker/postgres/backup/restored_mark.hpp"
#include "worker/postgres/jobs.hpp"
#include "worker/postgres/memory_file.hpp"

namespace twinspan::worker {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kUpstream{3000};

}  // namespace

// What is here now is a copy of the primary's. Another may be primary before it is compared.
Status Jobs::copied(const EpochHistory& epochs) {
  std::optional<MemberMemory> memory = c_.local.copy().memory;
  if (!memory || memory->epochs == epochs) return {};
  memory->epochs = epochs;
  if (auto written = write_memory(c_.layout.data_dir, {*memory, ""}); !written) return written;
  c_.local.update([&](Local& local) { local.memory = memory; });
  return {};
}

Status Jobs::carry_out(const StopReceiver&, const Desired& desired, const std::stop_token& stop) {
  if (auto configured = configure(desired, "", false, stop); !configured) return configured;
  c_.local.update([](Local& local) { local.following.clear(); });
  auto session = connect(desired, stop);
  if (!session) {
    // A replica short of a consistent state answers no SQL, perhaps for ever: its processes and files tell as well.
    for (int i = 0; i < 100 && postgres::has_wal_receiver(c_.postmaster.pid()); ++i)
      if (!wait_for(milliseconds(10), stop)) return fail(Code::kCancelled, "stopped");
    if (postgres::has_wal_receiver(c_.postmaster.pid())) return fail(Code::kTimeout, "the WAL receiver does not stop");
    const auto own = postgres::read_ancestry(c_.children, c_.layout, stop);
    if (!own) return std::unexpected(own.error());
    c_.local.update([&](Local& local) {
      if (!local.received || *local.received < *own->end) local.received = own->end;
      local.receiver_stopped = true;
    });
    return {};
  }
  if (auto stopped = postgres::wait_until_receiver_stopped(*session, seconds(5), stop); !stopped) return stopped;
  const auto seen = postgres::observe(*session, kLocalConnect, stop);
  if (!seen) return std::unexpected(seen.error());
  c_.local.update([&](Local& local) {
    if (!local.received || *local.received < seen->received) local.received = seen->received;
    local.receiver_stopped = true;
    local.seen = *seen;
  });
  return {};
}

Status Jobs::carry_out(const StartReplica& job, const Desired& desired, const std::stop_token& stop) {
  doing(MemberState::kStarting);
  const Local before = c_.local.copy();
  if (auto set = postgres::set_standby(c_.layout, true); !set) return set;
  if (auto configured = configure(desired, job.upstream, false, stop); !configured) return configured;
  if (before.process_died && !job.upstream.empty())
    if (auto made = make_tablespaces(desired, job.upstream, stop); !made) return made;
  // What lies here counts as received though it is replayed only by and by.
  const auto own = postgres::read_ancestry(c_.children, c_.layout, stop);
  if (!own) return std::unexpected(own.error());
  // Somebody else opened what was restored here.
  if (auto mark = read_restored_mark(c_.layout.data_dir); mark && !mark->opened) {
    mark->opened = true;
    if (auto wrote = write_restored_mark(c_.layout.data_dir, *mark); !wrote)
      log::warn("that the link was opened can't be noted", {{"error", wrote.error().message}});
  }
  c_.guard.leave_primary();
  c_.local.update([&](Local& local) {
    local.process = ProcessState::kReplicaRunning;
    local.data = DataShape::kReplica;
    local.process_died = local.writable = false;
    local.following = job.upstream;
    local.receiver_stopped = job.upstream.empty();
    local.seen.reset();
    local.sql_healthy.reset();
    local.sql_failures = 0;
    local.final_position.reset();
    local.system_id = own->system_id;
    local.timeline = own->timeline;
    local.history = own->history;
    if (!local.received || *local.received < *own->end) local.received = own->end;
    ++local.life;
  });
  if (!job.upstream.empty())
    if (const auto upstream = find(desired, job.upstream))
      (void)postgres::ensure_slot_at(c_.layout, *upstream, desired.settings.endpoint, kUpstream, stop);
  const auto gave_up = start_database(desired, stop);
  if (!gave_up) {
    if (!c_.postmaster.running()) c_.local.update([](Local& local) { local.process = ProcessState::kStopped; });
    return std::unexpected(gave_up.error());
  }
  return *gave_up ? carry_out(job, desired, stop) : Status{};
}

Status Jobs::carry_out(const Follow& job, const Desired& desired, const std::stop_token& stop) {
  if (job.upstream.empty()) return fail(Code::kUnavailable, "nobody to follow");
  const auto upstream = find(desired, job.upstream);
  if (!upstream) return std::unexpected(upstream.error());
  // Without its slot the receiver would have to try again and again.
  if (auto slot = postgres::ensure_slot_at(c_.layout, *upstream, desired.settings.endpoint, kUpstream, stop); !slot)
    return slot;
  c_.local.update(
      [](Local& local) { local.receiver_stopped = false; });  // first: it is no longer true while the receiver starts
  if (auto configured = configure(desired, job.upstream, false, stop); !configured) return configured;
  c_.local.update([&](Local& local) { local.following = job.upstream; });
  return {};
}

Status Jobs::carry_out(const Clone& job, const Desired& desired, const std::stop_token& stop) {
  const auto source = find(desired, job.from);
  if (!source) return std::unexpected(source.error());
  std::optional<postgres::Session> reserved;  // until the copy is whole
  if (c_.local.copy().log_gap) {
    auto ready = prepare_repair(desired, *source, stop);
    if (!ready) return std::unexpected(ready.error());
    reserved.emplace(std::move(*ready));
  }
  doing(MemberState::kCloning, Progress{"Copying", 0, 0});
  if (auto stopped = c_.postmaster.stop(postgres::StopMode::kImmediate, kDatabaseStops); !stopped) return stopped;
  if (const auto tls = postgres::copy_tls_files(c_.layout); !tls) return std::unexpected(tls.error());
  const auto cloned = postgres::clone(
      c_.children, c_.layout, *source, desired.settings.endpoint,
      [this](const postgres::CloneProgress& progress) {
        doing(MemberState::kCloning, Progress{"Copying", progress.done_bytes, progress.total_bytes});
      },
      stop);
  if (!cloned) return cloned;
  data_replaced(DataShape::kReplica);
  return copied(job.epochs);
}

Status Jobs::carry_out(const Rewind& job, const Desired& desired, const std::stop_token& stop) {
  if (c_.local.copy().rewind_hopeless) return carry_out(Clone{job.from, job.epochs}, desired, stop);
  const auto source = find(desired, job.from);
  if (!source) return std::unexpected(source.error());
  doing(MemberState::kRewinding, Progress{"Rewinding", 0, 0});
  if (auto stopped = c_.postmaster.stop(postgres::StopMode::kFast, kDatabaseStops); !stopped) return stopped;
  if (auto configured = configure(desired, "", false, stop); !configured) return configured;
  auto rewound = postgres::rewind(c_.children, c_.layout, *source, desired.settings.endpoint, false, stop);
  // It reads the log from where the histories part, and the first of that may be gone here.
  if (!rewound && rewound.error().code == Code::kInternal && can_rewind_from_archive(desired, stop))
    rewound = postgres::rewind(c_.children, c_.layout, *source, desired.settings.endpoint, true, stop);
  if (rewound) {
    data_replaced(DataShape::kReplica);
    return copied(job.epochs);
  }
  if (postgres::shape_of(c_.layout) == postgres::Shape::kHalfDone) {
    data_replaced(DataShape::kNone);  // neither the old nor the new: only a clone helps
  } else if (rewound.error().code == Code::kInternal) {
    // pg_rewind itself refused, by lack of WAL for instance. The rule allows to lose what only this instance has:
    // clone.
    log::warn("rewind impossible, a clone comes next", {{"error", rewound.error().message}});
    c_.local.update([](Local& local) { local.rewind_hopeless = true; });
  }
  return rewound;
}

// The archive has this member's own log, and its configuration says how to get it.
bool Jobs::can_rewind_from_archive(const Desired& desired, const std::stop_token& stop) {
  const auto archive = c_.archive();
  const auto memory = c_.local.copy().memory;
  if (!archive || !memory || memory->epochs.empty() || postgres::shape_of(c_.layout) == postgres::Shape::kHalfDone)
    return false;
  const auto own = postgres::read_ancestry(c_.children, c_.layout, stop);
  if (!own) return false;
  const postgres::Followed followed{own->timeline, backup::departures_of(own->history)};
  if (!is_our_log(*archive, followed, 0, memory->epochs, stop).value_or(false)) return false;
  rewinds_with_ = follow_command(*archive, followed);
  const bool configured = configure(desired, "", false, stop).has_value();
  rewinds_with_.clear();  // who starts next writes the file anew
  return configured;
}

Status Jobs::carry_out(const StopReplica&, const Desired&, const std::stop_token&) {
  doing(MemberState::kStopping);
  return c_.postmaster.stop(postgres::StopMode::kFast, kDatabaseStops);
}

Result<postgres::Ancestry> Jobs::own_ancestry(const Desired& desired, const std::stop_token& stop) {
  const Local local = c_.local.copy();
  if (local.process != ProcessState::kStopped && local.timeline && local.seen) {
    if (auto session = connect(desired, stop))
      if (const auto seen = postgres::observe(*session, kLocalConnect, stop)) {
        const Position end = std::max(seen->received, local.received.value_or(Position{}));
        return postgres::Ancestry{local.system_id, *local.timeline, local.history, end, seen->in_recovery};
      }
  }
  // It doesn't run, or it can't be asked (a replica short of a consistent state): the files know as much.
  auto own = postgres::read_ancestry(c_.children, c_.layout, stop);
  if (own && own->end && local.received && *local.received > *own->end) own->end = local.received;
  return own;
}

Status Jobs::carry_out(const Compare& job, const Desired& desired, const std::stop_token& stop) {
  const auto source = find(desired, job.primary);
  if (!source) return std::unexpected(source.error());
  if (const auto tls = postgres::copy_tls_files(c_.layout); !tls) return std::unexpected(tls.error());
  const uint64_t data_life = c_.local.copy().data_life;
  const auto own = own_ancestry(desired, stop);
  if (!own) return std::unexpected(own.error());
  const auto theirs = postgres::ask_ancestry(c_.layout, *source, desired.settings.endpoint, kUpstream, stop);
  if (!theirs) return std::unexpected(theirs.error());
  auto judgement = postgres::judge(*own, *theirs);
  // Two promotions that never heard of each other have the same timeline, which PostgreSQL's tools can't tell apart.
  const std::optional<MemberMemory> memory = c_.local.copy().memory;
  const bool others = memory && own->end && !contained(memory->epochs, *own->end, job.epochs);
  if (others && judgement.kinship == postgres::Kinship::kSame)
    judgement = {postgres::Kinship::kForked,
                 fmt::format("the data here consist of epochs {}, the primary's of {}: a timeline of the same number, "
                             "written by another primary",
                             to_string(memory->epochs), to_string(job.epochs)),
                 std::nullopt};
  if (judgement.kinship == postgres::Kinship::kForked || judgement.kinship == postgres::Kinship::kForeign)
    log::warn("history diverged", {{"primary", job.primary}, {"epoch", job.epoch.value}, {"reason", judgement.reason}});
  c_.local.update([&](Local& local) {
    if (local.data_life != data_life) return;
    local.comparison = Local::Comparison{job.epoch, data_life, judgement, theirs->end};
    local.rewind_hopeless |= others;
    local.system_id = own->system_id;
    local.timeline = own->timeline;
    local.history = own->history;
    if (own->end && (!local.received || *local.received < *own->end)) local.received = own->end;
  });
  return {};
}

}  // namespace twinspan::worker
