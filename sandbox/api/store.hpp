// The objects of the embedded API, in memory: one revision counter over everything, and per resource a history that
// watches read from and that is compacted. Every method may be called from any thread.
#pragma once
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "core/json.hpp"
#include "kube/resource.hpp"
#include "sandbox/api/error.hpp"

namespace twinspan::sandbox {

using Object = std::shared_ptr<const Json>;

enum class Change { kAdded, kModified, kDeleted };

struct StoreEvent {
  uint64_t revision = 0;
  Change change = Change::kAdded;
  ResourceName resource;
  kube::Key key;
  Object object;  // after the change; for kDeleted the last state, with the deletion's revision as resourceVersion
  Object before;  // nullptr for kAdded
};

enum class StoreError { kExists, kMissing, kChanged, kCompacted, kFuture };

class Store {
 public:
  // `history`: events kept per resource before the oldest are compacted away.
  explicit Store(size_t history = 8192) : history_limit_(history) {}

  Object find(const ResourceName& resource, const kube::Key& key) const;

  struct Listing {
    std::vector<std::pair<kube::Key, Object>> items;  // by namespace and name
    uint64_t revision = 0;
  };
  // Everything in `ns` (empty: all), as it was at `revision` (0: now). kCompacted, kFuture.
  std::expected<Listing, StoreError> list(const ResourceName& resource, const std::string& ns,
                                          uint64_t revision = 0) const;

  // Each write sets metadata.resourceVersion and answers the stored object.
  std::expected<Object, StoreError> create(const ResourceName& resource, const kube::Key& key, Json object);
  // Only where the stored object still has `expected` as its revision (kChanged otherwise).
  std::expected<Object, StoreError> update(const ResourceName& resource, const kube::Key& key, Json object,
                                           uint64_t expected);
  // `last`: the final state that watches are told; its resourceVersion is set.
  std::expected<Object, StoreError> erase(const ResourceName& resource, const kube::Key& key, Json last,
                                          uint64_t expected);

  // Events of one resource after `revision`, oldest first. kCompacted where some are gone.
  std::expected<std::vector<StoreEvent>, StoreError> events(const ResourceName& resource, uint64_t revision) const;
  // Events of every resource after `revision`, for the garbage collector.
  std::expected<std::vector<StoreEvent>, StoreError> all_events(uint64_t revision) const;

  uint64_t revision() const;
  // Waits until the resource has an event after `revision`, wake() is called, stop, or `time` is over.
  void wait(const ResourceName& resource, uint64_t revision, std::chrono::milliseconds time,
            const std::stop_token& stop) const;
  void wait_any(uint64_t revision, std::chrono::milliseconds time, const std::stop_token& stop) const;
  void wake() const;

  // Forgets all history: watches and continue tokens from before answer 410.
  void compact();
  // Everything as it is, and back to it, revision and all, as an etcd that is restored from a backup. False where
  // nothing was saved.
  void save();
  bool set_back();
  std::vector<ResourceName> resources() const;

 private:
  struct Shelf {
    std::map<kube::Key, Object> objects;
    std::deque<StoreEvent> history;
    uint64_t compacted = 0;  // events up to here may be gone
    uint64_t last = 0;
  };
  Object record(Shelf& shelf, Change change, const ResourceName& resource, const kube::Key& key, Json object,
                Object before);

  const size_t history_limit_;
  mutable std::mutex mutex_;
  mutable std::condition_variable_any changed_;
  mutable uint64_t wakes_ = 0;
  std::map<ResourceName, Shelf> shelves_;
  std::optional<std::pair<uint64_t, std::map<ResourceName, std::map<kube::Key, Object>>>> saved_;
  static constexpr uint64_t kFirst = 1000;  // as if there had been a past, and all of it compacted away
  uint64_t revision_ = kFirst;
  uint64_t compacted_ = kFirst;
};

uint64_t revision_of(const Json& object);  // of metadata.resourceVersion; 0 where absent or not a number

}  // namespace twinspan::sandbox
