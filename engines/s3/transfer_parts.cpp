// Transfers in parts: begun or resumed, carried by whoever is free, completed.
#include <fmt/format.h>

#include "core/log.hpp"
#include "engines/s3/history.hpp"
#include "engines/s3/likeness.hpp"
#include "engines/s3/transfer.hpp"

namespace twinspan::s3 {
namespace {

std::optional<Sealing> sealing_of(const StoredForm& form, const Listed& object, const std::string& salt) {
  if (!form.key) return std::nullopt;
  return Sealing{form.key, seal_header(*form.key, Packing::kNone, salt, object.key, object.size_bytes)};
}

// What a former process had acknowledged and the server still has.
Multipart::PartEtags proven_parts(const UploadRecord& record, const std::vector<Part>& listed) {
  Multipart::PartEtags proven(static_cast<size_t>(record.plan.count));
  for (const Part& part : listed) {
    if (part.number < 1 || part.number > record.plan.count) continue;
    const auto at = static_cast<size_t>(part.number) - 1;
    if (at < record.part_etags.size() && part.etag == record.part_etags[at] &&
        part.size_bytes == record.plan.range(part.number).size_bytes)
      proven[at] = part.etag;
  }
  return proven;
}

}  // namespace

std::shared_ptr<Multipart> Transfer::upload_of(UploadRecord record, const Listed& object, const Upload& upload) {
  const auto sealing = sealing_of(route_.settings.stored, object, record.salt);
  const PartPlan plan = record.plan;
  auto done = record.part_etags;
  record.upload_id = upload.upload_id;
  // What isn't written down is carried again by whoever comes after a crash.
  auto keep = [this, record = std::move(record)](const Multipart::PartEtags& etags,
                                                 const std::stop_token& stop) mutable {
    record.part_etags = etags;
    if (Status kept = records_.update(record, stop); !kept)
      log::debug("finished parts not written down", {{"link", route_.settings.link}, {"key", record.key}});
  };
  return std::make_shared<Multipart>(route_, ObjectName(object.key, route_.at_source(object).version_id), object.etag,
                                     plan, upload, std::move(done), sealing, std::move(keep));
}

Result<Outcome> Transfer::carry_in_parts(Work& work, const std::stop_token& stop) {
  if (work.upload && work.upload->source_etag() != work.object.etag)
    if (Status discarded = discard(work, stop); !discarded) return std::unexpected(discarded.error());
  if (!work.upload) {
    const auto begun = begin_parts(work, stop);
    if (!begun || *begun == Outcome::kEqual) return begun;
  } else {
    work.upload->reopen();
  }
  const int done_before = work.upload->done_count();
  if (work.upload->unclaimed() > 1) share_(work.upload);
  work.upload->carry_parts(stop);
  const Status finished = work.upload->finish();
  if (work.upload->done_count() > done_before) work.tries = 0;  // it gets on
  if (!finished) {
    if (finished.error().code == Code::kInternal)  // of no use any more
      if (Status discarded = discard(work, stop); !discarded) return std::unexpected(discarded.error());
    return std::unexpected(finished.error());
  }
  return complete(work, stop);
}

Result<Outcome> Transfer::begin_parts(Work& work, const std::stop_token& stop) {
  const Listed& object = work.object;
  const StoredForm& form = route_.settings.stored;
  const bool in_memory = form.key || (!route_.settings.same_endpoint && !route_.target.bucket.streams());
  const int64_t part_bytes_max = in_memory ? route_.settings.buffer_bytes : kPartBytesMax;
  auto half_done = records_.claim(object.key, object.etag, form.mark(), stop);
  if (!half_done) return std::unexpected(half_done.error());
  if (*half_done) {
    const auto parts = route_.target.bucket.list_parts((*half_done)->upload, stop);
    if (parts) {
      UploadRecord& record = (*half_done)->record;
      record.part_etags = proven_parts(record, *parts);
      work.upload = upload_of(std::move(record), object, (*half_done)->upload);
      return Outcome::kReplicated;
    }
    // Nobody else will look for it now.
    if (Status aborted = records_.abort(object.key, (*half_done)->upload, stop); !aborted)
      return std::unexpected(aborted.error());
  }

  const ObjectName from = route_.at_source(object);
  SourceParts source_parts;
  Result<Head> head = fail(Code::kInvalid, "");
  const int count = etag_parts(object.etag).value_or(0);
  if (count > 0) head = route_.source.bucket.head_part(from, 1, stop);
  if (head) {
    source_parts = {head->parts, head->object.size_bytes};
  } else if (head.error().code == Code::kInvalid || head.error().code == Code::kInternal) {
    head = route_.source.bucket.head(from, stop);  // not uploaded in parts, or the server doesn't tell of them
  }
  if (!head) return std::unexpected(at_source(head.error()));
  if (head->object.etag != object.etag)
    return fail(Code::kConflict, fmt::format("\"{}\" has changed since it was listed", object.key));
  if (source_parts.count == 0 && count > 0) source_parts = usual_parts(object.size_bytes, count);
  if (form.key) source_parts = {};  // sealed bytes have ETags of their own

  const auto plan = plan_parts(form.stored_bytes_max(object.size_bytes), source_parts, part_bytes_max);
  if (!plan) return std::unexpected(plan.error());
  auto request = request_for(
      work, *head, object.etag,
      plan->as_source && !route_.source_etags_opaque && !route_.target_etags_opaque ? object.etag : "", stop);
  if (!request) return std::unexpected(request.error());
  request->if_match.clear();  // what counts is what is there when it is completed
  request->if_absent = false;
  const std::string salt = form.key ? new_salt() : "";
  UploadRecord record{object.key, object.etag, *plan, form.mark(), salt};
  if (Status written = records_.write(record, stop); !written) return std::unexpected(written.error());
  const auto created = route_.target.bucket.create_upload(*request, stop);
  if (!created) return std::unexpected(created.error());
  records_.created(object.key);
  work.upload = upload_of(std::move(record), object, Upload{request->key, *created, {}});
  return Outcome::kReplicated;
}

// Before it is completed: on a two-way link, what was damaged on its way would be taken for a client's newer object;
// where versions are kept it would stay for ever.
Status Transfer::prove_parts(Work& work, const std::vector<Part>& parts, const std::stop_token& stop) {
  if ((!work.course && !route_.settings.all_versions) || !work.upload->plan().as_source || route_.source_etags_opaque ||
      route_.target_etags_opaque)
    return {};
  const auto etag = multipart_etag(parts);
  if (etag == work.object.etag) return {};
  if (Status discarded = discard(work, stop); !discarded) return discarded;
  if (!etag) {
    route_.target_etags_opaque = true;
  } else if (std::exchange(work.odd_parts, true)) {
    route_.source_etags_opaque = true;
  }
  return fail(Code::kUnavailable, fmt::format("\"{}\" arrived with ETag {}, not {}", work.object.key,
                                              etag.value_or("?"), work.object.etag));
}

Result<Outcome> Transfer::complete(Work& work, const std::stop_token& stop) {
  const Listed& object = work.object;
  const std::vector<Part> parts = work.upload->parts();
  const bool as_source = work.upload->plan().as_source;
  if (Status proven = prove_parts(work, parts, stop); !proven) return std::unexpected(proven.error());
  WriteIf only;
  if (work.course) only = {work.course->overwrites, work.course->overwrites.empty()};
  const bool guarded = !work.course && work.over && route_.conditional_completes;
  if (guarded) only = {*work.over, work.over->empty()};
  if (Status there = confirm(work, route_.conditional_completes, stop); !there) return std::unexpected(there.error());
  const auto completed = route_.target.bucket.complete_upload(work.upload->upload(), parts, only, stop);
  std::string etag;
  if (completed) {
    etag = completed->etag;
  } else if (completed.error().code == Code::kNotFound) {
    // Either the answer to a former try was lost, or the upload was.
    const auto head = route_.target.bucket.head(route_.at_target(object.key), stop);
    if (!head && head.error().code != Code::kNotFound) return std::unexpected(head.error());
    if (!head || head->object.size_bytes != work.upload->plan().size_bytes || !made_from(head->metadata, object.etag) ||
        (route_.settings.all_versions && made_from_mark(head->metadata).version_id != object.version_id)) {
      if (Status discarded = discard(work, stop); !discarded) return std::unexpected(discarded.error());
      return fail(Code::kUnavailable, fmt::format("the upload of \"{}\" is gone", object.key));
    }
    etag = head->object.etag;
  } else {
    const Code code = completed.error().code;
    if ((work.course || guarded) && (code == Code::kConflict || code == Code::kAlreadyExists)) {
      work.over_moved = guarded;
      return fail(Code::kConflict, completed.error().message);  // carry() or refresh() looks again
    }
    if (code == Code::kConflict || code == Code::kInvalid) {  // its parts are of no more use
      if (Status discarded = discard(work, stop); !discarded) return std::unexpected(discarded.error());
      return fail(Code::kInternal, completed.error().message);
    }
    return std::unexpected(completed.error());
  }
  if (Status erased = records_.erase(object.key, stop); !erased)
    log::debug("upload record stays for the next sync", {{"link", route_.settings.link}, {"key", object.key}});
  work.upload.reset();
  work.copy_etag = etag;
  if (work.over) work.over = etag;
  work.copy_listed = multipart_etag(parts) == etag;
  if (work.course && as_source && etag != object.etag && !route_.source_etags_opaque &&
      !route_.target_etags_opaque.exchange(true)) {
    work.wrote = etag;  // its seal is broken
    return fail(Code::kUnavailable, fmt::format("\"{}\" arrived with ETag {}, not {}", object.key, etag, object.etag));
  }
  if (!as_source || etag == object.etag || route_.source_etags_opaque) return Outcome::kReplicated;
  // The parts are the source's. Where the target's ETag is the digest of what it got, either the bytes were damaged on
  // their way from the source, or the source's ETag is no digest: the second time tells.
  if (multipart_etag(parts) != etag) return Outcome::kReplicated;
  if (!std::exchange(work.odd_parts, true))
    return fail(Code::kUnavailable, fmt::format("\"{}\" arrived with ETag {}, not {}", object.key, etag, object.etag));
  route_.source_etags_opaque = true;
  return Outcome::kReplicated;
}

}  // namespace twinspan::s3
