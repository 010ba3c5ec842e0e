// What each bucket of a link says of the link's past: `.twinspan/primary/NAMESPACE/LINK.json`, in the primary as in
// every copy. It is read before anything is written or deleted in any of them, so that a link that was applied again,
// moved to another cluster, renamed, or restored with its cluster learns who was primary meanwhile.
#pragma once
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/json.hpp"
#include "s3/bucket.hpp"

namespace twinspan::worker_s3 {

struct Place {
  std::string name, endpoint, bucket, prefix;
  bool operator==(const Place&) const = default;
};

inline constexpr std::string_view kWhenWritten = "when written";

struct LinkRecord {
  std::string ns, link, uid;  // uid empty: written before there were such records
  std::string here;           // the endpoint in whose bucket it lies, as that link names it
  int64_t epoch = 0;
  std::string primary, source;  // in that epoch, and in the spec of that time
  std::string since;            // RFC 3339, by the worker's clock: for people
  // RFC 3339, by the bucket's own clock: what is older was there before the link, and is nobody's copy. Empty: written
  // just now, so that the object's own date tells.
  std::string began;
  // RFC 3339, by the bucket's own clock, of a copy: what is older is at the primary, or was deleted there, for a full
  // sync that began then found nothing left. Empty: nothing is known.
  std::string equal_since{};
  // RFC 3339, by the bucket's own clock: since when `primary` has been primary, as far as this bucket learnt. Of the
  // primary's own: what was last written no later was there before clients were sent here. kWhenWritten: the object's
  // own date tells. Empty: nothing is known.
  std::string turned{};
  std::vector<Place> places{};  // of all endpoints, the source first
  bool operator==(const LinkRecord&) const = default;
};

Json to_json(const LinkRecord& record);
Result<LinkRecord> parse_link_record(const std::string& text);

std::string link_record_key(const std::string& ns, const std::string& link);

struct StoredRecord {
  LinkRecord record;
  std::string etag;    // empty: there is none yet
  WallTime written{};  // by the bucket's clock
};

// To the second, as objects' dates are; nullopt: nothing is known.
std::optional<WallTime> turned_of(const StoredRecord& stored);

// All that one bucket says.
struct BucketRecords {
  std::vector<StoredRecord> records;
  std::vector<std::string> unreadable;  // keys of objects that should be records
};

// Of any link. Copy records of this link from before there were link records (copy_record.hpp) count as records of
// `here`, too.
// `known`: what was read before; objects that are still the same are not read again.
Result<BucketRecords> read_link_records(s3::Bucket& bucket, const std::string& ns, const std::string& link,
                                        const Place& here, const BucketRecords& known, const std::stop_token& stop);

// In place of what was read as `before` (its ETag; empty: nothing). kConflict: another worker was faster.
Result<StoredRecord> write_link_record(s3::Bucket& bucket, LinkRecord record, const std::string& before,
                                       const std::stop_token& stop);

}  // namespace twinspan::worker_s3
