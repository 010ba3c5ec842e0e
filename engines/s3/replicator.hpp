// A link for as long as its worker lives: a full sync, then again at every interval, and what notifications name in
// between.
#pragma once
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/guarded.hpp"
#include "core/wait.hpp"
#include "engines/s3/status.hpp"

namespace twinspan::s3 {

struct ReplicatorSettings {
  // From the end of one full sync to the beginning of the next. With notifications it may be long: it finds only what
  // they missed.
  std::chrono::milliseconds listing_interval{60000};
  size_t notified_max = 100000;  // keys waiting; beyond it a full sync finds them
};

// run() in one thread, everything else from any. Both buckets outlive it.
class Replicator {
 public:
  Replicator(Settings settings, ReplicatorSettings more, Side source, Side target, const Clock& clock);
  ~Replicator();

  // Until `stop`. Half-done uploads stay then, and are resumed by whoever runs next.
  void run(std::stop_token stop);

  // Keys of the source, with its prefix, that were written or removed. Each is looked at before anything is done.
  void notify(const std::vector<std::string>& keys);
  // Of the target: of a two-way link.
  void notify_target(const std::vector<std::string>& keys);
  void sync_now();
  // A verification begins, unless one runs already. Replication goes on meanwhile.
  void verify_now(VerifySettings settings = {});

  ReplicationStatus status() const;

 private:
  void sync(const std::stop_token& stop);
  void follow(const std::stop_token& stop);
  void follow_beside(const std::stop_token& over);
  std::set<std::string> take_notified();
  bool waits_for_arrivals() const;
  std::optional<std::vector<std::string>> carry_written(const std::set<std::string>& keys, const std::stop_token& stop);
  void report_failed(const SyncProgress& progress, const std::stop_token& stop);
  void repair(const std::string& key);  // one whose metadata is not the source's; any thread
  void note_keys(const Side& from, const Side& other, const std::vector<std::string>& keys);
  void carry_both_ways(const std::set<std::string>& keys, const std::stop_token& stop);
  void carry_deleted(const std::vector<std::string>& keys, const std::stop_token& stop);
  void carry_notified(std::set<std::string> keys, const std::stop_token& stop);
  void verify_when_asked(const std::stop_token& stop);

  const ReplicatorSettings more_;
  Route route_;
  UploadRecords records_;
  std::unique_ptr<BothWays> both_;  // of a two-way link
  std::unique_ptr<Transfers> transfers_;

  Signal wake_, verify_;
  mutable Mutex mutex_;
  std::set<std::string> notified_ GUARDED_BY(mutex_);  // below the prefix
  std::set<std::string> repairs_ GUARDED_BY(mutex_);   // those of them that are not news
  bool sync_asked_ GUARDED_BY(mutex_) = false;
  std::optional<VerifySettings> verify_asked_ GUARDED_BY(mutex_);
  std::shared_ptr<SyncRun> running_ GUARDED_BY(mutex_);
  std::shared_ptr<Verification> verifying_ GUARDED_BY(mutex_);
  SyncProgress last_sync_ GUARDED_BY(mutex_);
  std::optional<VerificationReport> last_verification_ GUARDED_BY(mutex_);
  std::optional<WallTime> complete_since_ GUARDED_BY(mutex_);
  std::optional<std::chrono::microseconds> worst_arrival_ GUARDED_BY(mutex_);
  uint64_t removed_since_sync_ = 0;      // of who follows: the thread of run(), or the one beside its sync
  std::optional<bool> failed_reported_;  // nullopt: a former process may have
};

}  // namespace twinspan::s3
