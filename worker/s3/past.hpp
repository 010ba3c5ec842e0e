// What the records in a link's buckets prove: who was primary last, and which way nothing may be carried. Pure.
#pragma once
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "failover/flow/past.hpp"
#include "failover/word.hpp"
#include "worker/s3/direction.hpp"
#include "worker/s3/link_record.hpp"

namespace twinspan::worker_s3 {

// The link as its spec has it now.
struct LinkFacts {
  std::string ns, link, uid;
  std::vector<Place> places;  // the source first
  bool restores = false;      // spec.s3.restore: a person says that the source was a target before
  bool operator==(const LinkFacts&) const = default;
};
LinkFacts facts_of(const api::ReplicationLink& link);

// What was read, by endpoint, and why others could not be.
struct RecordsRead {
  std::map<std::string, BucketRecords> read;
  std::map<std::string, std::string> unread;
};

// Which way things go, and on whose word.
struct Bearing {
  Direction direction;
  bool assigned = false;   // by status.assignment
  bool by_person = false;  // the annotation named this very primary and epoch
  // Another was primary before: whoever comes later must find that in the new primary's own bucket.
  bool turns() const { return assigned && !direction.first && !direction.same_as_before; }
  bool operator==(const Bearing&) const = default;
};
Bearing bearing_of(const api::ReplicationLink& link);

// Records count that are this link's, by namespace and name, whatever its uid, and those of any other link between the
// same places: one that was renamed, or comes from another cluster where the buckets have other addresses. The highest
// epoch of them is the last: who was primary then is primary again, where the spec's roles are still what they were. A
// link that has an assignment and finds a later record of another one has been taken over, and takes nothing back.
FlowPast judge_past(const LinkFacts& link, const RecordsRead& seen, const Bearing& bearing);

enum class Permit {
  kUnknown,  // something has not been read yet, or nobody has said who is primary
  kRefused,  // a record forbids it: a person's matter
  kAllowed,
};
struct Permission {
  Permit permit = Permit::kUnknown;
  std::string at{};  // the endpoint whose records are missing or forbid it
  FlowReason reason = FlowReason::kNone;
  std::string message{};
};

// Whether anything may be written to `target` (or, where it is the primary itself, whether its record may say so).
Permission may_write(const LinkFacts& link, const RecordsRead& seen, const Bearing& bearing, const std::string& target);

// What the record at `here` is to say in `bearing`, upon what is there. `unvisited`: of the primary's, no client was
// sent there yet, and whoever writes the record has carried nothing there since it was another's copy.
LinkRecord record_for(const LinkFacts& link, const RecordsRead& seen, const Bearing& bearing, const std::string& here,
                      const std::string& now, bool unvisited = false);

// This link's own record at an endpoint; nullptr: there is none.
const StoredRecord* own_record(const LinkFacts& link, const RecordsRead& seen, const std::string& endpoint);

}  // namespace twinspan::worker_s3
