#include "sandbox/api/store.hpp"

#include <charconv>
#include <nlohmann/json.hpp>

namespace twinspan::sandbox {

uint64_t revision_of(const Json& object) {
  const auto metadata = object.find("metadata");
  if (metadata == object.end() || !metadata->is_object()) return 0;
  const auto version = metadata->find("resourceVersion");
  if (version == metadata->end() || !version->is_string()) return 0;
  const auto& text = version->get_ref<const std::string&>();
  uint64_t out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

Object Store::find(const ResourceName& resource, const kube::Key& key) const {
  std::lock_guard lock(mutex_);
  const auto shelf = shelves_.find(resource);
  if (shelf == shelves_.end()) return nullptr;
  const auto found = shelf->second.objects.find(key);
  return found == shelf->second.objects.end() ? nullptr : found->second;
}

std::expected<Store::Listing, StoreError> Store::list(const ResourceName& resource, const std::string& ns,
                                                      uint64_t revision) const {
  std::lock_guard lock(mutex_);
  Listing out;
  out.revision = revision == 0 ? revision_ : revision;
  if (revision > revision_) return std::unexpected(StoreError::kFuture);
  if (revision != 0 && revision < compacted_) return std::unexpected(StoreError::kCompacted);
  const auto shelf = shelves_.find(resource);
  if (shelf == shelves_.end()) return out;
  if (revision != 0 && revision < shelf->second.compacted) return std::unexpected(StoreError::kCompacted);

  std::map<kube::Key, Object> then;
  const std::map<kube::Key, Object>* objects = &shelf->second.objects;
  if (revision != 0 && revision < shelf->second.last) {  // undo what happened since, newest first
    then = *objects;
    for (auto event = shelf->second.history.rbegin();
         event != shelf->second.history.rend() && event->revision > revision; ++event) {
      if (event->before) {
        then[event->key] = event->before;
      } else {
        then.erase(event->key);
      }
    }
    objects = &then;
  }
  const auto begin = ns.empty() ? objects->begin() : objects->lower_bound({ns, ""});
  for (auto each = begin; each != objects->end() && (ns.empty() || each->first.ns == ns); ++each)
    out.items.emplace_back(*each);
  return out;
}

Object Store::record(Shelf& shelf, Change change, const ResourceName& resource, const kube::Key& key, Json object,
                     Object before) {
  object["metadata"]["resourceVersion"] = std::to_string(++revision_);
  auto stored = std::make_shared<const Json>(std::move(object));
  if (change == Change::kDeleted) {
    shelf.objects.erase(key);
  } else {
    shelf.objects[key] = stored;
  }
  shelf.last = revision_;
  shelf.history.push_back({revision_, change, resource, key, stored, std::move(before)});
  while (shelf.history.size() > history_limit_) {
    shelf.compacted = shelf.history.front().revision;
    shelf.history.pop_front();
  }
  changed_.notify_all();
  return stored;
}

std::expected<Object, StoreError> Store::create(const ResourceName& resource, const kube::Key& key, Json object) {
  std::lock_guard lock(mutex_);
  Shelf& shelf = shelves_[resource];
  if (shelf.objects.contains(key)) return std::unexpected(StoreError::kExists);
  return record(shelf, Change::kAdded, resource, key, std::move(object), nullptr);
}

std::expected<Object, StoreError> Store::update(const ResourceName& resource, const kube::Key& key, Json object,
                                                uint64_t expected) {
  std::lock_guard lock(mutex_);
  Shelf& shelf = shelves_[resource];
  const auto found = shelf.objects.find(key);
  if (found == shelf.objects.end()) return std::unexpected(StoreError::kMissing);
  if (revision_of(*found->second) != expected) return std::unexpected(StoreError::kChanged);
  return record(shelf, Change::kModified, resource, key, std::move(object), found->second);
}

std::expected<Object, StoreError> Store::erase(const ResourceName& resource, const kube::Key& key, Json last,
                                               uint64_t expected) {
  std::lock_guard lock(mutex_);
  Shelf& shelf = shelves_[resource];
  const auto found = shelf.objects.find(key);
  if (found == shelf.objects.end()) return std::unexpected(StoreError::kMissing);
  if (revision_of(*found->second) != expected) return std::unexpected(StoreError::kChanged);
  return record(shelf, Change::kDeleted, resource, key, std::move(last), found->second);
}

std::expected<std::vector<StoreEvent>, StoreError> Store::events(const ResourceName& resource,
                                                                 uint64_t revision) const {
  std::lock_guard lock(mutex_);
  std::vector<StoreEvent> out;
  if (revision > revision_) return std::unexpected(StoreError::kFuture);
  if (revision < compacted_) return std::unexpected(StoreError::kCompacted);
  const auto shelf = shelves_.find(resource);
  if (shelf == shelves_.end()) return out;
  if (revision < shelf->second.compacted) return std::unexpected(StoreError::kCompacted);
  const auto& history = shelf->second.history;
  const auto first = std::upper_bound(history.begin(), history.end(), revision,
                                      [](uint64_t at, const StoreEvent& event) { return at < event.revision; });
  out.assign(first, history.end());
  return out;
}

std::expected<std::vector<StoreEvent>, StoreError> Store::all_events(uint64_t revision) const {
  std::lock_guard lock(mutex_);
  std::vector<StoreEvent> out;
  if (revision < compacted_) return std::unexpected(StoreError::kCompacted);
  if (revision > revision_) return std::unexpected(StoreError::kFuture);
  for (const auto& [name, shelf] : shelves_) {
    if (revision < shelf.compacted) return std::unexpected(StoreError::kCompacted);
    for (auto event = shelf.history.rbegin(); event != shelf.history.rend() && event->revision > revision; ++event)
      out.push_back(*event);
  }
  std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.revision < b.revision; });
  return out;
}

uint64_t Store::revision() const {
  std::lock_guard lock(mutex_);
  return revision_;
}

void Store::wait(const ResourceName& resource, uint64_t revision, std::chrono::milliseconds time,
                 const std::stop_token& stop) const {
  std::unique_lock lock(mutex_);
  const uint64_t wakes = wakes_;
  changed_.wait_for(lock, stop, time, [&] {
    const auto shelf = shelves_.find(resource);
    return wakes_ != wakes || (shelf != shelves_.end() && shelf->second.last > revision);
  });
}

void Store::wait_any(uint64_t revision, std::chrono::milliseconds time, const std::stop_token& stop) const {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, stop, time, [&] { return revision_ > revision; });
}

void Store::wake() const {
  {
    std::lock_guard lock(mutex_);
    ++wakes_;
  }
  changed_.notify_all();
}

void Store::compact() {
  {
    std::lock_guard lock(mutex_);
    ++revision_;  // so that whoever has seen everything so far is behind as well
    compacted_ = revision_;
    for (auto& [name, shelf] : shelves_) {
      shelf.history.clear();
      shelf.compacted = revision_;
    }
    ++wakes_;
  }
  changed_.notify_all();
}

void Store::save() {
  std::lock_guard lock(mutex_);
  saved_.emplace();
  saved_->first = revision_;
  for (const auto& [name, shelf] : shelves_) saved_->second[name] = shelf.objects;
}

bool Store::set_back() {
  {
    std::lock_guard lock(mutex_);
    if (!saved_) return false;
    revision_ = compacted_ = saved_->first;
    for (auto& [name, shelf] : shelves_) {
      shelf = {};
      shelf.compacted = shelf.last = revision_;
      if (const auto saved = saved_->second.find(name); saved != saved_->second.end()) shelf.objects = saved->second;
    }
    ++wakes_;
  }
  changed_.notify_all();
  return true;
}

std::vector<ResourceName> Store::resources() const {
  std::lock_guard lock(mutex_);
  std::vector<ResourceName> out;
  for (const auto& [name, shelf] : shelves_) out.push_back(name);
  return out;
}

}  // namespace twinspan::sandbox
