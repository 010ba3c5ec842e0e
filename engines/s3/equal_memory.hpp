// Which pairs of objects were last seen to be the same. It only spares conflicts: what it has forgotten is decided by
// what the objects themselves say.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "core/guarded.hpp"
#include "engines/s3/conflict.hpp"

namespace twinspan::s3 {

// A fixed number of places, by digest of the key: 24 bytes each, whoever comes later takes the place. Any thread.
class EqualMemory {
 public:
  explicit EqualMemory(size_t places) : places_(places) {}

  void remember(const std::string& key, const Listed& source, const Listed& target) {
    const uint64_t name = digest(key);
    MutexLock lock(mutex_);
    places_[(name >> 1) % places_.size()] = {name, digest(source), digest(target)};
  }
  std::optional<SinceEqual> since(const std::string& key, const Listed& source, const Listed& target) const {
    const uint64_t name = digest(key);
    MutexLock lock(mutex_);
    const Pair& pair = places_[(name >> 1) % places_.size()];
    if (pair.key != name) return std::nullopt;
    return SinceEqual{pair.source == digest(source), pair.target == digest(target)};
  }

 private:
  struct Pair {
    uint64_t key = 0, source = 0, target = 0;
  };
  static uint64_t digest(const std::string& text) { return std::hash<std::string>()(text) | 1; }
  // With its date: the same bytes written again are another object. Listings know it more exactly than HEAD does.
  static uint64_t digest(const Listed& object) {
    return digest(object.etag + ' ' + to_rfc3339(std::chrono::floor<std::chrono::seconds>(object.last_modified)));
  }

  mutable Mutex mutex_;
  std::vector<Pair> places_ GUARDED_BY(mutex_);
};

}  // namespace twinspan::s3
