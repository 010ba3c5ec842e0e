#include "engines/s3/versions.hpp"

#include <fmt/format.h>

#include "core/log.hpp"

namespace twinspan::s3 {

Status keep_versions(const Route& route, const std::stop_token& stop) {
  for (const Side* side : {&route.source, &route.target}) {
    const auto versioned = side->bucket.versioned(stop);
    if (!versioned) return std::unexpected(versioned.error());
    if (!*versioned)
      return fail(Code::kInvalid, fmt::format("bucket {}: versioning is not enabled, and spec.s3.versions is All",
                                              side->bucket.name()));
  }
  return {};
}

LongHistories::Turn::~Turn() {
  if (!held_) return;
  {
    MutexLock lock(all_.mutex_);
    all_.busy_ = false;
  }
  all_.waker_.notify_all();
}

bool LongHistories::Turn::take(const std::stop_token& stop) {
  if (held_) return true;
  MutexLock lock(all_.mutex_);
  if (!all_.waker_.wait(lock, stop, [this]() REQUIRES(all_.mutex_) { return !all_.busy_; })) return false;
  all_.busy_ = held_ = true;
  return true;
}

Result<History> read_history(Bucket& bucket, const std::string& key, LongHistories::Turn& turn,
                             const std::stop_token& stop) {
  History history;
  ListRequest request;
  request.prefix = key;  // of all keys that begin so it comes first
  std::string last_id;
  bool begun = false;
  do {
    auto page = bucket.list_versions(request, stop);
    if (!page) return std::unexpected(page.error());
    if (page->next == request.continuation && !page->next.empty())
      return fail(Code::kInvalid, "ListVersionsResult: the same page again");
    request.continuation = page->next;
    for (Listed& one : page->objects) {
      if (one.key != key) {
        request.continuation.clear();
        break;
      }
      if (std::exchange(begun, true) && one.version_id == last_id) continue;
      if (history.empty() && !one.latest)
        return fail(Code::kUnavailable, fmt::format("\"{}\": its listing doesn't begin with its latest version", key));
      last_id = one.version_id;
      if (one.delete_marker && !history.empty() && history.back().delete_marker) history.pop_back();
      history.push_back(
          {std::move(one.version_id), std::move(one.etag), one.size_bytes, one.delete_marker, one.last_modified});
    }
    if (history.size() > LongHistories::kLong && !turn.take(stop)) return fail(Code::kCancelled, "stopped");
  } while (!request.continuation.empty());
  std::reverse(history.begin(), history.end());
  return history;
}

Result<AppendPlan> VersionCarrier::plan(const Work& work, Histories& both, const std::stop_token& stop) {
  const DeleteMode deletes = route_.settings.deletes.mode;
  AppendPlan planned = plan_append(deletes, both);
  if (!planned.ask) return planned;
  const std::string name = route_.at_target(work.object.key);
  const auto head = route_.target.bucket.head({name, both.target[*planned.ask].id}, stop);
  if (!head && head.error().code == Code::kNotFound)
    return fail(Code::kUnavailable, fmt::format("\"{}\": a version at the target has just gone", work.object.key));
  if (!head) return std::unexpected(head.error());
  return plan_append(deletes, both, made_from_mark(head->metadata));
}

Result<Outcome> VersionCarrier::carry(Work& work, const std::stop_token& stop) {
  const std::string key = work.object.key;
  LongHistories::Turn turn(long_);
  Histories both;
  for (const auto& [side, name, history] : {std::tuple{&route_.source, route_.at_source(key), &both.source},
                                            {&route_.target, route_.at_target(key), &both.target}}) {
    auto read = read_history(side->bucket, name, turn, stop);
    if (!read) return std::unexpected(read.error());
    *history = std::move(*read);
  }
  if (both.source.empty()) {
    if (Status discarded = discard(work, stop); !discarded) return std::unexpected(discarded.error());
    return work.versions > 0 ? Outcome::kReplicated : Outcome::kGone;
  }
  const auto planned = plan(work, both, stop);
  if (!planned) return std::unexpected(planned.error());
  both.target = {};
  if (planned->unaligned) {
    ++unaligned_;
    log::warn("the target's versions don't end with one of the source's",
              {{"link", route_.settings.link}, {"key", key}, {"appended", both.source.size() - planned->from}});
  }
  for (size_t i = planned->from; i < both.source.size(); ++i) {
    const bool hides = both.source[i].delete_marker && i + 1 == both.source.size();
    if (hides && !work.may_delete) break;
    if (stop.stop_requested()) return fail(Code::kCancelled, "stopped");
    if (Status appended = append(work, both.source[i], stop); !appended) return std::unexpected(appended.error());
    if (hides) ++markers_;
  }
  // Of a version that turned out to be there although no answer said so.
  if (Status discarded = discard(work, stop); !discarded) return std::unexpected(discarded.error());
  return work.versions > 0 ? Outcome::kReplicated : Outcome::kEqual;
}

Status VersionCarrier::append(Work& work, const Version& version, const std::stop_token& stop) {
  if (version.delete_marker) {
    const std::string name = route_.at_target(work.object.key);
    const Result<bool> folds = route_.folding.folds(name, stop);
    if (!folds) return std::unexpected(folds.error());
    if (*folds) return fail(Code::kAlreadyExists, "not deleted: the target takes the key for another one");
    if (Status made = route_.target.bucket.add_delete_marker(name, stop); !made) return made;
  } else {
    if (Status carried = carry_version(work, version, stop); !carried) return carried;
  }
  work.tries = 0;  // it gets on
  ++work.versions;
  ++versions_;
  return {};
}

Status VersionCarrier::carry_version(Work& work, const Version& version, const std::stop_token& stop) {
  if (work.object.version_id != version.id || work.object.etag != version.etag) {
    if (Status discarded = discard(work, stop); !discarded) return discarded;
    work.odd_md5.clear();
    work.odd_parts = false;
    work.object.version_id = version.id;
    work.object.etag = version.etag;
    work.object.size_bytes = version.size_bytes;
    work.object.last_modified = version.last_modified;
  }
  const auto carried = transfer_.carry(work, stop);
  if (!carried) return std::unexpected(carried.error());
  if (*carried == Outcome::kReplicated) work.carried_bytes += version.size_bytes;
  return {};  // one that is gone at the source was so for good: what comes after it is carried all the same
}

// carry() looks again itself.
Result<Outcome> VersionCarrier::refresh(Work& work, const std::stop_token& stop) {
  if (Status discarded = discard(work, stop); !discarded) return std::unexpected(discarded.error());
  work.object.version_id.clear();
  work.object.etag.clear();
  return Outcome::kReplicated;
}

}  // namespace twinspan::s3
