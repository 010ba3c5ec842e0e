// A link that carries all versions: one key's, one after the other, as both sides' histories are when its turn comes.
//
// Listings of a walk only say which keys to look at, for they may be old. A key is in one worker's hands at a time, and
// what it does it plans anew from both histories after every error: what had been made although its answer was lost is
// found then. Nothing else has to be remembered.
#pragma once
#include <atomic>
#include <condition_variable>

#include "core/guarded.hpp"
#include "engines/s3/history.hpp"
#include "engines/s3/transfer.hpp"

namespace twinspan::s3 {

// Both buckets keep versions. Where one doesn't, the next put would destroy what it replaces: kInvalid, naming it.
Status keep_versions(const Route& route, const std::stop_token& stop);

// One worker at a time may hold more versions than most keys have, so that memory doesn't grow with the number of
// workers: 100,000 versions are about 20 MB for each side.
class LongHistories {
 public:
  static constexpr size_t kLong = 10000;  // versions of one side

  class Turn {
   public:
    explicit Turn(LongHistories& all) : all_(all) {}
    ~Turn();
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    bool take(const std::stop_token& stop);  // waits for it, unless it is taken already

   private:
    LongHistories& all_;
    bool held_ = false;
  };

 private:
  Mutex mutex_;
  std::condition_variable_any waker_;
  bool busy_ GUARDED_BY(mutex_) = false;
};

// All there is of one key, with its prefix. Other keys that begin with it are passed over.
Result<History> read_history(Bucket& bucket, const std::string& key, LongHistories::Turn& turn,
                             const std::stop_token& stop);

class VersionCarrier final : public Carrier {
 public:
  VersionCarrier(Route& route, Transfer& transfer) : route_(route), transfer_(transfer) {}

  // A marker after which nothing comes is made only where work.may_delete.
  Result<Outcome> carry(Work& work, const std::stop_token& stop) override;
  Result<Outcome> refresh(Work& work, const std::stop_token& stop) override;
  Status discard(Work& work, const std::stop_token& stop) override { return transfer_.discard(work, stop); }

  uint64_t versions() const { return versions_; }    // carried, since construction
  uint64_t markers() const { return markers_; }      // of them, those that nothing came after
  uint64_t unaligned() const { return unaligned_; }  // keys whose target ended with what the source doesn't have

 private:
  Result<AppendPlan> plan(const Work& work, Histories& both, const std::stop_token& stop);
  Status append(Work& work, const Version& version, const std::stop_token& stop);
  Status carry_version(Work& work, const Version& version, const std::stop_token& stop);

  Route& route_;
  Transfer& transfer_;
  LongHistories long_;
  std::atomic<uint64_t> versions_{0}, markers_{0}, unaligned_{0};
};

}  // namespace twinspan::s3
