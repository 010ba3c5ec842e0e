#include "worker/member_status.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace twinspan::worker {
namespace {

MemberState replica_state(const Local& local, const Desired* desired) {
  if (!local.seen) return MemberState::kStarting;
  if (!local.seen->receiver || local.seen->receiver->status != "streaming") return MemberState::kDisconnected;
  const uint64_t bound = desired != nullptr ? desired->lag_bytes_max : 0;
  return bound > 0 && local.lag_bytes.value_or(0) > bound ? MemberState::kCatchingUp : MemberState::kStreaming;
}

MemberState state_of(const StatusInput& input) {
  const Local& local = input.local;
  if (local.doing) return *local.doing;
  if (const auto* halt = std::get_if<Halt>(&input.action))
    return halt->reason == "Diverged" ? MemberState::kDiverged : MemberState::kFailed;
  switch (local.process) {
    case ProcessState::kPrimaryRunning: return local.writable ? MemberState::kRunning : MemberState::kStarting;
    case ProcessState::kReplicaRunning: return replica_state(local, input.desired);
    case ProcessState::kStopped: break;
  }
  if (local.data == DataShape::kNone) return local.trouble.empty() ? MemberState::kEmpty : MemberState::kFailed;
  return MemberState::kStopped;
}

std::string message_of(const StatusInput& input) {
  const Local& local = input.local;
  if (const auto* halt = std::get_if<Halt>(&input.action)) {
    if (halt->reason == "Diverged" && local.comparison)
      return fmt::format(
          "{}. Nothing is overwritten: set spec.postgres.diverged to Rewind or Clone to let it go, or save what is "
          "here first",
          local.comparison->judgement.reason);
    if (halt->reason == "DataMissing")
      return "the data directory is empty although this link had a primary before: an empty database must not take its "
             "place";
    return halt->reason;
  }
  if (!local.trouble.empty()) return local.trouble;
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
  if (report.role == Role::kReplica) {
    report.lag_seconds = local.lag_seconds;
    report.lag_bytes = local.lag_bytes;
  }
  if (local.seen && input.desired != nullptr) {
    for (const auto& sender : local.seen->senders) {
      if (!input.desired->froms.contains(sender.application)) continue;  // a clone, or somebody's backup
      MemberReport::Downstream down;
      down.state = sender.state;
      down.sync_state = sender.sync_state;
      down.flushed = sender.flushed;
      down.replayed = sender.replayed;
      if (sender.replayed)
        down.lag_bytes =
            local.seen->received > *sender.replayed ? local.seen->received.value - sender.replayed->value : 0;
      down.lag_seconds = sender.lag_seconds;
      report.downstreams[sender.application] = std::move(down);
    }
  }
  report.holds_lease = view.tenure.has_value();
  report.epoch = view.tenure ? *view.tenure : view.lease ? view.lease->epoch : Epoch{};
  report.restart_pending = local.seen && !local.seen->pending_restart.empty();
  report.progress = local.progress;
  report.generation = local.generation;
  if (local.seen) report.version = local.seen->version.substr(0, local.seen->version.find(' '));
  return report;
}

bool is_ready(const MemberReport& report, double lag_seconds_max) {
  if (report.role == Role::kPrimary) return report.state == MemberState::kRunning;
  if (report.role != Role::kReplica || !report.accepts_reads) return false;
  if (report.state == MemberState::kStreaming) return true;
  return report.lag_seconds && *report.lag_seconds <= lag_seconds_max;
}

}  // namespace twinspan::worker
