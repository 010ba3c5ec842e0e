#include "worker/postgres/member_status.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "engines/postgres/deaf.hpp"
#include "worker/postgres/disk_probe.hpp"

namespace twinspan::worker {
namespace {

// What the last probe that succeeded saw counts for so long.
constexpr std::chrono::seconds kSeenCounts{3};

// PostgreSQL answered, and has not for a while: neither its lag nor whether it streams is known.
bool unmeasured(const StatusInput& input) { return input.local.seen && input.now - input.local.seen_at >= kSeenCounts; }

MemberState replica_state(const StatusInput& input) {
  const Local& local = input.local;
  if (!local.seen) return MemberState::kStarting;
  if (unmeasured(input)) return MemberState::kUnknown;
  if (!postgres::is_streaming(*local.seen)) return MemberState::kDisconnected;
  const uint64_t bound = input.desired != nullptr ? input.desired->lag_bytes_max : 0;
  return bound > 0 && local.lag_bytes.value_or(0) > bound ? MemberState::kCatchingUp : MemberState::kStreaming;
}

// A write to the disk that takes so long is worth saying.
constexpr std::chrono::seconds kDiskSaid{10};

std::string gib(uint64_t bytes) { return fmt::format("{:.1f} GiB", static_cast<double>(bytes) / (1ULL << 30)); }

std::string disk_text(const StatusInput& input) {
  return fmt::format(
      "its volume has not answered a write for {} s; look at the node and at the storage behind it. After "
      "{} s a primary gives up its lease, so that a replica can take over",
      std::chrono::duration_cast<std::chrono::seconds>(input.disk_waiting).count(), kDiskHangs.count());
}

std::string storage_text(const postgres::Volume& volume, const Local& local) {
  std::string text = fmt::format("{} of {} are free ({} %)", gib(volume.free_bytes), gib(volume.total_bytes),
                                 volume.total_bytes == 0 ? 0 : 100 * volume.free_bytes / volume.total_bytes);
  const postgres::Observation::Slot* most = nullptr;
  if (local.seen)
    for (const auto& slot : local.seen->slots)
      if (most == nullptr || slot.kept_bytes > most->kept_bytes) most = &slot;
  if (most != nullptr && most->kept_bytes >= (64ULL << 20))
    text += fmt::format(", {} of it is log kept for slot {}", gib(most->kept_bytes), most->name);
  return text +
         "; enlarge the volume (postgres.managed.storage.size) or delete data, before PostgreSQL stops because "
         "it is full";
}

void add_troubles(const StatusInput& input, MemberReport& report) {
  const Local& local = input.local;
  if (local.volume && postgres::is_low(*local.volume))
    report.troubles.push_back({TroubleKind::kStorageLow, storage_text(*local.volume, local)});
  if (!local.outside.empty())
    report.troubles.push_back(
        {TroubleKind::kTablespaceOutsideVolume,
         fmt::format(
             "the tablespace at {} does not lie on the volume: it is lost with the pod. Make one below the data "
             "directory, move what is in it there (ALTER TABLE … SET TABLESPACE), and drop it",
             local.outside.front())});
  if (local.database_remade_at && input.desired != nullptr)
    report.troubles.push_back(
        {TroubleKind::kDatabaseRemade,
         fmt::format("database {} was dropped by SQL, and made anew, empty, at {}. What was in it is gone here and on "
                     "every replica: restore it from a backup. This is said for an hour",
                     input.desired->database, to_rfc3339(*local.database_remade_at))});
  if (input.disk_waiting >= kDiskSaid) report.troubles.push_back({TroubleKind::kDiskHangs, disk_text(input)});
}

MemberState state_of(const StatusInput& input) {
  const Local& local = input.local;
  if (local.doing) return *local.doing;
  if (const auto* halt = std::get_if<Halt>(&input.action))
    return halt->reason == HaltReason::kDiverged ? MemberState::kDiverged : MemberState::kFailed;
  switch (local.process) {
    case ProcessState::kPrimaryRunning:
      if (local.writable && input.disk_waiting >= kDiskSaid) return MemberState::kFailed;  // no commit ends
      return local.writable ? MemberState::kRunning : MemberState::kStarting;
    case ProcessState::kReplicaRunning: return replica_state(input);
    case ProcessState::kStopped: break;
  }
  if (local.data == DataShape::kNone) return local.trouble.empty() ? MemberState::kEmpty : MemberState::kFailed;
  if (local.log_gap && !local.trouble.empty()) return MemberState::kFailed;  // its clone failed
  return MemberState::kStopped;
}

// What is known of the gap is of this data, and of the upstream it is to follow now.
bool needs_clone(const Local& local, const MemberView& view) {
  return local.log_gap && local.log_gap->data_life == local.data_life && local.log_gap->upstream == view.upstream &&
         local.log_gap->restore_command.empty();
}

// What is so, and what happens next.
std::string gap_text(const StatusInput& input) {
  const Local::LogGap& gap = *input.local.log_gap;
  std::string text =
      !gap.tablespace.empty()
          ? fmt::format("{} has a tablespace at {}, outside the volume, where it can't be made here", gap.upstream,
                        gap.tablespace)
          : fmt::format(
                "{} has removed the log that is needed here next (the log here ends at {}, the oldest there is {})",
                gap.upstream, to_string(gap.needed), to_string(gap.oldest));
  if (!gap.restore_command.empty()) return text + "; it is got from the archive, which loses nothing";
  if (input.desired != nullptr && input.desired->paused)
    return text + "; it has to be cloned anew, which spec.paused forbids: set spec.paused to false";
  if (gap.lacking)
    return text + fmt::format(
                      "; it has to be cloned anew, but its volume lacks {} of room for a copy of {} beside the old "
                      "data: enlarge the volume, or delete this endpoint's claim and pod for an empty one",
                      gib(*gap.lacking), gib(gap.data_bytes));
  return text + "; it is cloned anew, which loses nothing: all it has is the primary's";
}

std::string message_of(const StatusInput& input) {
  const Local& local = input.local;
  if (const auto* halt = std::get_if<Halt>(&input.action)) {
    if (halt->reason == HaltReason::kDiverged && local.comparison)
      return fmt::format(
          "{}. Nothing is overwritten: set spec.postgres.diverged to Rewind or Clone to let it go, or save what is "
          "here first",
          local.comparison->judgement.reason);
    if (halt->reason == HaltReason::kDataMissing)
      return "the data directory is empty although this link had a primary before: an empty database must not take its "
             "place";
    if (halt->reason == HaltReason::kMemoryUnreadable) return local.memory_trouble;
    return std::string(to_string(halt->reason));
  }
  if (input.disk_waiting >= kDiskSaid) return disk_text(input);
  if (local.log_gap) return gap_text(input) + (local.trouble.empty() ? "" : " (" + local.trouble + ")");
  if (const auto* wait = std::get_if<Wait>(&input.action); wait && wait->reason == WaitReason::kHistoryWentBack)
    return fmt::format(
        "the lease says epoch {}, and this endpoint remembers {}: the lease was deleted, edited or comes from an older "
        "backup; nobody is followed until the operator has made a later epoch",
        input.view.lease->epoch.value, local.memory->epoch_seen.value);
  if (!local.trouble.empty()) return local.trouble;
  if (local.process == ProcessState::kReplicaRunning && local.seen && local.seen->receiver &&
      postgres::receiver_hangs(*local.seen->receiver))
    return fmt::format(
        "its WAL receiver hangs: for {:.0f} s it has read nothing from {}; PostgreSQL is restarted after "
        "30 s",
        local.seen->receiver->silent_seconds, local.following);
  if (local.process == ProcessState::kReplicaRunning && unmeasured(input))
    return "PostgreSQL does not answer: how far it is behind is not known";
  if (!local.configuration_trouble.empty()) return local.configuration_trouble;
  return "";
}

}  // namespace

MemberReport member_report(const StatusInput& input) {
  const Local& local = input.local;
  const MemberView& view = input.view;
  MemberReport report;
  report.endpoint = view.self;
  report.instance = view.instance;
  report.address = input.address;
  report.role = local.process == ProcessState::kPrimaryRunning   ? Role::kPrimary
                : local.process == ProcessState::kReplicaRunning ? Role::kReplica
                                                                 : Role::kNone;
  report.state = state_of(input);
  report.message = message_of(input);
  report.database_running = local.process != ProcessState::kStopped;
  report.accepts_reads = local.seen.has_value() && local.sql_healthy.value_or(false);
  report.sql_healthy = local.sql_healthy;
  report.sql_failures = local.sql_failures;
  report.system_id = local.system_id;
  report.timeline = local.timeline;
  report.history = local.history;
  report.received = view.received;
  if (local.seen) report.replayed = local.seen->replayed;
  report.receiver_stopped = view.receiver_stopped;
  report.frozen_for = frozen_for(view);
  report.upstream = local.following;
  if (report.role == Role::kReplica && !unmeasured(input)) {
    report.lag_seconds = local.lag_seconds;
    report.lag_bytes = local.lag_bytes;
  }
  if (local.seen && input.desired != nullptr) {
    for (const auto& sender : local.seen->senders) {
      if (!input.desired->froms.contains(sender.application)) continue;  // a clone, or somebody's backup
      MemberReport::Downstream down;
      down.state = sender.deaf ? std::string(MemberReport::Downstream::kDeaf) : sender.state;
      down.sync_state = sender.sync_state;
      down.flushed = sender.flushed;
      down.replayed = sender.replayed;
      if (sender.replayed && !unmeasured(input))
        down.lag_bytes =
            local.seen->received > *sender.replayed ? local.seen->received.value - sender.replayed->value : 0;
      if (!unmeasured(input)) down.lag_seconds = sender.lag_seconds;
      report.downstreams[sender.application] = std::move(down);
    }
  }
  report.holds_lease = view.tenure.has_value();
  report.epoch = view.tenure ? *view.tenure : view.lease ? view.lease->epoch : Epoch{};
  report.memory = local.memory;
  if (view.prepared) report.prepared = local.prepared;
  report.restart_pending = local.seen && !local.seen->pending_restart.empty();
  report.progress = local.progress;
  if (input.desired != nullptr && needs_clone(local, view) && !may_clone_for_log(local, view, *input.desired))
    report.troubles.push_back({TroubleKind::kReplicaWithoutLog, gap_text(input)});
  add_troubles(input, report);
  if (local.volume) report.volume = {local.volume->total_bytes, local.volume->free_bytes};
  if (!local.parameters.asked.empty()) report.parameters = local.parameters;
  report.generation = local.generation;
  if (report.role == Role::kPrimary) report.details = details_of(local.objects);
  if (local.hba) report.details.update(details_of(local.hba, kDeclaredHba));
  if (report.role == Role::kPrimary && local.import_) report.details["import"] = api::to_json(*local.import_);
  if (local.backup) report.details.update(to_json(*local.backup));
  if (local.seen) report.version = local.seen->version.substr(0, local.seen->version.find(' '));
  return report;
}

bool may_clone_for_log(const Local& local, const MemberView& view, const Desired& desired) {
  return needs_clone(local, view) && !local.log_gap->lacking && !desired.paused;
}

bool is_ready(const MemberReport& report, double lag_seconds_max) {
  if (report.role == Role::kPrimary) return report.state == MemberState::kRunning;
  if (report.role != Role::kReplica || !report.accepts_reads) return false;
  if (report.state == MemberState::kStreaming) return true;
  return report.lag_seconds && *report.lag_seconds <= lag_seconds_max;
}

}  // namespace twinspan::worker
