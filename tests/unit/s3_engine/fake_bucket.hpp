// A bucket in memory, as strict as any server: part sizes, part order, preconditions, Content-MD5. It counts calls, can
// fail or die at any of them, and tells which uploads were left behind.
#pragma once
#include <fmt/format.h>

#include <atomic>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "s3/bucket.hpp"
#include "s3/digest.hpp"

namespace twinspan::s3 {

class FakeBucket : public Bucket {
 public:
  struct Object {
    std::string body, etag;
    Metadata metadata;
    std::map<std::string, std::string> tags;
    std::vector<int64_t> part_bytes;  // empty: not uploaded in parts
    WallTime last_modified{};
    std::map<std::string, std::string> checksums{};
  };
  struct Call {
    std::string name, key;
    int index;  // of all calls to this bucket, from 1
  };
  enum class Death { kNone, kBefore, kAfter };  // before the call took effect, or after it, with its answer lost

  explicit FakeBucket(std::string name) : name_(std::move(name)) {}

  // Asked before each call; an error is the call's answer. It may wait.
  std::function<std::optional<Error>(const Call&)> fault;
  std::function<bool(const Call&)> lose_answers;  // carried out, and answered as if not
  // Sees and may spoil what a GET delivers.
  std::function<void(const std::string& key, std::string& body)> spoil;
  std::function<std::optional<Error>(const std::string& key)> undeletable;  // of a batch, that key alone is refused
  std::set<std::string> classes;                                            // of storage; empty: all there are
  bool unpacks = false;     // what is stored packed is sent unpacked, unless the reader can read it packed
  bool encrypted = false;   // ETags are no MD5
  bool conditional = true;  // it knows preconditions of writing
  bool conditional_copies = true;
  std::set<std::string> unlisted;  // keys that are there and in no listing
  bool keeps_versions = false;
  bool marks_absent = true;   // a DELETE of what is not there makes a marker, as at AWS
  bool repeats_last = false;  // the last page of versions begins with the one before's last, as Versity's
  int die_at = 0;  // the index of the call at which the process using this bucket dies; nothing works after it
  Death death = Death::kNone;
  std::function<void()> died;
  std::atomic<bool> dead{false};
  void revive() {  // for the next process
    die_at = 0;
    dead = false;
  }
  WallTime now{std::chrono::hours(500000)};

  Object& add(const std::string& key, std::string body, std::vector<int64_t> part_bytes = {}) {
    std::lock_guard lock(mutex_);
    Object object;
    object.body = std::move(body);
    object.part_bytes = std::move(part_bytes);
    object.etag = etag_of(object);
    object.last_modified = now;
    make_room(key);
    return objects_[key] = std::move(object);
  }
  // What list_versions tells of a key, oldest first: bodies, "DELETED" for a marker.
  std::vector<std::string> history(const std::string& key) const {
    std::lock_guard lock(mutex_);
    std::vector<std::string> bodies;
    for (const Kept& one : kept(key)) bodies.push_back(one.marker ? "DELETED" : one.object.body);
    return bodies;
  }
  std::set<std::string> keys_ever() const {
    std::lock_guard lock(mutex_);
    std::set<std::string> keys;
    for (const auto& [key, object] : objects_) keys.insert(key);
    for (const auto& [key, marker] : markers_) keys.insert(key);
    std::erase_if(keys, [](const std::string& key) { return key.starts_with(".twinspan/"); });
    return keys;
  }
  // As a lifecycle rule does: the oldest `count` of its versions are gone for good.
  void prune(const std::string& key, size_t count) {
    std::lock_guard lock(mutex_);
    std::vector<Kept>& older = older_[key];
    older.erase(older.begin(), older.begin() + static_cast<ptrdiff_t>(std::min(count, older.size())));
  }
  void erase(const std::string& key) {
    std::lock_guard lock(mutex_);
    drop(key);
  }
  std::map<std::string, Object> objects() const {
    std::lock_guard lock(mutex_);
    return objects_;
  }
  std::map<std::string, Object> objects_outside_state() const {
    auto all = objects();
    std::erase_if(all, [](const auto& entry) { return entry.first.starts_with(".twinspan/"); });
    return all;
  }
  size_t open_uploads() const {
    std::lock_guard lock(mutex_);
    return uploads_.size();
  }
  void add_torn_part(int number, int64_t bytes) {  // to the only upload
    std::lock_guard lock(mutex_);
    uploads_.begin()->second.parts[number] = std::string(static_cast<size_t>(bytes), '\0');
  }
  std::string begin_upload(const std::string& key) {  // somebody else's
    std::lock_guard lock(mutex_);
    return start(PutRequest{key, {}, {}});
  }
  int calls(const std::string& name = "") const {
    std::lock_guard lock(mutex_);
    if (!name.empty()) return counts_.contains(name) ? counts_.at(name) : 0;
    int all = 0;
    for (const auto& [call, count] : counts_) all += count;
    return all;
  }
  void forget_calls() {
    std::lock_guard lock(mutex_);
    counts_.clear();
    index_ = 0;
  }

  const std::string& name() const override { return name_; }

  Result<Page> list(const ListRequest& request, std::stop_token stop) override {
    return answer<Page>("list", request.prefix, stop, [&]() -> Result<Page> {
      if (request.max_keys < 1 || request.max_keys > 1000) return fail(Code::kInvalid, "max-keys");
      Page page;
      const std::string& after = request.continuation.empty() ? request.start_after : request.continuation;
      auto at = after < request.prefix ? objects_.lower_bound(request.prefix) : objects_.upper_bound(after);
      if (after.empty()) at = objects_.lower_bound(request.prefix);
      std::string last;
      for (; at != objects_.end() && at->first.starts_with(request.prefix); ++at) {
        if (!request.delimiter.empty()) return fail(Code::kInternal, "not in this fake");
        if (unlisted.contains(at->first)) continue;
        if (page.objects.size() == static_cast<size_t>(request.max_keys)) {
          page.next = last;
          break;
        }
        page.objects.push_back(listed(at->first, at->second));
        last = at->first;
      }
      return page;
    });
  }
  Result<Page> list_versions(const ListRequest& request, std::stop_token stop) override {
    return answer<Page>("list_versions", request.prefix, stop, [&]() -> Result<Page> {
      if (request.max_keys < 1 || request.max_keys > 1000) return fail(Code::kInvalid, "max-keys");
      std::set<std::string> keys;
      for (const auto& [key, object] : objects_) keys.insert(key);
      for (const auto& [key, marker] : markers_) keys.insert(key);
      const size_t line = request.continuation.rfind('\n');
      const std::string after_key = request.continuation.substr(0, line);
      const std::string after_id = line == std::string::npos ? "" : request.continuation.substr(line + 1);
      Page page;
      for (const std::string& key : keys) {
        if (!key.starts_with(request.prefix) || key < after_key) continue;
        if (request.continuation.empty() && !request.start_after.empty() && key <= request.start_after) continue;
        bool passed = key != after_key || request.continuation.empty();
        std::vector<Kept> versions = kept(key);
        for (auto one = versions.rbegin(); one != versions.rend(); ++one) {
          const bool marked = !passed && one->id == after_id;
          if (!passed && !(marked && repeats_last)) {
            passed = marked;
            continue;
          }
          passed = true;
          if (page.objects.size() == static_cast<size_t>(request.max_keys)) {
            page.next = page.objects.back().key + "\n" + page.objects.back().version_id;
            return page;
          }
          Listed entry = one->marker ? Listed{} : listed(key, one->object);
          entry.key = key;
          entry.version_id = one->id;
          entry.delete_marker = one->marker;
          entry.latest = one == versions.rbegin();
          if (one->marker) entry.last_modified = one->object.last_modified;
          page.objects.push_back(std::move(entry));
        }
      }
      return page;
    });
  }
  Result<Head> head(const ObjectName& object, std::stop_token stop) override {
    return answer<Head>("head", object.key, stop, [&] { return head_of(object, ""); });
  }
  Result<Head> head_part(const ObjectName& name, int number, std::stop_token stop) override {
    return answer<Head>("head_part", name.key, stop, [&]() -> Result<Head> {
      Result<Head> head = head_of(name, "");
      if (!head) return head;
      const std::vector<int64_t> parts = find_version(name)->part_bytes;
      if (parts.empty()) return head;
      if (number < 1 || number > static_cast<int>(parts.size())) return fail(Code::kInvalid, "no such part");
      head->parts = static_cast<int>(parts.size());
      head->object.size_bytes = parts[static_cast<size_t>(number) - 1];
      return head;
    });
  }
  Result<Head> get(const GetRequest& request, const std::function<bool(std::string_view)>& chunk,
                   std::stop_token stop) override {
    std::string body;
    Result<Head> head = answer<Head>("get", request.key, stop, [&]() -> Result<Head> {
      const ObjectName name{request.key, request.version_id};
      Result<Head> found = head_of(name, request.if_match);
      if (!found) return found;
      body = find_version(name)->body;
      if (request.range) {
        if (request.range->first >= static_cast<int64_t>(body.size())) return fail(Code::kInvalid, "range");
        body = body.substr(static_cast<size_t>(request.range->first),
                           request.range->size_bytes ? static_cast<size_t>(request.range->size_bytes) : body.npos);
      }
      return found;
    });
    if (!head) return head;
    if (unpacks && !request.packed && head->metadata.content_encoding == "gzip") body = "unpacked " + body;
    if (spoil) spoil(request.key, body);
    constexpr size_t kChunk = 100000;
    for (size_t at = 0; at < body.size(); at += kChunk)
      if (!chunk(std::string_view(body).substr(at, kChunk))) return fail(Code::kCancelled, "by the reader");
    return head;
  }
  Result<PutResult> put(const PutRequest& request, std::string_view body, std::stop_token stop) override {
    return answer<PutResult>("put", request.key, stop, [&]() -> Result<PutResult> {
      if (Status allowed = check(request.key, {request.if_match, request.if_absent}); !allowed)
        return std::unexpected(allowed.error());
      if (Status fits = check_metadata(request.metadata); !fits) return std::unexpected(fits.error());
      if (!request.content_md5.empty() && request.content_md5 != base64_encode(md5_of(body)))
        return fail(Code::kInvalid, "BadDigest");
      return store(request, std::string(body), {});
    });
  }
  Result<PutResult> copy(const std::string& from_bucket, const std::string& from_key, const std::string& from_etag,
                         const PutRequest& to, std::stop_token stop) override {
    return answer<PutResult>("copy", to.key, stop, [&]() -> Result<PutResult> {
      const std::optional<Object> from = find_at(from_bucket, from_key);
      if (!from) return fail(Code::kNotFound, from_key);
      if (from->etag != from_etag) return fail(Code::kConflict, from_key);
      if (conditional_copies)
        if (Status allowed = check(to.key, {to.if_match, to.if_absent}); !allowed)
          return std::unexpected(allowed.error());
      PutRequest request = to;
      if (to.metadata == Metadata{} && to.tags.empty()) {
        request.metadata = from->metadata;
        request.metadata.storage_class.clear();  // which isn't inherited
        request.tags = from->tags;
      }
      return store(request, from->body, {});
    });
  }
  FakeBucket* other = nullptr;  // where server-side copies come from

  Result<std::string> create_upload(const PutRequest& request, std::stop_token stop) override {
    return answer<std::string>("create_upload", request.key, stop, [&]() -> Result<std::string> {
      if (Status fits = check_metadata(request.metadata); !fits) return std::unexpected(fits.error());
      return start(request);
    });
  }
  Result<Part> upload_part(const Upload& upload, int number, std::string_view body, std::stop_token stop) override {
    return answer<Part>("upload_part", upload.key, stop, [&] { return add_part(upload, number, std::string(body)); });
  }
  Result<Part> stream_part(const Upload& upload, int number, const BodySource& source, std::stop_token stop) override {
    std::string body;
    const Status written = source.write_to([&](std::string_view piece) {
      body += piece;
      return body.size() <= static_cast<size_t>(source.size_bytes);
    });
    if (!written) return std::unexpected(written.error());
    if (body.size() != static_cast<size_t>(source.size_bytes)) return fail(Code::kInternal, "another size than said");
    return answer<Part>("stream_part", upload.key, stop, [&] { return add_part(upload, number, std::move(body)); });
  }
  bool streaming = true;
  bool streams() const override { return streaming; }
  Result<Part> copy_part(const Upload& upload, int number, const std::string& from_bucket, const std::string& from_key,
                         const std::string& from_etag, ByteRange range, std::stop_token stop) override {
    return answer<Part>("copy_part", upload.key, stop, [&]() -> Result<Part> {
      const std::optional<Object> from = find_at(from_bucket, from_key);
      if (!from) return fail(Code::kNotFound, from_key);
      if (from->etag != from_etag) return fail(Code::kConflict, from_key);
      return add_part(upload, number,
                      from->body.substr(static_cast<size_t>(range.first), static_cast<size_t>(range.size_bytes)));
    });
  }
  using Bucket::complete_upload;
  Result<PutResult> complete_upload(const Upload& upload, const std::vector<Part>& parts, const WriteIf& only,
                                    std::stop_token stop) override {
    return answer<PutResult>("complete_upload", upload.key, stop, [&]() -> Result<PutResult> {
      const auto open = uploads_.find(upload.upload_id);
      if (open == uploads_.end() || open->second.request.key != upload.key)
        return fail(Code::kNotFound, "NoSuchUpload");
      if (Status allowed = check(upload.key, only); !allowed) return std::unexpected(allowed.error());
      std::string body;
      std::vector<int64_t> sizes;
      if (parts.empty()) return fail(Code::kInvalid, "no parts");
      for (const Part& part : parts) {
        if (&part != &parts.front() && part.number <= (&part - 1)->number) return fail(Code::kInvalid, "part order");
        const auto held = open->second.parts.find(part.number);
        if (held == open->second.parts.end() || part.etag != to_hex(md5_of(held->second)))
          return fail(Code::kInvalid, "InvalidPart");
        if (&part != &parts.back() && held->second.size() < 5u << 20) return fail(Code::kInvalid, "EntityTooSmall");
        body += held->second;
        sizes.push_back(static_cast<int64_t>(held->second.size()));
      }
      const PutRequest request = open->second.request;
      uploads_.erase(open);
      return store(request, std::move(body), std::move(sizes));
    });
  }
  Status abort_upload(const Upload& upload, std::stop_token stop) override {
    const auto done = answer<int>("abort_upload", upload.key, stop, [&]() -> Result<int> {
      uploads_.erase(upload.upload_id);
      return 0;
    });
    return done ? Status{} : std::unexpected(done.error());
  }
  // As MinIO does it: only the uploads of the very key are told.
  Result<std::vector<Upload>> list_uploads(const std::string& prefix, std::stop_token stop) override {
    return answer<std::vector<Upload>>("list_uploads", prefix, stop, [&]() -> Result<std::vector<Upload>> {
      std::vector<Upload> found;
      for (const auto& [id, open] : uploads_)
        if (open.request.key == prefix) found.push_back({open.request.key, id, open.initiated});
      return found;
    });
  }
  Result<std::vector<Part>> list_parts(const Upload& upload, std::stop_token stop) override {
    return answer<std::vector<Part>>("list_parts", upload.key, stop, [&]() -> Result<std::vector<Part>> {
      const auto open = uploads_.find(upload.upload_id);
      if (open == uploads_.end()) return fail(Code::kNotFound, "NoSuchUpload");
      std::vector<Part> found;
      for (const auto& [number, body] : open->second.parts)
        found.push_back({number, to_hex(md5_of(body)), static_cast<int64_t>(body.size())});
      return found;
    });
  }
  Status remove(const std::string& key, std::stop_token stop) override {
    const auto done = remove(std::vector<std::string>{key}, stop);
    return done ? Status{} : std::unexpected(done.error());
  }
  Status add_delete_marker(const std::string& key, std::stop_token stop) override {
    const auto done = answer<int>("add_delete_marker", key, stop, [&]() -> Result<int> {
      drop(key);
      return 0;
    });
    return done ? Status{} : std::unexpected(done.error());
  }
  Result<std::vector<DeleteResult>> remove(const std::vector<std::string>& keys, std::stop_token stop) override {
    return answer<std::vector<DeleteResult>>("remove", keys.empty() ? "" : keys.front(), stop,
                                             [&]() -> Result<std::vector<DeleteResult>> {
                                               if (keys.empty() || keys.size() > 1000) return fail(Code::kInvalid, "");
                                               std::vector<DeleteResult> results;
                                               for (const std::string& key : keys) {
                                                 if (undeletable)
                                                   if (auto error = undeletable(key)) {
                                                     results.push_back({key, std::unexpected(*error)});
                                                     continue;
                                                   }
                                                 drop(key);
                                                 results.push_back({key, {}});
                                               }
                                               return results;
                                             });
  }
  Result<std::map<std::string, std::string>> tags(const ObjectName& name, std::stop_token stop) override {
    return answer<std::map<std::string, std::string>>("tags", name.key, stop,
                                                      [&]() -> Result<std::map<std::string, std::string>> {
                                                        const auto held = find_version(name);
                                                        if (!held) return fail(Code::kNotFound, name.key);
                                                        return held->tags;
                                                      });
  }
  Result<bool> versioned(std::stop_token stop) override {
    return answer<bool>("versioned", "", stop, [&]() -> Result<bool> { return keeps_versions; });
  }

 private:
  struct Open {
    PutRequest request;
    WallTime initiated{};
    std::map<int, std::string> parts;
  };

  template <class T>
  Result<T> answer(const std::string& call, const std::string& key, const std::stop_token& stop,
                   const std::function<Result<T>()>& effect) {
    Call seen{call, key, 0};
    {
      std::lock_guard lock(mutex_);
      seen.index = ++index_;
      ++counts_[call];
    }
    if (fault)
      if (auto error = fault(seen)) return std::unexpected(*error);
    std::unique_lock lock(mutex_);
    if (dead || stop.stop_requested()) return fail(Code::kCancelled, "stopped");
    if (lose_answers && lose_answers(seen)) {
      (void)effect();
      return fail(Code::kTimeout, "its answer was lost");
    }
    if (die_at != seen.index) return effect();
    dead = true;
    if (death == Death::kAfter) (void)effect();
    lock.unlock();
    if (died) died();
    return fail(Code::kCancelled, "died");
  }

  struct Kept {
    std::string id;
    bool marker = false;
    Object object;
  };
  // Before something new is written: what is there becomes an older version.
  void make_room(const std::string& key) {
    if (!keeps_versions) return;
    std::vector<Kept> versions = kept(key);
    if (!versions.empty()) older_[key].push_back(std::move(versions.back()));
    markers_.erase(key);
    ids_[key] = fmt::format("v{:06}", ++last_version_);
  }
  // All of a key, oldest first. The latest is not in older_: whoever has add()ed it may still be setting its tags.
  std::vector<Kept> kept(const std::string& key) const {
    std::vector<Kept> versions;
    if (const auto older = older_.find(key); older != older_.end()) versions = older->second;
    const auto id = ids_.find(key);
    const std::string name = id == ids_.end() ? "null" : id->second;
    if (const auto object = objects_.find(key); object != objects_.end())
      versions.push_back({name, false, object->second});
    else if (const auto marker = markers_.find(key); marker != markers_.end())
      versions.push_back({name, true, marker->second});
    return versions;
  }
  std::optional<Object> find_version(const ObjectName& name) const {
    if (name.version_id.empty()) {
      const auto held = objects_.find(name.key);
      return held == objects_.end() ? std::nullopt : std::optional(held->second);
    }
    for (const Kept& one : kept(name.key))
      if (one.id == name.version_id && !one.marker) return one.object;
    return std::nullopt;
  }

  void drop(const std::string& key) {
    if (keeps_versions && (marks_absent || objects_.contains(key))) {
      make_room(key);
      markers_[key].last_modified = now;
    }
    objects_.erase(key);
  }
  Status check_metadata(const Metadata& metadata) const {
    size_t bytes = 0;
    for (const auto& [name, value] : metadata.user) bytes += name.size() + value.size();
    if (bytes > 2048) return fail(Code::kInvalid, "HTTP 400 MetadataTooLarge");
    if (!classes.empty() && !metadata.storage_class.empty() && !classes.contains(metadata.storage_class))
      return fail(Code::kInvalid, "HTTP 400 InvalidStorageClass: of the object");
    return {};
  }
  // As AWS answers them.
  Status check(const std::string& key, const WriteIf& only) const {
    if (!conditional) return {};
    const auto held = objects_.find(key);
    if (only.if_absent && held != objects_.end()) return fail(Code::kAlreadyExists, key);
    if (only.if_match.empty()) return {};
    if (held == objects_.end()) return fail(Code::kNotFound, key);
    if (held->second.etag != only.if_match) return fail(Code::kConflict, key);
    return {};
  }
  std::optional<Object> find_at(const std::string& bucket, const std::string& key) const {
    if (bucket != name_) return other->find(key);
    const auto held = objects_.find(key);  // the lock is held
    return held == objects_.end() ? std::nullopt : std::optional(held->second);
  }
  std::optional<Object> find(const std::string& key) const {
    std::lock_guard lock(mutex_);
    const auto held = objects_.find(key);
    return held == objects_.end() ? std::nullopt : std::optional(held->second);
  }
  std::string etag_of(const Object& object) const {
    const std::string salt = encrypted ? "salt" + name_ : "";
    if (object.part_bytes.empty()) return to_hex(md5_of(salt.empty() ? object.body : salt + object.body));
    std::string sums = salt;
    size_t at = 0;
    for (int64_t size : object.part_bytes) {
      sums += md5_of(std::string_view(object.body).substr(at, static_cast<size_t>(size)));
      at += static_cast<size_t>(size);
    }
    return fmt::format("{}-{}", to_hex(md5_of(sums)), object.part_bytes.size());
  }
  Listed listed(const std::string& key, const Object& object) const {
    Listed entry;
    entry.key = key;
    entry.etag = object.etag;
    entry.size_bytes = static_cast<int64_t>(object.body.size());
    entry.last_modified = object.last_modified;
    entry.storage_class = object.metadata.storage_class;
    return entry;
  }
  Result<Head> head_of(const ObjectName& name, const std::string& if_match) {
    const std::optional<Object> held = find_version(name);
    if (!held) return fail(Code::kNotFound, name.key);
    if (!if_match.empty() && held->etag != if_match) return fail(Code::kConflict, name.key);
    Head head;
    head.object = listed(name.key, *held);
    head.metadata = held->metadata;
    head.checksums = held->checksums;
    head.tags = static_cast<int>(held->tags.size());
    return head;
  }
  std::string start(const PutRequest& request) {
    const std::string id = fmt::format("upload-{}", ++last_upload_);
    uploads_[id] = {request, now, {}};
    return id;
  }
  Result<Part> add_part(const Upload& upload, int number, std::string body) {
    const auto open = uploads_.find(upload.upload_id);
    if (open == uploads_.end() || open->second.request.key != upload.key) return fail(Code::kNotFound, "NoSuchUpload");
    if (number < 1 || number > 10000) return fail(Code::kInvalid, "part number");
    const Part part{number, to_hex(md5_of(body)), static_cast<int64_t>(body.size())};
    open->second.parts[number] = std::move(body);
    return part;
  }
  Result<PutResult> store(const PutRequest& request, std::string body, std::vector<int64_t> part_bytes) {
    if (request.key.empty() || request.key.size() > 1024) return fail(Code::kInvalid, "key");
    Object object;
    object.body = std::move(body);
    object.part_bytes = std::move(part_bytes);
    object.etag = etag_of(object);
    object.metadata = request.metadata;
    object.tags = request.tags;
    object.last_modified = now;
    const std::string etag = object.etag;
    make_room(request.key);
    objects_[request.key] = std::move(object);
    return PutResult{etag, keeps_versions ? ids_[request.key] : ""};
  }

  const std::string name_;
  mutable std::mutex mutex_;
  std::map<std::string, Object> objects_;
  std::map<std::string, Object> markers_;  // keys whose latest is a delete marker
  std::map<std::string, std::vector<Kept>> older_;
  std::map<std::string, std::string> ids_;  // of the latest
  std::map<std::string, Open> uploads_;
  std::map<std::string, int> counts_;
  int index_ = 0, last_upload_ = 0, last_version_ = 0;
};

}  // namespace twinspan::s3
