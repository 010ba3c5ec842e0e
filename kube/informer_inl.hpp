// How an Informer's cache changes. Included by informer.hpp.
#pragma once
#include <algorithm>
#include <chrono>
#include <exception>
#include <nlohmann/json.hpp>

#include "core/guarded.hpp"
#include "kube/informer.hpp"
#include "kube/object.hpp"

namespace twinspan::kube {

template <class T>
uint64_t Informer<T>::version_of(const Key& key) const {
  ReadLock lock(mutex_);
  uint64_t version = 0;
  if (const auto found = values_.find(key); found != values_.end()) version = found->second.version;
  if (const auto grave = tombstones_.find(key); grave != tombstones_.end())
    version = std::max(version, grave->second.version);
  return version;
}

template <class T>
bool Informer<T>::has(const Key& key, uint64_t version) const {
  ReadLock lock(mutex_);
  if (const auto found = values_.find(key); found != values_.end() && found->second.version >= version) return true;
  const auto grave = tombstones_.find(key);
  return grave != tombstones_.end() && grave->second.version >= version;
}

// Of two versions of one object the larger counts, whichever way and in whichever order they come.
template <class T>
void Informer<T>::take(const Json& object) {
  const Key key = key_of(object);
  const uint64_t version = version_number(resource_version_of(object));
  MutexLock ordered(order_);
  if (has(key, version)) return;
  Result<T> decoded = fail(Code::kInternal, "");
  try {
    decoded = decode_(object);
  } catch (const std::exception& error) {
    decoded = fail(Code::kInvalid, error.what());
  }
  if (!decoded) return note_undecodable(plural_, key, decoded.error().message);
  const Value after = std::make_shared<const T>(std::move(*decoded));
  Value before;
  {
    WriteLock lock(mutex_);
    Entry& entry = values_[key];
    before = std::move(entry.value);
    entry = {version, after};
    tombstones_.erase(key);
  }
  notify(key, before, after);
}

template <class T>
void Informer<T>::erase(const Key& key, uint64_t version) {
  MutexLock ordered(order_);
  Value before;
  {
    WriteLock lock(mutex_);
    bury(key, version);
    const auto found = values_.find(key);
    if (found == values_.end() || found->second.version > version) return;
    before = std::move(found->second.value);
    values_.erase(found);
  }
  notify(key, before, nullptr);
}

template <class T>
void Informer<T>::went_back() {
  MutexLock ordered(order_);
  {
    WriteLock lock(mutex_);
    for (auto& [key, entry] : values_) entry.version = 0;
    tombstones_.clear();
  }
  for (const auto& handler : went_back_handlers_) handler();
}

template <class T>
void Informer<T>::retain(const std::vector<Key>& keys, uint64_t list_version) {
  std::vector<Key> kept = keys;
  std::sort(kept.begin(), kept.end());
  MutexLock ordered(order_);
  std::vector<std::pair<Key, Value>> gone;
  {
    WriteLock lock(mutex_);
    for (auto it = values_.begin(); it != values_.end();) {
      // What was written after the list was taken is not in it.
      if (it->second.version > list_version || std::binary_search(kept.begin(), kept.end(), it->first)) {
        ++it;
        continue;
      }
      gone.emplace_back(it->first, std::move(it->second.value));
      bury(it->first, list_version);
      it = values_.erase(it);
    }
  }
  for (const auto& [key, before] : gone) notify(key, before, nullptr);
}

template <class T>
void Informer<T>::bury(const Key& key, uint64_t version) {
  constexpr std::chrono::minutes kLongestWrite{2};  // no request takes that long: nothing older can come back
  const auto now = std::chrono::steady_clock::now();
  if (tombstones_.size() >= 1024)
    std::erase_if(tombstones_, [&](const auto& grave) { return now - grave.second.since > kLongestWrite; });
  Tombstone& grave = tombstones_[key];
  grave = {std::max(grave.version, version), now};
}

}  // namespace twinspan::kube
