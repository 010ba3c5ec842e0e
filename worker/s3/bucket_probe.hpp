// Whether a bucket answers, asked once a second apart from all replication, and, now and then, whether it takes writes.
#pragma once
#include <functional>
#include <optional>
#include <string>

#include "api/types.hpp"
#include "core/clock.hpp"
#include "core/guarded.hpp"
#include "core/role_thread.hpp"
#include "failover/flow/place.hpp"
#include "s3/bucket.hpp"

namespace twinspan::worker_s3 {

// What an answer says of the bucket. Being throttled is an answer; nullopt: nothing (we were stopped).
std::optional<Reach> reach_of(const Error& error);

class BucketProbe {
 public:
  struct Config {
    std::string s3_dir;
    std::string trial_key;                            // written to see whether writes are taken
    std::chrono::milliseconds interval{1000};         // between two questions
    std::chrono::milliseconds timeout{2000};          // of one
    std::chrono::milliseconds trial_interval{30000};  // between two writes
    std::chrono::milliseconds stale{6000};            // without an answer or its absence for so long nothing is known
  };

  // `changed` is called from the probe's thread when reach changes.
  BucketProbe(api::Endpoint endpoint, Config config, const Clock& clock, std::function<void()> changed);

  const api::Endpoint& endpoint() const { return endpoint_; }
  // Only what concerns the bucket by itself: reach, since, failures, message, writable.
  PlaceSeen seen() const;
  // Whether it is to be written to at all: the primary is its clients' business.
  void try_writes(bool wanted);

 private:
  void run(const std::stop_token& stop);
  void note(Reach reach, std::string message, BootTime asked_at, WallTime asked_wall);
  void try_to_write(s3::Bucket& bucket, const std::stop_token& stop);

  const api::Endpoint endpoint_;
  const Config config_;
  const Clock& clock_;
  const std::function<void()> changed_;
  mutable Mutex mutex_;
  PlaceSeen seen_ GUARDED_BY(mutex_);
  BootTime since_ GUARDED_BY(mutex_){}, measured_at_ GUARDED_BY(mutex_){};
  bool try_writes_ GUARDED_BY(mutex_) = false;
  RoleThread thread_{"bucket-probe"};
};

}  // namespace twinspan::worker_s3
