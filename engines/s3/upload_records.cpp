#include "engines/s3/upload_records.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/log.hpp"
#include "engines/s3/state_objects.hpp"
#include "s3/digest.hpp"

namespace twinspan::s3 {

Json to_json(const UploadRecord& record) {
  Json json = {{"key", record.key},
               {"sourceEtag", record.source_etag},
               {"sizeBytes", record.plan.size_bytes},
               {"partBytes", record.plan.part_bytes},
               {"parts", record.plan.count},
               {"asSource", record.plan.as_source}};
  if (!record.form.empty()) json["form"] = record.form;
  if (!record.salt.empty()) json["salt"] = to_hex(record.salt);
  if (!record.upload_id.empty()) json["uploadId"] = record.upload_id;
  if (!record.part_etags.empty()) json["partEtags"] = record.part_etags;
  return json;
}

Result<UploadRecord> parse_upload_record(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  UploadRecord record{text_of(json, "key"),
                      text_of(json, "sourceEtag"),
                      {integer_of(json, "sizeBytes"), integer_of(json, "partBytes"),
                       static_cast<int>(integer_of(json, "parts")), member_of(json, "asSource") == Json(true)},
                      text_of(json, "form"),
                      from_hex(text_of(json, "salt")),
                      text_of(json, "uploadId")};
  for (const Json& etag : member_of(json, "partEtags"))
    record.part_etags.push_back(etag.is_string() ? etag.get<std::string>() : "");
  if (record.source_etag.empty() || record.plan.part_bytes <= 0 || record.plan.count < 1 ||
      record.plan.count > kPartsMax)
    return fail(Code::kInvalid, "upload record: expected key, sourceEtag, sizeBytes, partBytes and parts");
  return record;
}

std::string UploadRecords::folder() const {
  return fmt::format("{}uploads/{}/", kReservedPrefix, route_.settings.link);
}

std::string UploadRecords::name_of(const std::string& key) const {
  return folder() + to_hex(sha256_of(key)) + ".json";  // keys may be as long as names may be
}

Status UploadRecords::write(const UploadRecord& record, std::stop_token stop) {
  MutexLock lock(mutex_);
  const bool unanswered = unanswered_.contains(record.key);
  lock.unlock();
  if (unanswered)
    if (Status swept = sweep(record.key, stop); !swept) return swept;
  if (Status written = write_state(route_.target.bucket, name_of(record.key), to_json(record), stop); !written)
    return written;
  lock.lock();
  unanswered_.insert(record.key);
  return {};
}

Status UploadRecords::update(const UploadRecord& record, std::stop_token stop) {
  return write_state(route_.target.bucket, name_of(record.key), to_json(record), stop);
}

void UploadRecords::created(const std::string& key) {
  MutexLock lock(mutex_);
  unanswered_.erase(key);
}

Status UploadRecords::sweep(const std::string& key, std::stop_token stop) {
  const auto record = route_.target.bucket.head(name_of(key), stop);
  if (!record) return record.error().code == Code::kNotFound ? Status{} : std::unexpected(record.error());
  const auto uploads = uploads_of(key, "", record->object.last_modified, stop);
  if (!uploads) return std::unexpected(uploads.error());
  for (const Upload& upload : *uploads)
    if (Status aborted = route_.target.bucket.abort_upload(upload, stop); !aborted) return aborted;
  return {};
}

// Where the record doesn't name the upload, both times are the server's, to the second at worst: uploads older than
// their record are somebody else's.
Result<std::vector<Upload>> UploadRecords::uploads_of(const std::string& key, const std::string& upload_id,
                                                      WallTime recorded, std::stop_token stop) {
  const std::string name = route_.at_target(key);
  auto uploads = route_.target.bucket.list_uploads(name, stop);
  if (uploads)
    std::erase_if(*uploads, [&](const Upload& upload) {
      if (upload.key != name) return true;
      return upload_id.empty() ? upload.initiated < recorded - std::chrono::seconds(2) : upload.upload_id != upload_id;
    });
  return uploads;
}

Status UploadRecords::erase(const std::string& key, std::stop_token stop) {
  return route_.target.bucket.remove(name_of(key), stop);
}

Status UploadRecords::recover(std::stop_token stop) {
  {
    MutexLock lock(mutex_);
    found_.clear();
    unanswered_.clear();
  }
  ListRequest request;
  request.prefix = folder();
  do {
    const Result<Page> page = route_.target.bucket.list(request, stop);
    if (!page) return std::unexpected(page.error());
    for (const Listed& stored : page->objects)
      if (Status done = recover_one(stored, stop); !done) return done;
    request.continuation = page->next;
  } while (!request.continuation.empty());
  return {};
}

Status UploadRecords::recover_one(const Listed& stored, std::stop_token stop) {
  Bucket& bucket = route_.target.bucket;
  const Result<std::string> text = read_state(bucket, stored.key, stop);
  if (!text && text.error().code == Code::kNotFound) return {};  // whose it was has done with it
  if (!text) return std::unexpected(text.error());
  const Result<UploadRecord> record = parse_upload_record(*text);
  if (!record) {  // not what we write: neither deleted nor understood
    log::warn("upload record not understood", {{"link", route_.settings.link}, {"key", stored.key}});
    return {};
  }
  if (!route_.settings.share.has(record->key)) return {};  // another worker may be at it
  const auto uploads = uploads_of(record->key, record->upload_id, stored.last_modified, stop);
  if (!uploads) return std::unexpected(uploads.error());
  std::optional<Upload> kept;
  for (const Upload& upload : *uploads) {
    if (!kept) {
      kept = upload;
    } else if (Status aborted = bucket.abort_upload(upload, stop); !aborted) {
      return aborted;
    }
  }
  if (!kept) return bucket.remove(stored.key, stop);
  MutexLock lock(mutex_);
  found_[record->key] = {*record, *kept};
  return {};
}

Result<std::optional<HalfDone>> UploadRecords::claim(const std::string& key, const std::string& source_etag,
                                                     const std::string& form, std::stop_token stop) {
  MutexLock lock(mutex_);
  const auto found = found_.find(key);
  if (found == found_.end()) return std::nullopt;
  const UploadRecord& record = found->second.record;
  if (record.source_etag == source_etag && record.form == form && (form.empty() || record.salt.size() == kSaltBytes))
    return std::move(found_.extract(found).mapped());
  const Upload stale = found->second.upload;
  lock.unlock();
  if (Status aborted = abort(key, stale, stop); !aborted) return std::unexpected(aborted.error());
  lock.lock();
  found_.erase(key);
  return std::nullopt;
}

Status UploadRecords::abandon(std::stop_token stop) {
  std::map<std::string, HalfDone> rest;
  {
    MutexLock lock(mutex_);
    rest.swap(found_);
  }
  for (const auto& [key, half_done] : rest)
    if (Status aborted = abort(key, half_done.upload, stop); !aborted) return aborted;
  return {};
}

Status UploadRecords::abort(const std::string& key, const Upload& upload, std::stop_token stop) {
  if (Status aborted = route_.target.bucket.abort_upload(upload, stop); !aborted) return aborted;
  return erase(key, stop);
}

}  // namespace twinspan::s3
