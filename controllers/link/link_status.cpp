#include "controllers/link/link_status.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <nlohmann/json.hpp>

#include "api/accepted.hpp"
#include "controllers/cluster/names.hpp"
#include "core/merge_patch.hpp"

namespace twinspan::controllers {
namespace {

enum class Detail { kAll, kWithoutNumbers, kStates };

// "replays 12 MiB at 0/5000148" and the same with others. Digits of names are none: west-2.
std::string without_numbers(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool begins = i == 0 || text[i - 1] == ' ' || text[i - 1] == '(';
    if (!begins || text[i] < '0' || text[i] > '9') {
      out += text[i];
      continue;
    }
    out += '#';
    while (i + 1 < text.size() && (std::isalnum(static_cast<unsigned char>(text[i + 1])) || text[i + 1] == '/' ||
                                   (text[i + 1] == '.' && i + 2 < text.size() && text[i + 2] != ' ')))
      ++i;
  }
  return out;
}

void shorten(std::optional<std::string>& message, Detail detail) {
  if (!message) return;
  if (detail == Detail::kStates)
    message.reset();
  else
    message = without_numbers(*message);
}

// What turns in them is a condition's word. Those that are active are left alone, and come and go with their members.
void shorten(api::KafkaGroupsStatus& groups, Detail detail) {
  auto troubled = std::move(groups.troubled);
  groups = {};
  if (detail == Detail::kStates) return;
  for (api::TroubledGroup& one : troubled)
    if (one.state != "Active") groups.troubled.push_back({one.group, one.state, without_numbers(one.message)});
}

api::LinkStatus reduced(api::LinkStatus status, Detail detail) {
  status.assignment.reset();
  status.rehearsal.reset();
  status.backup.reset();
  status.restore.reset();
  for (api::EndpointStatus& row : status.endpoints) {
    if (detail == Detail::kAll) continue;
    row.position.reset();
    row.lag_bytes.reset();
    row.lag_records.reset();
    row.queue_length.reset();
    row.active_transfers.reset();
    row.lag_seconds.reset();
    row.progress_percent.reset();
    shorten(row.message, detail);
  }
  if (detail == Detail::kAll) return status;
  if (auto& sync = status.sync; sync && detail == Detail::kWithoutNumbers) {
    api::SyncStatus turned;  // that one ended, and how it fared, are no numbers that move
    turned.completed_at = sync->completed_at;
    turned.failed = sync->failed;
    sync = std::move(turned);
  } else {
    sync.reset();
  }
  status.lag.reset();
  if (auto& import = status.import_) {
    import->tables_done.reset();
    import->bytes_done.reset();
    import->lag_bytes.reset();
    shorten(import->message, detail);
  }
  if (auto& kafka = status.kafka) {
    for (auto number : {&api::KafkaStatus::records, &api::KafkaStatus::bytes, &api::KafkaStatus::filtered_records,
                        &api::KafkaStatus::passed_percent})
      (*kafka.*number).reset();
    kafka->records_per_second.reset();
    kafka->bytes_per_second.reset();
    if (detail == Detail::kStates) kafka->partitions_by_state.clear();
    if (kafka->groups) shorten(*kafka->groups, detail);
    for (api::TroubledPartition& one : kafka->troubled) {
      one.offset.reset();
      one.message = detail == Detail::kStates ? "" : without_numbers(one.message);
    }
  }
  for (api::WorkerStatus& worker : status.workers) shorten(worker.message, detail);
  for (api::Condition& condition : status.conditions)
    condition.message = detail == Detail::kStates ? "" : without_numbers(condition.message);
  return status;
}

}  // namespace

std::string why_unheard(const EndpointSeen& member, const std::string& pod) {
  if (!member.pod && !member.refused.empty()) return fmt::format("pod {} was refused: {}", pod, member.refused);
  if (!member.pod) return fmt::format("pod {} does not exist yet", pod);
  if (member.pod->terminating) return fmt::format("pod {} is stopping", pod);
  if (!member.pod->trouble.empty()) return fmt::format("pod {} does not run: {}", pod, member.pod->trouble);
  if (!member.member.error.empty()) return fmt::format("its agent does not answer: {}", member.member.error);
  if (member.member.report) return "what its agent said last is too old to count";
  return fmt::format("pod {} is starting", pod);
}

double rounded_lag(double seconds) { return seconds < 10 ? std::round(seconds * 10) / 10 : std::round(seconds); }

std::string lag_text(double seconds) {
  const double shown = rounded_lag(seconds);
  return shown < 10 ? fmt::format("{:.1f}s", shown) : fmt::format("{:.0f}s", shown);
}

Urgency urgency_of(const api::LinkStatus& before, const api::LinkStatus& after) {
  // The most frequent answer first.
  if (reduced(before, Detail::kAll) == reduced(after, Detail::kAll)) return Urgency::kNone;
  if (reduced(before, Detail::kStates) != reduced(after, Detail::kStates)) return Urgency::kNow;
  if (reduced(before, Detail::kWithoutNumbers) != reduced(after, Detail::kWithoutNumbers)) return Urgency::kSoon;
  return Urgency::kLazy;
}

std::chrono::milliseconds StatusPace::pause_of(Urgency urgency) const {
  switch (urgency) {
    case Urgency::kSoon: return std::chrono::milliseconds(1000);
    case Urgency::kLazy: return pause_;
    case Urgency::kNow:
    case Urgency::kNone: break;
  }
  return std::chrono::milliseconds(0);
}

std::chrono::milliseconds StatusPace::wait(Urgency urgency, BootTime now) const {
  const auto left = written_at_ ? pause_of(urgency) - (now - *written_at_) : std::chrono::nanoseconds(0);
  return std::max(std::chrono::ceil<std::chrono::milliseconds>(left), std::chrono::milliseconds(0));
}

void StatusPace::wrote(Urgency urgency, BootTime now) {
  // A minute without a number that moved: whatever it was is over. Not less: where the API server is slow, writes come
  // seldom although numbers move, and the fewer are wanted the better.
  const bool goes_on = written_at_ && now - *written_at_ < 2 * kPauseMost;
  if (urgency == Urgency::kLazy) pause_ = goes_on ? std::min(2 * pause_, kPauseMost) : kPauseLeast;
  if (urgency == Urgency::kNow) pause_ = kPauseLeast;
  written_at_ = now;
}

std::optional<api::AcceptedSpec> next_accepted(const CachedLink& link) {
  const auto& before = link.status.accepted;
  const int64_t generation = link.metadata.generation;
  if (link.invalid) return before;
  if (before && before->generation == generation && before->spec.is_null()) return before;
  return api::accept(link.wanted ? *link.wanted : link.spec, generation);
}

namespace {

// What a merge patch does not name stays, inside an object as well.
void name_what_went(const Json& before, Json& after) {
  for (const auto& [key, value] : before.items()) {
    Json& now = after[key];  // null where it went away
    if (value.is_object() && now.is_object()) name_what_went(value, now);
  }
}

}  // namespace

Json status_patch(const CachedLink& link, const api::LinkStatus& after) {
  Json status = api::to_json(after);
  // What is kept only in part is named only where it changes.
  if (const auto& before = link.status.accepted; after.accepted == before)
    status.erase("accepted");
  else if (before && after.accepted)
    status["accepted"] = merge_patch_between(api::to_json(*before), status["accepted"]);
  for (const char* others : {"assignment", "rehearsal", "backup", "restore"}) status.erase(others);
  // Absent fields are deleted by name. Lists are replaced whole.
  for (const char* key : {"replicas", "lag", "trial", "update", "division", "workers", "sync", "verification", "import",
                          "kafka", "conditions", "endpoints"})
    if (!status.contains(key)) status[key] = nullptr;
  const Json before = api::to_json(link.status);
  for (const char* key : {"trial", "update", "sync", "verification", "import", "kafka"})
    if (status[key].is_object() && before.contains(key)) name_what_went(before[key], status[key]);
  return {{"metadata", {{"resourceVersion", link.metadata.resource_version}}}, {"status", std::move(status)}};
}

}  // namespace twinspan::controllers
