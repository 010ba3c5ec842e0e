// Replication to one target for as long as it exists: the engine's replicator, notifications where the source has them,
// and a look at both buckets whenever something fails. After a change of direction both sides are reconciled first: a
// full sync both ways, in which nothing is deleted and nothing is lost that only the new target has.
#pragma once
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "core/wait.hpp"
#include "engines/s3/replicator.hpp"
#include "failover/types.hpp"
#include "worker/s3/copy_record.hpp"
#include "worker/s3/route_spec.hpp"

namespace twinspan::worker_s3 {

// What waits for a person: a CamelCase reason and the server's words.
struct Stall {
  std::string endpoint, reason, message;
  bool operator==(const Stall&) const = default;
};

struct TargetSnapshot {
  std::string name;
  int share = 0;  // of the keys, counted from 0
  MemberState state = MemberState::kStarting;
  std::string message;
  std::string at_fault;  // the endpoint that doesn't answer or refuses; empty: none
  std::optional<Stall> stall;
  std::optional<s3::ReplicationStatus> engine;  // nullopt: it doesn't run, a bucket can't be reached
  CopyRecord record{};                          // empty until the target was read
  bool caught_up = false;  // a full sync of this run has ended with everything carried, and nothing waits now
};

// The server's refusal as something that waits for a person; nullopt: it may pass by itself.
std::optional<Stall> stall_of(const std::string& endpoint, const std::string& bucket, const Error& error);

// The keys that one record of MinIO's ListenBucketNotification names; empty: it is none.
std::vector<std::string> notified_keys(std::string_view line);

class TargetRun {
 public:
  // `s3_dir`: where ENDPOINT/credentials and ENDPOINT/ca are mounted. `changed` is called from the run's thread.
  TargetRun(RouteSpec spec, std::string s3_dir, const Clock& clock, std::function<void()> changed);
  ~TargetRun();  // stops; half-done uploads stay with their records, for whoever comes next

  const RouteSpec& spec() const { return spec_; }
  void request_stop() { thread_.request_stop(); }
  TargetSnapshot snapshot() const;  // any thread
  void verify();                    // any thread; begins unless one runs already

 private:
  void run(const std::stop_token& stop);
  void replicate(const std::stop_token& stop);
  using Told = std::function<void(const std::vector<std::string>& keys)>;
  void listen(s3::Client& bucket, const api::Endpoint& endpoint, s3::Replicator& replicator, const Told& told,
              const std::stop_token& stop);
  bool keeps_versions(s3::Bucket& bucket, const std::string& endpoint, const std::stop_token& stop);
  bool look(s3::Bucket& bucket, const std::string& endpoint, const std::stop_token& stop);
  bool learn_record(s3::Bucket& target, const std::stop_token& stop);
  void keep_record(s3::Bucket& target, const s3::ReplicationStatus& status, const std::stop_token& stop);
  void note(const std::string& endpoint, std::string message, std::optional<Stall> stall);

  const RouteSpec spec_;
  const std::string s3_dir_;
  const Clock& clock_;
  const std::function<void()> changed_;
  mutable std::mutex mutex_;
  std::string at_fault_, message_;
  std::optional<Stall> stall_;
  std::optional<CopyRecord> record_;
  bool clean_ = false;                          // since this run began, a full sync has left nothing undone
  std::shared_ptr<s3::Replicator> replicator_;  // while it runs
  std::jthread thread_;
};

}  // namespace twinspan::worker_s3
