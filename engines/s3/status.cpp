#include "engines/s3/status.hpp"

#include <nlohmann/json.hpp>

#include "engines/s3/failed_report.hpp"

namespace twinspan::s3 {

std::string_view to_string(ReplicationState state) {
  switch (state) {
    case ReplicationState::kCatchingUp: return "CatchingUp";
    case ReplicationState::kInSync: return "InSync";
    case ReplicationState::kReplicating: return "Replicating";
    case ReplicationState::kFailing: return "Failing";
  }
  return "";
}

bool flag_of(const Json& json, std::string_view key) { return member_of(json, key) == Json(true); }

uint64_t count_of(const Json& json, std::string_view key) {
  return static_cast<uint64_t>(std::max<int64_t>(0, integer_of(json, key)));
}

std::optional<WallTime> time_of(const Json& json, std::string_view key) {
  const auto time = parse_rfc3339(text_of(json, key));
  return time ? std::optional(*time) : std::nullopt;
}

std::vector<std::string> texts_of(const Json& json, std::string_view key) {
  std::vector<std::string> texts;
  for (const Json& text : member_of(json, key))
    if (text.is_string()) texts.push_back(text.get<std::string>());
  return texts;
}

Json to_json(const SyncProgress& progress) {
  Json json = {{"total", progress.total},
               {"replicated", progress.replicated},
               {"skipped", progress.skipped},
               {"failed", progress.failed},
               {"extra", progress.extra},
               {"deleted", progress.deleted},
               {"conflicts", progress.conflicts},
               {"versions", progress.versions},
               {"unaligned", progress.unaligned},
               {"bytes", progress.bytes},
               {"archived", progress.archived},
               {"lost", progress.lost},
               {"tried", progress.tried},
               {"complete", progress.complete},
               {"startedAt", to_rfc3339_micro(progress.started_at)}};
  if (progress.completed_at) json["completedAt"] = to_rfc3339_micro(*progress.completed_at);
  if (!progress.error.empty()) json["error"] = progress.error;
  if (!progress.deletes_withheld.empty()) json["deletesWithheld"] = progress.deletes_withheld;
  return json;
}

Result<SyncProgress> parse_sync_progress(const Json& json) {
  if (!json.is_object()) return fail(Code::kInvalid, "sync: expected an object");
  SyncProgress progress;
  progress.total = count_of(json, "total");
  progress.replicated = count_of(json, "replicated");
  progress.skipped = count_of(json, "skipped");
  progress.failed = count_of(json, "failed");
  progress.extra = count_of(json, "extra");
  progress.deleted = count_of(json, "deleted");
  progress.conflicts = count_of(json, "conflicts");
  progress.versions = count_of(json, "versions");
  progress.unaligned = count_of(json, "unaligned");
  progress.bytes = integer_of(json, "bytes");
  progress.archived = count_of(json, "archived");
  progress.lost = count_of(json, "lost");
  progress.tried = flag_of(json, "tried");
  progress.complete = flag_of(json, "complete");
  progress.error = text_of(json, "error");
  progress.deletes_withheld = text_of(json, "deletesWithheld");
  progress.started_at = time_of(json, "startedAt").value_or(WallTime{});
  progress.completed_at = time_of(json, "completedAt");
  return progress;
}

Json to_json(const ReplicationStatus& status) {
  Json json = {{"state", to_string(status.state)},
               {"queueLength", status.queue_length},
               {"outstandingKeys", status.outstanding_keys},
               {"activeTransfers", status.active_transfers},
               {"width", status.width},
               {"sync", to_json(status.sync)},
               {"objectsTotal", status.objects_total},
               {"failuresTotal", status.failures_total},
               {"bytesTotal", status.bytes_total},
               {"conflictsTotal", status.conflicts_total},
               {"versionsTotal", status.versions_total},
               {"unalignedTotal", status.unaligned_total},
               {"deadLetters", Json::array()}};
  if (!status.message.empty()) json["message"] = status.message;
  if (status.lag_seconds) json["lagSeconds"] = *status.lag_seconds;
  for (const DeadLetter& letter : status.dead_letters) json["deadLetters"].push_back(to_json(letter));
  if (status.verification) json["verification"] = to_json(*status.verification);
  return json;
}

Result<ReplicationStatus> parse_replication_status(const Json& json) {
  if (!json.is_object()) return fail(Code::kInvalid, "status: expected an object");
  ReplicationStatus status;
  const std::string state = text_of(json, "state");
  for (auto known : {ReplicationState::kCatchingUp, ReplicationState::kInSync, ReplicationState::kReplicating,
                     ReplicationState::kFailing})
    if (state == to_string(known)) status.state = known;
  status.message = text_of(json, "message");
  if (const Json& lag = member_of(json, "lagSeconds"); lag.is_number()) status.lag_seconds = lag.get<double>();
  status.queue_length = count_of(json, "queueLength");
  status.outstanding_keys = count_of(json, "outstandingKeys");
  status.active_transfers = static_cast<int>(integer_of(json, "activeTransfers"));
  status.width = static_cast<int>(integer_of(json, "width"));
  if (auto sync = parse_sync_progress(member_of(json, "sync"))) status.sync = std::move(*sync);
  status.objects_total = count_of(json, "objectsTotal");
  status.failures_total = count_of(json, "failuresTotal");
  status.bytes_total = integer_of(json, "bytesTotal");
  status.conflicts_total = count_of(json, "conflictsTotal");
  status.versions_total = count_of(json, "versionsTotal");
  status.unaligned_total = count_of(json, "unalignedTotal");
  for (const Json& letter : member_of(json, "deadLetters"))
    status.dead_letters.push_back({text_of(letter, "key"), text_of(letter, "error"),
                                   static_cast<int>(integer_of(letter, "tries")),
                                   time_of(letter, "lastModified").value_or(WallTime{})});
  if (auto report = parse_verification_report(member_of(json, "verification")))
    status.verification = std::move(*report);
  return status;
}

std::optional<double> lag_seconds(const LagInput& input) {
  using Seconds = std::chrono::duration<double>;
  if (!input.complete_since) return std::nullopt;
  Seconds lag = input.worst_arrival.value_or(std::chrono::microseconds(0));
  if (input.oldest_outstanding) lag = std::max<Seconds>(lag, input.now - *input.oldest_outstanding);
  if (input.last_sync_failed) lag = std::max<Seconds>(lag, input.now - *input.complete_since);
  return std::max(0.0, lag.count());
}

}  // namespace twinspan::s3
