// Reads the records of a link's past in all of its buckets, again and again, and writes them in every new epoch: in the
// primary's bucket first, and in a copy's before anything is written there.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "core/guarded.hpp"
#include "core/role_thread.hpp"
#include "core/wait.hpp"
#include "s3/client.hpp"
#include "worker/s3/past.hpp"

namespace twinspan::worker_s3 {

// What a run needs to know before it writes to its target.
struct Clearance {
  Permission permission;
  // With kAllowed, of the target's record:
  std::string began{}, since{};
  WallTime turned{};   // when it was written, by the bucket's clock, or since when it has had nothing of its own
  bool equal = false;  // the latter: both sides were the same then
  // Of a target that was primary before, by the primary's clock: what was last written there no later was there before
  // clients were. Zero: not known.
  WallTime led{};
};
using Clear = std::function<Clearance(const Direction& direction, const std::string& target)>;

// One thread calls apply; the rest from any.
class PastKeeper {
 public:
  // `changed` is called from the keeper's thread when what is known changes.
  PastKeeper(std::string s3_dir, const Clock& clock, std::function<void()> changed);

  // `writes`: whether records may be written: this worker holds a lease, and nothing is paused. Nothing that is carried
  // by an older direction may be under way any more.
  void apply(const api::ReplicationLink& link, bool writes);

  std::optional<FlowPast> past() const;  // nullopt: nothing was read yet
  // The epoch that the primary's own bucket has a record of, where it is the one in force. Dates of objects are whole
  // seconds: where the record's tells what was there before clients were, that second is over.
  std::optional<int64_t> recorded_epoch() const;
  Clearance clearance(const Direction& direction, const std::string& target) const;

 private:
  struct Job {
    LinkFacts facts;
    Bearing bearing;
    std::vector<api::Endpoint> endpoints;
    bool writes = false;
    // Until this job this process carried another way, and may write ever since: no client was sent to the primary
    // before its record was written (failover/flow/decide.hpp waits for whoever holds a lease).
    bool left = false;
    bool operator==(const Job&) const = default;
  };
  struct Known {  // what came of a job
    FlowPast past;
    std::map<std::string, Clearance> targets;
    std::optional<int64_t> recorded;
    BootTime recorded_from{};  // when it may be told
    bool settled = false;      // everything was read and written
  };

  void run(const std::stop_token& stop);
  bool look(const Job& job, const std::stop_token& stop);
  void read(const api::Endpoint& endpoint, const Job& job, const std::stop_token& stop);
  BootTime second_over(const StoredRecord& own);
  bool record(const std::string& endpoint, const Job& job, const std::stop_token& stop);
  void publish(const Job& job, Known known);
  s3::Client* client_of(const api::Endpoint& endpoint, std::string& why);
  bool may_be_closed(const std::string& endpoint, const Job& job, const Error& error);

  const std::string s3_dir_;
  const Clock& clock_;
  const std::function<void()> changed_;

  // run()'s thread only.
  std::map<std::string, std::pair<api::Endpoint, std::unique_ptr<s3::Client>>> clients_;
  RecordsRead seen_;
  std::optional<Job> looked_;
  int looks_ = 0;                  // at the present job, while something is missing
  std::optional<int64_t> led_in_;  // the epoch whose first record was written after all that we carried another way
  std::pair<std::string, BootTime> record_seen_;  // the primary's, by its ETag, and since when
  bool closed_ = false;                           // the source's credentials don't let us at our own objects there

  Signal wake_;
  mutable Mutex mutex_;
  std::optional<Job> job_ GUARDED_BY(mutex_);
  std::optional<Known> known_ GUARDED_BY(mutex_);          // of job_
  std::optional<int64_t> recorded_in_ GUARDED_BY(mutex_);  // the last epoch whose record was seen at its primary
  std::optional<FlowPast> past_ GUARDED_BY(mutex_);        // the last that was concluded of these endpoints
  std::stop_source look_stop_ GUARDED_BY(mutex_);          // of the look that is under way
  RoleThread thread_{"past-keeper"};
};

}  // namespace twinspan::worker_s3
