// Replication to one target for as long as it exists: the engine's replicator, notifications where the source has them,
// and a look at both buckets whenever something fails. After a change of direction both sides are reconciled first: a
// full sync both ways, in which nothing is deleted and nothing is lost that only the new target has.
#pragma once
#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "core/guarded.hpp"
#include "core/role_thread.hpp"
#include "core/wait.hpp"
#include "engines/s3/replicator.hpp"
#include "failover/types.hpp"
#include "worker/s3/copy_record.hpp"
#include "worker/s3/past_keeper.hpp"
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
  bool forbidden = false;  // a record of the link's past says that nothing may be written there
};

// The server's refusal as something that waits for a person; nullopt: it may pass by itself.
std::optional<Stall> stall_of(const std::string& endpoint, const std::string& bucket, const Error& error);

// The keys that one record of MinIO's ListenBucketNotification names; empty: it is none.
std::vector<std::string> notified_keys(std::string_view line);

class TargetRun {
 public:
  // `s3_dir`: where ENDPOINT/credentials and ENDPOINT/ca are mounted. `clear`: nothing is written to the target but its
  // own state before it allows it, nor after. `changed` is called from the run's thread.
  TargetRun(RouteSpec spec, std::string s3_dir, const Clock& clock, Clear clear, std::function<void()> changed);
  ~TargetRun();  // stops; half-done uploads stay with their records, for whoever comes next

  const RouteSpec& spec() const { return spec_; }
  void request_stop() { thread_.request_stop(); }
  TargetSnapshot snapshot() const;  // any thread
  void verify();                    // any thread; begins unless one runs already

 private:
  void run(const std::stop_token& stop);
  void replicate(const std::stop_token& stop);
  struct Ends {
    std::unique_ptr<s3::Client> source, target;
  };
  using Authorities = std::array<Result<std::string>, 2>;  // of source and target, as they are mounted
  struct Way {
    s3::Settings settings;
    bool always_both;  // by the spec, not only until both sides are reconciled
    bool late;         // both sides were equal once: only what comes late is carried back
  };
  Authorities authorities() const;
  bool both_answer(const Ends& ends, const std::stop_token& stop);
  std::optional<Way> way_of(const Clearance& clearance);
  void carry(const Ends& ends, const Way& way, const Authorities& trusted, s3::Replicator& replicator,
             const std::stop_token& stop);
  bool way_over(const Way& way) const;
  using Told = std::function<void(const std::vector<std::string>& keys)>;
  void listen(s3::Client& bucket, const api::Endpoint& endpoint, s3::Replicator& replicator, const Told& told,
              const std::stop_token& stop);
  bool keeps_versions(s3::Bucket& bucket, const std::string& endpoint, const std::stop_token& stop);
  bool look(s3::Bucket& bucket, const std::string& endpoint, const std::stop_token& stop);
  std::optional<Clearance> cleared(const std::stop_token& stop);
  bool learn_record(s3::Bucket& target, const std::stop_token& stop);
  bool carry_record_on(s3::Bucket& target, const std::stop_token& stop);
  void keep_record(s3::Bucket& target, const s3::ReplicationStatus& status, const std::stop_token& stop);
  void set_record(CopyRecord record);
  void note(const std::string& endpoint, std::string message, std::optional<Stall> stall);

  const RouteSpec spec_;
  const std::string s3_dir_;
  const Clock& clock_;
  const Clear clear_;
  const std::function<void()> changed_;
  std::optional<CopyRecord> record_;  // both are only run()'s thread's
  int64_t stored_epoch_ = 0;          // of the record that tells; 0: none does
  mutable Mutex mutex_;
  std::string at_fault_ GUARDED_BY(mutex_), message_ GUARDED_BY(mutex_);
  std::optional<Stall> stall_ GUARDED_BY(mutex_);
  std::optional<CopyRecord> shown_record_ GUARDED_BY(mutex_);  // the same, for snapshot()
  bool forbidden_ GUARDED_BY(mutex_) = false;                  // by a record of the link's past
  // What clients of the former primary write till then is brought along.
  WallTime both_ways_until_ GUARDED_BY(mutex_){};
  bool clean_ GUARDED_BY(mutex_) = false;  // since this run began, a full sync has left nothing undone
  std::shared_ptr<s3::Replicator> replicator_ GUARDED_BY(mutex_);  // while it runs
  RoleThread thread_{"target"};
};

}  // namespace twinspan::worker_s3
