// What a link's spec says of its S3 engine (api/: spec.s3), with the defaults it has there.
#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "engines/s3/share.hpp"
#include "engines/s3/stored/form.hpp"
#include "s3/bucket.hpp"

namespace twinspan::s3 {

// How many objects are under way at once: more while work piles up, fewer when it is nearly done.
struct Concurrency {
  int min = 3, initial = 5, max = 10;
  size_t grow_above = 100, shrink_below = 10;  // queued items
};

struct PriorityRule {
  std::string prefix;  // of the key below the link's prefix; of several that match, the longest counts
  int priority = 0;    // higher goes first; keys that no rule matches have 0
};

struct RetryPolicy {
  int max = 3;          // tries of one object
  int network_max = 5;  // tries where the server couldn't be reached, was busy or too slow
  std::chrono::milliseconds backoff_base{2000};
};

enum class DeleteMode { kIgnore, kReplicate };

struct DeletePolicy {
  DeleteMode mode = DeleteMode::kIgnore;
  size_t max_per_sync = 1000;
  // By the target's clock: what was last written earlier was there before the link, and is not ours to delete; where it
  // has to be replaced it is kept aside first.
  WallTime not_before{};
};

struct Settings {
  std::string link;        // names the link's state in the target bucket
  bool both_ways = false;  // writes are taken on both sides (both_ways.hpp); deletes are not replicated then
  // Of both ways after a change of direction: clients are sent to the source, and who still writes to the target has
  // not heard of it. Of what was written in the same second the source's wins.
  bool source_leads = false;
  // With it, by the source's clock: what was last written there no later was there before clients were, and does not
  // win over what a client wrote to the target since. Zero: nothing is known.
  WallTime led_since{};
  // Of a former target that clients may still write to by mistake: by its clock, what was last written earlier and is
  // missing at the source was deleted there, and is not brought back. Zero: nothing is known, everything is brought.
  WallTime late_since{};
  Share share{};  // which of the keys are ours
  // What is written over is what was looked at, by a precondition where the target's server holds to them: a request
  // that arrives late, after clients have been sent there, changes nothing. Of copies that are like their originals.
  bool guarded = false;
  bool same_endpoint = false;  // both buckets are one server's: it copies by itself
  // Each key's history, not only what is there now (versions.hpp). Then same_endpoint and both_ways are false, `stored`
  // is plain.
  bool all_versions = false;
  Concurrency objects_at_once{};
  std::vector<PriorityRule> priorities{};
  DeletePolicy deletes{};
  RetryPolicy retries{};
  int64_t bandwidth_bytes_per_second = 0;  // 0: no cap
  int listers = 4;                         // key ranges that are listed at once, on both sides
  int page_keys = 1000;                    // of one page of a listing
  size_t queue_max = 10000;                // work known and not begun; the listing waits beyond it
  int64_t buffer_bytes = 48 << 20;         // bodies in memory, of all transfers together
  int64_t single_put_bytes_max = 16 << 20;
  std::chrono::milliseconds record_parts_after{2000};  // how often an upload's finished parts are written down
  std::string encryption{}, encryption_key_id{};  // of what is written; empty: what the target bucket does by itself
  StoredForm stored{};                            // compression and sealing on the way; then same_endpoint is false
  // The way back: the source is a former target. What bears the mark of another form is brought into its original one;
  // `stored` is plain then. Without it marked objects pass as they are, with their marks.
  bool restore = false;
  std::shared_ptr<const SealKey> restore_key{};
};

// One end of a link: the keys of `bucket` that begin with `prefix`. The engine names keys without it.
struct Side {
  Bucket& bucket;
  std::string prefix{};
  std::string where{};  // its endpoint: buckets of one name are told apart by it
};

// Where a link keeps its state, in the target bucket. What lies there, on either side, is never replicated, counted or
// deleted.
inline constexpr std::string_view kReservedPrefix = ".twinspan/";

}  // namespace twinspan::s3
