// One object on its way in parts. Several workers may carry parts of it.
#pragma once
#include <condition_variable>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "core/guarded.hpp"
#include "engines/s3/part_plan.hpp"
#include "engines/s3/route.hpp"

namespace twinspan::s3 {

// Parts of a sealed object: `plan` speaks of it as it is stored then.
struct Sealing {
  std::shared_ptr<const SealKey> key;
  SealHeader header;
};

class Multipart {
 public:
  // The ETags of acknowledged parts, by part number - 1; empty: to be carried.
  using PartEtags = std::vector<std::string>;
  using Keep = std::function<void(const PartEtags&, const std::stop_token& stop)>;

  // `done`: of parts that a former process has uploaded from the same content, with the same salt where it is sealed.
  // `keep` writes them down from time to time, by one thread at a time.
  Multipart(Route& route, ObjectName source, std::string source_etag, PartPlan plan, Upload upload, PartEtags done,
            std::optional<Sealing> sealing, Keep keep);

  // Claims and carries one part after the other, until none is left or one has failed.
  void carry_parts(const std::stop_token& stop);
  // Waits for those who carry parts still. The first error there was: kConflict and kGone speak of the source.
  Status finish();
  // After an error: what failed is to be carried again.
  void reopen();

  size_t unclaimed() const;
  int done_count() const;
  std::vector<Part> parts() const;  // all of them, once finish() succeeded
  const Upload& upload() const { return upload_; }
  const PartPlan& plan() const { return plan_; }
  const std::string& key() const { return source_.key; }
  const std::string& source_etag() const { return source_etag_; }

 private:
  Result<Part> carry(int number, const std::stop_token& stop);
  Result<Part> carry_sealed(int number, const std::stop_token& stop);

  Route& route_;
  const ObjectName source_;  // its key below the link's prefix
  const std::string source_etag_;
  const PartPlan plan_;
  const Upload upload_;
  const std::optional<Sealing> sealing_;
  const Keep keep_;

  mutable Mutex mutex_;
  std::condition_variable waker_;
  PartEtags etags_ GUARDED_BY(mutex_);
  std::vector<int> todo_ GUARDED_BY(mutex_);  // last first
  int carrying_ GUARDED_BY(mutex_) = 0, done_ GUARDED_BY(mutex_) = 0;
  bool keeping_ GUARDED_BY(mutex_) = false;
  BootTime kept_ GUARDED_BY(mutex_);
  std::optional<Error> error_ GUARDED_BY(mutex_);
};

// What S3 says of an upload of these parts, where it is plainly stored: the MD5 of the parts' MD5s. nullopt where the
// parts' ETags are no MD5s.
std::optional<std::string> multipart_etag(const std::vector<Part>& parts);

}  // namespace twinspan::s3
