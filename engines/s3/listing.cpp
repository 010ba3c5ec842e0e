#include "engines/s3/listing.hpp"

#include <fmt/format.h>

namespace twinspan::s3 {

bool is_reserved(std::string_view prefix, std::string_view key) {
  if (prefix.size() >= kReservedPrefix.size()) return prefix.starts_with(kReservedPrefix);
  return kReservedPrefix.starts_with(prefix) && key.starts_with(kReservedPrefix.substr(prefix.size()));
}

Listing::Listing(const Side& side, const KeyRange& range, int page_keys, Depth depth, const std::stop_token& stop)
    : range_(range),
      depth_(depth),
      after_(range.after),
      prefix_bytes_(side.prefix.size()),
      prefix_(side.prefix),
      outer_stop_(stop, [this] { stop_.request_stop(); }),
      reader_("page-reader", [this, side, range, page_keys](const std::stop_token&) {
        read(side, range, page_keys, stop_.get_token());
      }) {}

Listing::~Listing() { stop_.request_stop(); }

void Listing::read(const Side& side, KeyRange range, int page_keys, const std::stop_token& stop) {
  ListRequest request;
  request.prefix = side.prefix;
  request.max_keys = page_keys;
  if (!range.after.empty()) request.start_after = side.prefix + range.after;
  for (;;) {
    Result<Page> page =
        depth_ == Depth::kHistory ? side.bucket.list_versions(request, stop) : side.bucket.list(request, stop);
    bool more = page.has_value() && !page->next.empty();
    if (more) {
      request.continuation = page->next;
      if (!range.upto.empty() && !page->objects.empty())
        more = std::string_view(page->objects.back().key).substr(prefix_bytes_) <= range.upto;
    }
    MutexLock lock(mutex_);
    if (!waker_.wait(lock, stop, [this]() REQUIRES(mutex_) { return !ahead_; })) return;
    if (page && !more) page->next.clear();
    ahead_ = std::move(page);
    waker_.notify_all();
    if (!more) return;
  }
}

Status Listing::turn_page() {
  MutexLock lock(mutex_);
  if (!waker_.wait(lock, stop_.get_token(), [this]() REQUIRES(mutex_) { return ahead_.has_value(); }))
    return fail(Code::kCancelled, "listing stopped");
  Result<Page> page = *std::exchange(ahead_, std::nullopt);
  waker_.notify_all();
  lock.unlock();
  if (!page) {
    last_page_ = true;
    return std::unexpected(page.error());
  }
  page_ = std::move(*page);
  next_ = 0;
  last_page_ = page_.next.empty();
  for (Listed& object : page_.objects) {
    if (!object.key.starts_with(prefix_))
      return fail(Code::kInvalid, fmt::format("listing of \"{}\" has \"{}\"", prefix_, object.key));
    object.key.erase(0, prefix_bytes_);
    const bool again = depth_ == Depth::kHistory && object.key == last_key_;
    if (object.key <= last_key_ && !again && !(object.key.empty() && last_key_.empty()))
      return fail(Code::kInvalid, fmt::format("listing is not in order: \"{}\" after \"{}\"", object.key, last_key_));
    last_key_ = object.key;
  }
  return {};
}

Result<const Listed*> Listing::next_entry() {
  while (next_ >= page_.objects.size()) {
    if (last_page_) return nullptr;
    if (Status turned = turn_page(); !turned) return std::unexpected(turned.error());
  }
  return &page_.objects[next_];
}

Result<const Listed*> Listing::peek_history() {
  std::string last_id;
  for (;;) {
    const auto entry = next_entry();
    if (!entry) {
      history_.reset();
      return entry;
    }
    const Listed* const one = *entry;
    if (!one || (history_ && one->key != history_->key)) return history_ ? &*history_ : nullptr;
    const bool passed = !after_.empty() && one->key <= after_;  // the rest of a key is no history
    const bool repeated = history_ && one->version_id == last_id;
    last_id = one->version_id;
    if (!history_ && !passed)
      history_ = *one;
    else if (!passed && !repeated && history_->older.size() + 1 < kHistoryListed)
      history_->older.push_back(*one);
    ++next_;
  }
}

Result<const Listed*> Listing::peek() {
  const bool held = depth_ == Depth::kHistory && history_;
  const auto next = held ? &*history_ : depth_ == Depth::kHistory ? peek_history() : next_entry();
  if (next && *next && !range_.upto.empty() && (*next)->key > range_.upto) return nullptr;
  return next;
}

void Listing::pop() {
  if (depth_ == Depth::kLatest) ++next_;
  history_.reset();
}

}  // namespace twinspan::s3
