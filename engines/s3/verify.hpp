// Whether the target is the source, key by key: a report, kept in the target bucket, by which a verification that was
// cut off goes on where it was.
#pragma once
#include <functional>
#include <map>
#include <thread>

#include "core/guarded.hpp"
#include "core/json.hpp"
#include "engines/s3/copy_index.hpp"
#include "engines/s3/route.hpp"
#include "engines/s3/walk.hpp"

namespace twinspan::s3 {

struct VerificationReport {
  bool consistent = false;  // complete, nothing missing or different, and nothing extra where deletes are replicated
  bool complete = false;    // every key of both sides was looked at
  int64_t division = 0;     // of the share that was looked at (Share::division)
  bool metadata = false;    // content headers, user metadata and tags were compared as well
  uint64_t checked = 0;     // keys of the source
  // Where all versions are carried: missing versions, keys whose newest differs, keys that the source never had.
  uint64_t missing = 0, different = 0, extra = 0;
  std::vector<std::string> missing_sample{}, different_sample{}, extra_sample{};  // of up to 100 keys each
  std::string error{};                                                            // why it isn't complete
  WallTime started_at{};
  std::optional<WallTime> finished_at{};
  std::vector<KeyRange> rest{};  // what is left, while it isn't complete
  bool operator==(const VerificationReport&) const = default;
};

Json to_json(const VerificationReport& report);
Result<VerificationReport> parse_verification_report(const Json& json);
// ".twinspan/verification/LINK.json", with the link as name_of_share() has it.
std::string verification_key(const std::string& link, const Share& share);

struct VerifySettings {
  bool metadata = true;  // two requests for each object
  std::chrono::milliseconds save_interval{10000};
  bool read_back = false;  // every copy is read and brought back to its original
  // Told of keys whose bytes are the same and whose metadata is not: listings never show that. Any thread.
  std::function<void(const std::string& key)> metadata_differs{};
};

// Once. May run beside a sync: what is on its way counts as missing.
class Verification {
 public:
  Verification(Route& route, VerifySettings settings);

  // Begins anew, or goes on with a report that isn't finished. An object that can't be looked at ends it, with the
  // report so far and what is left.
  VerificationReport run(std::stop_token stop);
  VerificationReport progress() const;  // any thread

 private:
  struct Found {
    uint64_t checked = 0, missing = 0, different = 0, extra = 0;
    std::vector<std::string> missing_sample, different_sample, extra_sample;
  };
  Status visit(const Listed* source, const Listed* target, const std::stop_token& stop);
  Status visit_versions(const Listed* source, const Listed* target, const std::stop_token& stop);
  Result<bool> same(const Listed& source, const Listed& target, const std::stop_token& stop);
  void count(uint64_t Found::*counter, std::vector<std::string> Found::*sample, const std::string& key);
  void take_over_found();
  std::vector<KeyRange> resume(const std::stop_token& stop);
  void save(const std::stop_token& stop);

  Route& route_;
  const VerifySettings settings_;
  Settings walk_settings_;
  CopyIndex index_;
  Walk walk_;
  mutable Mutex mutex_;
  std::map<std::thread::id, Found> found_
      GUARDED_BY(mutex_);  // since the lister's last step, by which the report's `rest` has moved
  VerificationReport report_ GUARDED_BY(mutex_);
};

}  // namespace twinspan::s3
