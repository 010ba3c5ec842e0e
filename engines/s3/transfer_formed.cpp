// Transfers that change the form of what they carry: compressed, sealed, or brought back from both.
#include <fmt/format.h>

#include "core/log.hpp"
#include "core/wait.hpp"
#include "engines/s3/content.hpp"
#include "engines/s3/likeness.hpp"
#include "engines/s3/part_writer.hpp"
#include "engines/s3/stored/opener.hpp"
#include "engines/s3/transfer.hpp"
#include "s3/digest.hpp"

namespace twinspan::s3 {
namespace {

constexpr int64_t kReadBytes = 4 * kMiB;
constexpr const char* kNotContinued = "stream";  // the form of upload records that only say what is to be aborted

// The whole source object through `stage`, a few MiB at a time. What was read is handed on only when all of that piece
// arrived, so that a piece can be read again. `digest` sees the source's bytes.
Status pump(Route& route, const Listed& object, Stage& stage, Md5& digest, const Sink& out,
            const std::stop_token& stop) {
  std::string piece;
  piece.reserve(static_cast<size_t>(std::min(kReadBytes, object.size_bytes)));
  for (int64_t at = 0; at < object.size_bytes; at += kReadBytes) {
    const ByteRange range{at, std::min(kReadBytes, object.size_bytes - at)};
    for (int tries = 1;; ++tries) {
      piece.clear();
      const auto read = read_source(route, object.key, object.etag, range, piece, range.size_bytes, stop);
      if (read) break;
      const auto wait = retry_after(read.error(), tries, route.settings.retries);
      if (!wait || read.error().code == Code::kConflict || !wait_for(*wait, stop)) return std::unexpected(read.error());
    }
    digest.add(piece);
    if (Status fed = stage.feed(piece, out); !fed) return fed;
  }
  return stage.finish(out);
}

}  // namespace

// Whether what was read is what the ETag promised. Read twice the same, it is the ETag that is no digest.
Status Transfer::prove(Work& work, const std::string& digest) {
  const auto promised = md5_in(work.object.etag);
  if (!promised || route_.source_etags_opaque || digest == *promised) return {};
  if (digest != std::exchange(work.odd_md5, digest))
    return fail(Code::kUnavailable, fmt::format("\"{}\" was damaged on the way", work.object.key));
  route_.source_etags_opaque = true;
  return {};
}

Result<Outcome> Transfer::carry_formed(Work& work, const std::stop_token& stop) {
  const Settings& settings = route_.settings;
  const int64_t size = work.object.size_bytes;
  if (settings.restore) return carry_stream(work, stop);
  if (size <= settings.single_put_bytes_max) return carry_formed_whole(work, stop);
  return settings.stored.packing == Packing::kNone ? carry_in_parts(work, stop) : carry_stream(work, stop);
}

Result<Outcome> Transfer::carry_formed_whole(Work& work, const std::stop_token& stop) {
  const Listed& object = work.object;
  const StoredForm& form = route_.settings.stored;
  const auto stored_max = static_cast<size_t>(form.stored_bytes_max(object.size_bytes));
  const auto room = route_.buffers.reserve(static_cast<size_t>(object.size_bytes) + stored_max, stop);
  if (!room) return fail(Code::kCancelled, "stopped");
  std::string bytes, stored;
  bytes.reserve(static_cast<size_t>(object.size_bytes));
  const auto head = read_source(route_, object.key, object.etag, std::nullopt, bytes, object.size_bytes, stop);
  if (!head) return std::unexpected(head.error());
  if (Status proven = prove(work, md5_of(bytes)); !proven) return std::unexpected(proven.error());
  const Sink gather = [&](std::string_view piece) -> Status {
    stored += piece;
    return {};
  };
  const auto stages = form.stages(object.key, object.size_bytes, new_salt());
  Status done = stages->feed(bytes, gather);
  if (done) done = stages->finish(gather);
  if (!done) return std::unexpected(done.error());
  auto request = request_for(work, *head, object.etag, "", stop);
  if (!request) return std::unexpected(request.error());
  return put_stored(work, std::move(*request), stored, stop);
}

Result<Outcome> Transfer::put_stored(Work& work, PutRequest request, std::string_view stored,
                                     const std::stop_token& stop) {
  const std::string digest = md5_of(stored);
  request.content_md5 = base64_encode(digest);
  const auto put = route_.target.bucket.put(request, stored, stop);
  if (!put) return std::unexpected(put.error());
  work.copy_etag = put->etag;
  work.copy_listed = put->etag == to_hex(digest);
  return Outcome::kReplicated;
}

// Read once from the beginning to the end. What was begun and not ended is begun anew: compression can't be taken up in
// the middle.
Result<Outcome> Transfer::carry_stream(Work& work, const std::stop_token& stop) {
  const Listed& object = work.object;
  const Settings& settings = route_.settings;
  const auto head = route_.source.bucket.head(route_.at_source(object.key), stop);
  if (!head) return std::unexpected(at_source(head.error()));
  if (head->object.etag != object.etag)
    return fail(Code::kConflict, fmt::format("\"{}\" has changed since it was listed", object.key));
  const auto mark = settings.restore ? stored_mark(head->metadata) : std::nullopt;
  if (settings.restore && !mark) return carry_plain(work, stop);
  // Of whatever form: nothing of it can be gone on with.
  if (auto claimed = records_.claim(object.key, object.etag, kNotContinued, stop); !claimed)
    return std::unexpected(claimed.error());
  auto request = request_for(work, *head, object.etag, "", stop);
  if (!request) return std::unexpected(request.error());
  if (!mark)
    return write_stream(work, *settings.stored.stages(object.key, object.size_bytes, new_salt()),
                        settings.stored.stored_bytes_max(object.size_bytes), std::move(*request), stop);
  // Sealed under another name it may be another object in this one's place.
  Opener opener({settings.restore_key, mark->sealed ? std::optional(object.key) : std::nullopt, mark->packing,
                 mark->source_bytes});
  return write_stream(work, opener, mark->source_bytes, std::move(*request), stop);
}

// What comes out of `stage`: `bytes_max` at most.
Result<Outcome> Transfer::write_stream(Work& work, Stage& stage, int64_t bytes_max, PutRequest request,
                                       const std::stop_token& stop) {
  const bool whole = bytes_max <= route_.settings.single_put_bytes_max;
  const auto plan = plan_parts(bytes_max, {}, route_.settings.buffer_bytes);
  if (!plan) return std::unexpected(plan.error());
  const auto room =
      route_.buffers.reserve(static_cast<size_t>((whole ? bytes_max : plan->part_bytes) + kReadBytes), stop);
  if (!room) return fail(Code::kCancelled, "stopped");
  if (!whole) return write_stream_in_parts(work, stage, *plan, request, stop);
  Md5 digest;
  std::string stored;
  const Sink gather = [&](std::string_view piece) -> Status {
    stored += piece;
    return {};
  };
  if (Status pumped = pump(route_, work.object, stage, digest, gather, stop); !pumped)
    return std::unexpected(pumped.error());
  if (Status proven = prove(work, digest.finish()); !proven) return std::unexpected(proven.error());
  return put_stored(work, std::move(request), stored, stop);
}

Result<Outcome> Transfer::write_stream_in_parts(Work& work, Stage& stage, const PartPlan& plan,
                                                const PutRequest& request, const std::stop_token& stop) {
  const Listed& object = work.object;
  if (Status recorded = records_.write({object.key, object.etag, plan, kNotContinued, ""}, stop); !recorded)
    return std::unexpected(recorded.error());
  const auto created = route_.target.bucket.create_upload(request, stop);
  if (!created) return std::unexpected(created.error());
  records_.created(object.key);
  const Upload upload{request.key, *created, {}};
  const auto written = [&]() -> Result<PutResult> {
    PartWriter writer(route_.target.bucket, upload, plan.part_bytes);
    Md5 digest;
    const Sink send = [&](std::string_view piece) { return writer.write(piece, stop); };
    if (Status pumped = pump(route_, object, stage, digest, send, stop); !pumped)
      return std::unexpected(pumped.error());
    const auto parts = writer.finish(stop);
    if (!parts) return std::unexpected(parts.error());
    if (Status proven = prove(work, digest.finish()); !proven) return std::unexpected(proven.error());
    auto completed = route_.target.bucket.complete_upload(upload, *parts, {}, stop);
    if (completed) work.copy_listed = multipart_etag(*parts) == completed->etag;
    return completed;
  }();
  if (written) {
    if (Status erased = records_.erase(object.key, stop); !erased)
      log::debug("upload record stays for the next sync", {{"link", route_.settings.link}, {"key", object.key}});
    work.copy_etag = written->etag;
    return Outcome::kReplicated;
  }
  if (stop.stop_requested()) return std::unexpected(written.error());  // whoever comes next finds the record
  // The answer to a completed upload may have been lost, or the upload.
  const bool gone = written.error().code == Code::kNotFound;
  const Result<bool> there = gone ? same_content(route_, object, "", stop) : Result<bool>(false);
  if (Status aborted = records_.abort(object.key, upload, stop); !aborted) return std::unexpected(aborted.error());
  if (there && *there) return Outcome::kReplicated;
  if (gone) return fail(Code::kUnavailable, fmt::format("the upload of \"{}\" is gone", object.key));
  return std::unexpected(written.error());
}

}  // namespace twinspan::s3
