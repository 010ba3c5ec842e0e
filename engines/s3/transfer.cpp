#include "engines/s3/transfer.hpp"

#include <fmt/format.h>

#include "engines/s3/content.hpp"
#include "engines/s3/history.hpp"
#include "engines/s3/likeness.hpp"
#include "engines/s3/origin.hpp"
#include "s3/digest.hpp"

namespace twinspan::s3 {

namespace {

// What was to be overwritten has gone, or something is where nothing was.
Error precondition(const Work& work, Error error) {
  const bool gone = error.code == Code::kNotFound && work.course && !work.course->overwrites.empty();
  if (work.course && (gone || error.code == Code::kAlreadyExists)) error.code = Code::kConflict;
  return error;
}

}  // namespace

Status Transfer::confirm(const Work& work, bool conditional, const std::stop_token& stop) {
  if (!work.course || conditional) return {};
  const auto there = route_.target.bucket.head(route_.at_target(work.object.key), stop);
  if (!there && there.error().code != Code::kNotFound) return std::unexpected(there.error());
  if ((there ? there->object.etag : "") == work.course->overwrites) return {};
  return fail(Code::kConflict, fmt::format("\"{}\" was written meanwhile", work.object.key));
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
  const bool formed = route_.settings.restore || !route_.settings.stored.plain();
  const Result<Outcome> carried = formed ? carry_formed(work, stop) : carry_plain(work, stop);
  if (!carried && carried.error().code == Code::kGone) {
    if (Status discarded = discard(work, stop); !discarded) return std::unexpected(discarded.error());
    return Outcome::kGone;
  }
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
    request->content_md5 = base64_of(digest);
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
    if (!put) return std::unexpected(precondition(work, put.error()));
    work.copy_etag = put->etag;
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
  for (;;) {
    if (marked || unusual_class) {
      const auto head = route_.source.bucket.head(route_.at_source(object.key), stop);
      if (!head) return std::unexpected(at_source(head.error()));
      auto full = request_for(work, *head, marked ? object.etag : "", "", stop);
      if (!full) return std::unexpected(full.error());
      request = std::move(*full);
    }
    const auto copied = route_.target.bucket.copy(route_.source.bucket.name(), route_.at_source(object.key),
                                                  object.etag, request, stop);
    if (!copied) return std::unexpected(at_source(copied.error()));
    work.copy_etag = copied->etag;
    if (marked || copied->etag == object.etag) return Outcome::kReplicated;
    route_.target_etags_opaque = true;
    marked = true;
  }
}

Result<Outcome> Transfer::refresh(Work& work, const std::stop_token& stop) {
  if (Status discarded = discard(work, stop); !discarded) return std::unexpected(discarded.error());
  auto head = route_.source.bucket.head(route_.at_source(work.object.key), stop);
  if (!head) {
    if (head.error().code == Code::kNotFound) return Outcome::kGone;
    return std::unexpected(head.error());
  }
  head->object.key = work.object.key;  // below the prefix
  work.object = std::move(head->object);
  work.odd_md5.clear();
  return Outcome::kReplicated;
}

Status Transfer::discard(Work& work, const std::stop_token& stop) {
  if (!work.upload) return {};
  if (Status aborted = records_.abort(work.object.key, work.upload->upload(), stop); !aborted) return aborted;
  work.upload.reset();
  return {};
}

}  // namespace twinspan::s3
