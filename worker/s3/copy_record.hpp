// What is known of a target as a copy of its primary, kept in the target's bucket: a worker that starts while the
// primary is away knows from it whether the copy was ever whole, and one that starts after a change of direction
// whether both sides were reconciled.
#pragma once
#include <chrono>
#include <stop_token>
#include <string>

#include "engines/s3/share.hpp"
#include "s3/bucket.hpp"
#include "worker/s3/direction.hpp"

namespace twinspan::worker_s3 {

struct CopyRecord {
  std::string primary;
  int64_t epoch = 0;
  bool reconciled = false;  // nothing is left here that the primary lacked when it became primary
  bool equal_once = false;  // since this primary became one, both sides were the same once
  std::string listed_at;    // RFC 3339: when the last full sync that reached its end began; empty: none has
  std::chrono::milliseconds sync_took{0};
  bool operator==(const CopyRecord&) const = default;
};

// The record as it counts in `direction`: as it is, or a new one where it speaks of another time.
CopyRecord continued(const CopyRecord& stored, const Direction& direction);

// Of one share of the keys.
std::string copy_record_key(const std::string& ns, const std::string& link, const s3::Share& share);
// An object that is not there, or makes no sense, is an empty record.
Result<CopyRecord> read_copy_record(s3::Bucket& target, const std::string& key, const std::stop_token& stop);

struct LearntRecord {
  CopyRecord record;         // as it counts in the direction
  int64_t stored_epoch = 0;  // of what was read, where that was of use; 0: nothing was
};
// A new division's share knows what all shares of a former one have found: whether both sides were reconciled is a fact
// of keys, whoever carries them. Reconciled anew, a copy that is younger than a write it lacks would win.
Result<LearntRecord> learn_copy_record(s3::Bucket& target, const std::string& ns, const std::string& link,
                                       const s3::Share& share, const Direction& direction, const std::stop_token& stop);
Status write_copy_record(s3::Bucket& target, const std::string& key, const CopyRecord& record,
                         const std::stop_token& stop);

}  // namespace twinspan::worker_s3
