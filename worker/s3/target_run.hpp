// Replication to one target, on a thread of its own: a full sync, again and again, until it is destroyed.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "core/wait.hpp"
#include "engines/s3/sync.hpp"
#include "failover/types.hpp"
#include "worker/s3/route_spec.hpp"

namespace twinspan::worker_s3 {

// What waits for a person: a CamelCase reason and the server's words.
struct Stall {
  std::string endpoint, reason, message;
  bool operator==(const Stall&) const = default;
};

struct TargetSnapshot {
  std::string name;
  MemberState state = MemberState::kStarting;
  std::string message;
  std::optional<Stall> stall;
  // Everything that the source had so many seconds ago is at the target: proven by a sync that began then and failed at
  // nothing. nullopt: there was none yet.
  std::optional<double> lag_seconds;
  size_t queued = 0;
  int active = 0;
  s3::SyncProgress sync;                                               // that runs, or ran last
  uint64_t replicated_total = 0, failed_total = 0, skipped_total = 0;  // since this began, for counters
  int64_t bytes_total = 0;
};

// The server's refusal as something that waits for a person; nullopt: it may pass by itself.
std::optional<Stall> stall_of(const std::string& endpoint, const std::string& bucket, const Error& error);

class TargetRun {
 public:
  // `s3_dir`: where ENDPOINT/credentials and ENDPOINT/ca are mounted. `changed` is called from the run's thread.
  TargetRun(RouteSpec spec, std::string s3_dir, const Clock& clock, std::function<void()> changed);
  ~TargetRun();  // stops; half-done uploads stay with their records, for whoever comes next

  const RouteSpec& spec() const { return spec_; }
  TargetSnapshot snapshot() const;  // any thread

 private:
  void run(const std::stop_token& stop);
  void replicate(const std::stop_token& stop);
  Status look(s3::Bucket& bucket, const std::string& endpoint, const std::stop_token& stop);
  void begin(const s3::SyncRun* run, const s3::Transfers* transfers);
  void settle(const s3::SyncProgress& progress);
  void note(MemberState state, std::string message, std::optional<Stall> stall = std::nullopt);
  Result<std::unique_ptr<s3::Client>> connect(const api::Endpoint& endpoint) const;

  const RouteSpec spec_;
  const std::string s3_dir_;
  const Clock& clock_;
  const std::function<void()> changed_;
  mutable std::mutex mutex_;
  TargetSnapshot last_;                   // without what `running_` and `transfers_` tell
  std::optional<WallTime> proven_at_;     // the start of the last sync that left nothing behind
  const s3::SyncRun* running_ = nullptr;  // while a sync runs
  const s3::Transfers* transfers_ = nullptr;
  std::jthread thread_;
};

}  // namespace twinspan::worker_s3
