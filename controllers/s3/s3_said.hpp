// What the workers of an S3 link say, taken together. Pure. What one of them doesn't tell is not known of the link
// either: it is absent, never counted as 0.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "controllers/s3/s3_seen.hpp"

namespace twinspan::controllers {

struct S3Said {
  bool heard = false;      // one of them at least
  bool copying = false;    // every share is in the hands of one of those
  std::string why_not{};   // for people; where not copying
  std::string instance{};  // of the only worker
  // One row for each endpoint that was spoken of: the worst state with its words, the worst lag, sums. Lag and sums
  // only where every share's worker tells them.
  std::vector<api::EndpointStatus> endpoints{};
  std::optional<api::SyncStatus> sync{};                         // sums; completedAt once all have completed theirs
  std::optional<api::VerificationStatus> verification{};         // sums of verifications that ran together
  std::optional<std::pair<std::string, std::string>> stalled{};  // reason and message
  bool undecided = false;                                        // the buckets' records don't tell who was primary last
  std::vector<api::WorkerStatus> workers{};                      // those wanted, and others while their pods are there
};

S3Said said_by_workers(const S3Seen& seen);

// This operator has only just begun to ask one of the workers: what was said before still stands.
bool said_pending(const S3Seen& seen);

}  // namespace twinspan::controllers
