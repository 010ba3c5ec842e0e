// A cache of one kind, kept by list and watch. The cache holds typed values; the JSON is dropped after decoding.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/guarded.hpp"
#include "core/json.hpp"
#include "kube/client.hpp"
#include "kube/reflector.hpp"

namespace twinspan::kube {

// T is any copyable value. `decode` runs on the reflector's thread; an object it refuses is logged, counted and kept
// out (where an earlier version of it was readable, that one stays: an object that can't be read has not been deleted).
// Handlers run after the cache changed, one at a time, on the reflector's thread or on that of wrote(), and only
// enqueue: before == nullptr: added, after == nullptr: deleted.
template <class T>
class Informer final : private ReflectorSink {
 public:
  using Value = std::shared_ptr<const T>;
  using Decode = std::function<Result<T>(const Json&)>;
  using Handler = std::function<void(const Key&, const Value& before, const Value& after)>;

  Informer(Client& client, const Resource& resource, ReflectorOptions options, Decode decode)
      : plural_(resource.plural), decode_(std::move(decode)), reflector_(client, resource, std::move(options), *this) {}

  void add_handler(Handler handler) { handlers_.push_back(std::move(handler)); }  // before start()
  // Called before what is told next, which may be older than anything told so far. Before start().
  void on_history_went_back(std::function<void()> handler) { went_back_handlers_.push_back(std::move(handler)); }
  void start() { reflector_.start(); }                 // one thread
  void stop() { reflector_.stop(); }                   // joins it
  bool synced() const { return reflector_.synced(); }  // the first list is in the cache

  Value find(const Key& key) const {
    ReadLock lock(mutex_);
    const auto found = values_.find(key);
    return found == values_.end() ? nullptr : found->second.value;
  }
  size_t size() const {
    ReadLock lock(mutex_);
    return values_.size();
  }
  std::vector<std::pair<Key, Value>> all() const {
    ReadLock lock(mutex_);
    std::vector<std::pair<Key, Value>> out;
    out.reserve(values_.size());
    for (const auto& [key, entry] : values_) out.emplace_back(key, entry.value);
    return out;
  }
  // Read-your-writes: what a write answered goes in at once, unless the watch has already brought something newer.
  void wrote(const Json& object) { take(object); }

 private:
  struct Entry {
    uint64_t version = 0;
    Value value;
  };
  struct Tombstone {
    uint64_t version = 0;
    std::chrono::steady_clock::time_point since;
  };
  void upsert(Json&& object) override { take(object); }
  void take(const Json& object);
  bool has(const Key& key, uint64_t version) const override;
  uint64_t version_of(const Key& key) const override;
  void erase(const Key& key, uint64_t version) override;
  void retain(const std::vector<Key>& keys, uint64_t list_version) override;
  void went_back() override;
  void bury(const Key& key, uint64_t version) REQUIRES(mutex_);
  void notify(const Key& key, const Value& before, const Value& after) const {
    for (const Handler& handler : handlers_) handler(key, before, after);
  }

  const std::string plural_;
  Decode decode_;
  Mutex order_;  // held over a change and its notification, so that handlers see changes in their order
  mutable SharedMutex mutex_;
  std::map<Key, Entry> values_ GUARDED_BY(mutex_);
  std::map<Key, Tombstone> tombstones_
      GUARDED_BY(mutex_);  // versions at which keys were deleted: a late wrote() must not revive them
  std::vector<Handler> handlers_;
  std::vector<std::function<void()>> went_back_handlers_;
  Reflector reflector_;  // last: its thread uses all of the above
};

}  // namespace twinspan::kube

#include "kube/informer_inl.hpp"  // IWYU pragma: keep
