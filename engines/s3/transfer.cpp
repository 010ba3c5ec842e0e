#include "engines/s3/transfer.hpp"

#include <fmt/format.h>

#include "core/log.hpp"
#include "engines/s3/conflict_copy.hpp"
#include "engines/s3/content.hpp"
#include "engines/s3/history.hpp"
#include "engines/s3/likeness.hpp"
#include "engines/s3/origin.hpp"
#include "s3/digest.hpp"

namespace twinspan::s3 {

namespace {

// Of a request with a precondition: what was to be overwritten has gone or is another, or something is where nothing
// was.
Error precondition(Work& work, Error error) {
  const std::string& over = work.course ? work.course->overwrites : *work.over;
  const bool gone = error.code == Code::kNotFound && !over.empty();
  if (gone || error.code == Code::kAlreadyExists) error.code = Code::kConflict;
  work.over_moved = !work.course && error.code == Code::kConflict;
  return error;
}

bool knows_age(const Settings& settings) {
  return settings.deletes.not_before > WallTime{} && !settings.restore && !settings.all_versions;
}

}  // namespace

bool is_foreign(const Settings& settings, const Listed& at_target) {
  return knows_age(settings) && at_target.last_modified < settings.deletes.not_before;
}

Status Transfer::confirm(const Work& work, bool conditional, const std::stop_token& stop) {
  if (!work.course || conditional) return {};
  const auto there = route_.target.bucket.head(route_.at_target(work.object.key), stop);
  if (!there && there.error().code != Code::kNotFound) return std::unexpected(there.error());
  if ((there ? there->object.etag : "") == work.course->overwrites) return {};
  return fail(Code::kConflict, fmt::format("\"{}\" was written meanwhile", work.object.key));
}

Status Transfer::look_at_target(Work& work, const std::stop_token& stop) {
  const Settings& settings = route_.settings;
  if (work.course || (!settings.guarded && !knows_age(settings))) return {};
  if (settings.guarded && !route_.traits_known)
    return fail(Code::kUnavailable, "whether the target holds to preconditions is not known yet");
  if (work.over) return {};
  auto there = route_.target.bucket.head(route_.at_target(work.object.key), stop);
  if (!there && there.error().code != Code::kNotFound) return std::unexpected(there.error());
  work.over = there ? there->object.etag : "";
  if (!there || !is_foreign(settings, there->object)) return {};
  work.foreign = std::move(there->object);
  work.foreign->key = work.object.key;
  return {};
}

// Something else is at the target than what was looked at. It is not written over upon this: who wrote it may be a
// client that has been sent there. What listings hide was there before (MinIO: "a/b" beside "a").
Result<Outcome> Transfer::look_again(Work& work, const std::stop_token& stop) {
  const std::string name = route_.at_target(work.object.key);
  auto there = route_.target.bucket.head(name, stop);
  if (!there && there.error().code != Code::kNotFound) return std::unexpected(there.error());
  const std::string etag = there ? there->object.etag : "";
  if (etag == *work.over) return Outcome::kReplicated;  // for a moment only
  if (there) {
    Result<bool> equal = there->object.size_bytes == work.object.size_bytes;
    if (*equal && etag != work.object.etag) equal = same_content(route_, work.object, etag, stop);
    if (!equal) return std::unexpected(equal.error());
    if (*equal) {
      work.copy_etag = etag;
      work.copy_listed = true;
      return Outcome::kEqual;
    }
    Result<bool> told = true;
    if (work.over->empty()) told = still_listed(route_.target, {name, ""}, stop);
    if (!told) return std::unexpected(told.error());
    if (*told)
      return fail(Code::kAlreadyExists, fmt::format("not copied: \"{}\" was written at the target after it was looked "
                                                    "at; the next full sync compares both sides again",
                                                    work.object.key));
  }
  work.over = etag;
  work.at_once = ++work.looks == 1;
  return Outcome::kReplicated;
}

Status Transfer::keep_foreign(Work& work, const std::stop_token& stop) {
  if (!work.foreign) return {};
  if (Status kept = keep_loser(route_.target, *work.foreign, stop); !kept) {
    work.over_moved = kept.error().code == Code::kConflict;
    return kept;
  }
  ++route_.set_aside;
  log::warn("it was at the target before the link: it is replaced, and kept",
            {{"link", route_.settings.link},
             {"key", work.object.key},
             {"kept", conflict_name(route_.at_target(work.object.key), work.foreign->etag)}});
  work.foreign.reset();
  return {};
}

// The source answers that it has no such object.
Result<Outcome> Transfer::gone(Work& work, const std::stop_token& stop) {
  if (Status discarded = discard(work, stop); !discarded) return std::unexpected(discarded.error());
  const auto listed = still_listed(route_.source, route_.at_source(work.object), stop);
  if (!listed) return std::unexpected(listed.error());
  work.lost = *listed;
  if (!*listed) return Outcome::kGone;
  return fail(Code::kUnavailable,
              fmt::format("\"{}\" is listed by the source, which then answers that it is not there: its "
                          "data may be lost; look at it there, or delete it",
                          work.object.key));
}

Result<Outcome> Transfer::carry(Work& work, const std::stop_token& stop) {
  const std::string name = route_.at_target(work.object.key);
  const Result<bool> folds = route_.folding.folds(name, stop);
  if (!folds) return std::unexpected(folds.error());
  if (*folds)  // two keys of the source would overwrite each other for ever
    return fail(Code::kAlreadyExists, fmt::format("not copied: the target takes the key \"{}\" for another one", name));
  if (!work.target_etag.empty()) {
    const Result<bool> equal = same_content(route_, work.object, work.target_etag, stop);
    if (!equal) return std::unexpected(equal.error());
    if (*equal) {
      work.copy_etag = work.target_etag;
      work.copy_listed = true;
      return Outcome::kEqual;
    }
    work.target_etag.clear();
  }
  if (Status looked = look_at_target(work, stop); !looked) return std::unexpected(looked.error());
  if (Status kept = keep_foreign(work, stop); !kept) return std::unexpected(kept.error());
  const bool formed = route_.settings.restore || !route_.settings.stored.plain();
  const Result<Outcome> carried = formed ? carry_formed(work, stop) : carry_plain(work, stop);
  if (!carried && carried.error().code == Code::kGone) return gone(work, stop);
  work.lost = false;
  return carried;
}

Result<Outcome> Transfer::carry_plain(Work& work, const std::stop_token& stop) {
  const int64_t size = work.object.size_bytes;
  const bool in_parts = size > 0 && etag_parts(work.object.etag).value_or(0) > 0;
  if (!in_parts && route_.settings.same_endpoint && !work.course && size <= kCopyBytesMax)
    return copy_whole(work, stop);
  if (!in_parts && size <= route_.settings.single_put_bytes_max) return carry_whole(work, stop);
  return carry_in_parts(work, stop);
}

Result<PutRequest> Transfer::request_for(const Work& work, const Head& head, const std::string& marker,
                                         const std::string& copy_etag, const std::stop_token& stop) {
  const Metadata& from = head.metadata;
  PutRequest request{route_.at_target(work.object.key),
                     marked(carried(route_.settings, route_.settings.restore ? unmarked(from) : from, marker),
                            route_.settings.stored, work.object.size_bytes)};
  if (work.course) {
    // A copy isn't newer than what it was made from, however often it was copied.
    const Claim former = claim_of(head.metadata, place_of(route_.target), work.object.key, work.object.etag);
    mark_copy(request.metadata,
              {place_of(route_.source), work.object.key, work.object.etag,
               former.source_modified.value_or(std::chrono::floor<std::chrono::seconds>(head.object.last_modified))},
              copy_etag);
    request.if_match = work.course->overwrites;
    request.if_absent = request.if_match.empty();
  } else if (work.over && route_.conditional_puts) {
    request.if_match = *work.over;
    request.if_absent = work.over->empty();
  }
  if (route_.settings.all_versions) {
    request.metadata.user[std::string(kSourceVersionName)] = work.object.version_id;
    request.once = true;
  }
  if (head.tags > 0) {
    auto tags = route_.source.bucket.tags(route_.at_source(work.object), stop);
    if (!tags) return std::unexpected(at_source(tags.error()));
    request.tags = std::move(*tags);
  }
  if (route_.lacking_classes.lacks(request.metadata.storage_class)) request.metadata.storage_class.clear();
  if (route_.settings.stored.plain() && !route_.settings.all_versions) fit_metadata(request.metadata);
  return request;
}

Result<Outcome> Transfer::carry_whole(Work& work, const std::stop_token& stop) {
  const Listed& object = work.object;
  auto buffer = route_.buffers.acquire(static_cast<size_t>(object.size_bytes), stop);
  if (!buffer) return fail(Code::kCancelled, "stopped");
  const auto head = read_source(route_, {object.key, route_.at_source(object).version_id}, object.etag, std::nullopt,
                                *buffer, object.size_bytes, stop);
  if (!head) return std::unexpected(head.error());

  // An ETag of another form, or one that two readings belied in the same way, is no digest.
  std::optional<std::string> promised = md5_in(object.etag);
  if (route_.source_etags_opaque) promised.reset();
  std::string digest = promised ? *promised : md5_of(buffer->bytes());
  bool mark = !promised || route_.target_etags_opaque || route_.settings.all_versions;  // a second put is a version
  for (int attempt = 1;; ++attempt) {
    auto request =
        request_for(work, *head, mark ? object.etag : "", route_.target_etags_opaque ? "" : to_hex(digest), stop);
    if (!request) return std::unexpected(request.error());
    request->content_md5 = base64_encode(digest);
    if (Status there = confirm(work, route_.conditional_puts, stop); !there) return std::unexpected(there.error());
    const auto put = route_.target.bucket.put(*request, buffer->bytes(), stop);
    if (!put && put.error().code == Code::kInvalid && promised) {
      digest = md5_of(buffer->bytes());
      if (digest == *promised) return std::unexpected(put.error());  // not for the digest's sake
      if (digest != std::exchange(work.odd_md5, digest))
        return fail(Code::kUnavailable, fmt::format("\"{}\" was damaged on the way", object.key));
      route_.source_etags_opaque = true;
      promised.reset();
      mark = true;
      continue;
    }
    const bool conditional = work.course || (work.over && route_.conditional_puts);
    if (!put) return std::unexpected(conditional ? precondition(work, put.error()) : put.error());
    work.copy_etag = put->etag;
    if (work.over) work.over = put->etag;
    work.copy_listed = put->etag == to_hex(digest);
    if (work.course && !route_.target_etags_opaque && put->etag != to_hex(digest)) {
      route_.target_etags_opaque = true;  // the seal is broken that was to prove these bytes
      work.course->overwrites = put->etag;
      continue;
    }
    if (work.course || put->etag == object.etag || mark || attempt > 2) return Outcome::kReplicated;
    // Proven by Content-MD5, but the next listing couldn't tell: say from what it was made.
    route_.target_etags_opaque = true;
    mark = true;
  }
}

Result<Outcome> Transfer::copy_whole(Work& work, const std::stop_token& stop) {
  const Listed& object = work.object;
  PutRequest request{route_.at_target(object.key)};  // without metadata: the source's are kept, but for its class
  const bool unusual_class = !object.storage_class.empty() && object.storage_class != "STANDARD";
  bool marked = route_.target_etags_opaque || !route_.settings.encryption.empty();
  const bool conditional = work.over && route_.conditional_copies;
  for (;;) {
    if (marked || unusual_class) {
      const auto head = route_.source.bucket.head(route_.at_source(object.key), stop);
      if (!head) return std::unexpected(at_source(head.error()));
      auto full = request_for(work, *head, marked ? object.etag : "", "", stop);
      if (!full) return std::unexpected(full.error());
      request = std::move(*full);
    }
    request.if_match = conditional ? *work.over : "";
    request.if_absent = conditional && work.over->empty();
    const auto copied = route_.target.bucket.copy(route_.source.bucket.name(), route_.at_source(object.key),
                                                  object.etag, request, stop);
    // Of which side a precondition speaks, or what is not found, the answer doesn't tell: `refresh` looks at both.
    if (!copied) return std::unexpected(at_source(conditional ? precondition(work, copied.error()) : copied.error()));
    work.copy_etag = copied->etag;
    if (work.over) work.over = copied->etag;
    if (marked || copied->etag == object.etag) return Outcome::kReplicated;
    route_.target_etags_opaque = true;
    marked = true;
  }
}

Result<Outcome> Transfer::refresh(Work& work, const std::stop_token& stop) {
  if (Status discarded = discard(work, stop); !discarded) return std::unexpected(discarded.error());
  auto head = route_.source.bucket.head(route_.at_source(work.object.key), stop);
  if (!head) {
    if (head.error().code == Code::kNotFound) return gone(work, stop);
    return std::unexpected(head.error());
  }
  head->object.key = work.object.key;  // below the prefix
  work.object = std::move(head->object);
  work.odd_md5.clear();
  return std::exchange(work.over_moved, false) ? look_again(work, stop) : Outcome::kReplicated;
}

Status Transfer::discard(Work& work, const std::stop_token& stop) {
  if (!work.upload) return {};
  if (Status aborted = records_.abort(work.object.key, work.upload->upload(), stop); !aborted) return aborted;
  work.upload.reset();
  return {};
}

}  // namespace twinspan::s3
