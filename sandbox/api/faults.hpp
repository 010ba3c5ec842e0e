// Faults on request: rules that match calls and watch events, and what is done to them. Any thread.
#pragma once
#include <chrono>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "core/json.hpp"
#include "core/result.hpp"

namespace twinspan::sandbox {

struct FaultMatch {      // an empty string matches anything
  std::string verb;      // get, list, watch, create, update, patch, delete, deletecollection
  std::string resource;  // plural
  std::string ns, name;
  std::string user_agent;  // contained in it
  int times = 1;           // how many matches are hit; -1: all, for ever
  int after = 0;           // how many matches pass first
  double probability = 1;
};

struct FaultAction {
  std::optional<int> status;               // answered without doing anything: 409, 410, 429, 500, 503
  std::optional<int> retry_after_seconds;  // with status
  std::chrono::milliseconds delay{0};      // before the call is served
  bool deny = false;                       // 403
  bool cut_watch = false;  // the stream ends in the middle of an event; after = 0: at once, without waiting for one
  bool drop_watch_event = false;  // the event never comes on that stream; a watch opened again from before it gets it
  bool reorder = false;           // the event comes after the one that follows it
  bool write_then_fail = false;   // the write is done, the answer is `status` (500 by default)
  std::chrono::milliseconds unavailable{0};  // from now on for so long, every call is 503 and every watch is cut
};

struct FaultRule {
  FaultMatch match;
  FaultAction action;
};

// {"match": {"verb": …, "resource": …, "namespace": …, "name": …, "userAgent": …, "times": …, "after": …,
// "probability": …},
//  "do": {"status": …, "retryAfterSeconds": …, "delayMilliseconds": …, "deny": …, "cutWatch": …, "dropWatchEvent": …,
//  "reorder": …,
//         "writeThenFail": …, "unavailableMilliseconds": …}}. An unknown name is kInvalid.
Result<FaultRule> parse_fault(const Json& rule);

struct FaultSubject {
  std::string verb, resource, ns, name, user_agent;
};

class Faults {
 public:
  void add(FaultRule rule);
  void clear();
  size_t hits() const;  // matches acted on since the start

  // What befalls this call; the parts that several rules contribute are joined.
  FaultAction on_request(const FaultSubject& subject);
  enum class Fate { kDeliver, kCut, kDrop, kHold };
  Fate on_event(const FaultSubject& subject);
  // Whether a watch that waits is to be cut now.
  bool cuts_idle(const FaultSubject& subject);
  bool unavailable() const;
  // How often calls became unavailable: no stream that was open before outlives it, however late it is looked at.
  uint64_t outages() const;

 private:
  struct Live {
    FaultRule rule;
    int seen = 0, hit = 0;
  };
  bool strikes(Live& live, const FaultSubject& subject);

  mutable std::mutex mutex_;
  std::vector<Live> rules_;
  size_t hits_ = 0;
  std::minstd_rand random_{20261121};
  std::chrono::steady_clock::time_point unavailable_until_{};
  uint64_t outages_ = 0;
};

}  // namespace twinspan::sandbox
