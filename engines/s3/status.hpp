// What a worker says of its S3 link at GET /status. What was not measured is absent, never 0.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/json.hpp"
#include "engines/s3/sync.hpp"
#include "engines/s3/verify.hpp"

namespace twinspan::s3 {

enum class ReplicationState {
  kCatchingUp,  // the first full sync is not complete yet
  kInSync,      // everything that was seen has been replicated
  kReplicating,
  kFailing,  // the last sync was not complete, or some objects were given up
};
std::string_view to_string(ReplicationState state);

struct ReplicationStatus {
  ReplicationState state = ReplicationState::kCatchingUp;
  std::string message{};                           // why it is failing
  std::optional<double> lag_seconds{};             // absent until the first full sync is complete
  uint64_t queue_length = 0;                       // objects and parts not begun
  uint64_t outstanding_keys = 0;                   // known to differ, or notified, and not carried; given up ones too
  int active_transfers = 0, width = 0;             // objects under way; objects that may be at once
  SyncProgress sync{};                             // the last full sync, or the one that runs
  uint64_t objects_total = 0, failures_total = 0;  // since the process began, for rates
  int64_t bytes_total = 0;
  uint64_t versions_total = 0, unaligned_total = 0;  // of a link that carries all versions
  uint64_t conflicts_total = 0;                      // of a two-way link
  std::vector<DeadLetter> dead_letters{};
  std::optional<VerificationReport> verification{};  // the last one, or the one that runs
};

Json to_json(const SyncProgress& progress);
Result<SyncProgress> parse_sync_progress(const Json& json);
Json to_json(const ReplicationStatus& status);
Result<ReplicationStatus> parse_replication_status(const Json& json);

// Reading what another version may have written: what is missing or of another type reads as nothing.
bool flag_of(const Json& json, std::string_view key);
uint64_t count_of(const Json& json, std::string_view key);
std::optional<WallTime> time_of(const Json& json, std::string_view key);
std::vector<std::string> texts_of(const Json& json, std::string_view key);

// How far behind the target may be. Pure.
struct LagInput {
  WallTime now{};
  std::optional<WallTime> complete_since{};      // when the last complete sync began: what is older has arrived
  bool last_sync_failed = false;                 // since then nothing is known of newer objects
  std::optional<WallTime> oldest_outstanding{};  // last modified of the oldest object known and not arrived
  std::optional<std::chrono::microseconds> worst_arrival{};  // of the last sync: last modified to acknowledged
};
std::optional<double> lag_seconds(const LagInput& input);

}  // namespace twinspan::s3
