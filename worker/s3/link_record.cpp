#include "worker/s3/link_record.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "engines/s3/settings.hpp"
#include "worker/s3/copy_record.hpp"

namespace twinspan::worker_s3 {
namespace {

constexpr size_t kBytesMax = 1 << 20;
constexpr const char* kFolder = "primary/";
// Of a copy that was kept before there were link records: all of it is the link's.
constexpr const char* kAlways = "1970-01-01T00:00:00Z";

struct Read {
  std::string text, etag;
  WallTime written{};  // by the bucket's clock
};

Result<Read> read(s3::Bucket& bucket, const std::string& key, const std::stop_token& stop) {
  Read read;
  const auto got = bucket.get(
      {key},
      [&](std::string_view bytes) {
        read.text += bytes;
        return read.text.size() <= kBytesMax;
      },
      stop);
  if (!got) return std::unexpected(got.error());
  read.etag = got->object.etag;
  read.written = got->object.last_modified;
  return read;
}

Result<std::vector<s3::Listed>> listed_below(s3::Bucket& bucket, const std::string& prefix,
                                             const std::stop_token& stop) {
  std::vector<s3::Listed> all;
  s3::ListRequest request;
  request.prefix = prefix;
  do {
    const auto page = bucket.list(request, stop);
    if (!page) return std::unexpected(page.error());
    all.insert(all.end(), page->objects.begin(), page->objects.end());
    request.continuation = page->next;
  } while (!request.continuation.empty());
  return all;
}

std::vector<std::pair<std::string, std::string>> keys_of(const std::vector<s3::Listed>& listed) {
  std::vector<std::pair<std::string, std::string>> keys;
  for (const s3::Listed& one : listed) keys.emplace_back(one.key, one.etag);
  return keys;
}

// What a worker of before wrote: of which primary and epoch this bucket is a copy. One for each share.
Status add_former(s3::Bucket& bucket, const std::string& ns, const std::string& link, const Place& here,
                  BucketRecords& all, const std::stop_token& stop) {
  const std::string whole = copy_record_key(ns, link, {});
  const std::string stem = whole.substr(0, whole.size() - std::string_view(".json").size());
  const auto listed = listed_below(bucket, stem, stop);
  if (!listed) return std::unexpected(listed.error());
  for (const auto& [key, etag] : keys_of(*listed)) {
    if (key != whole && !key.starts_with(stem + "~")) continue;
    const auto found = read(bucket, key, stop);
    if (!found && found.error().code == Code::kNotFound) continue;
    if (!found) return std::unexpected(found.error());
    const Json json = Json::parse(found->text, nullptr, false);
    const int64_t epoch = integer_of(json, "epoch");
    const std::string primary = text_of(json, "primary");
    if (epoch < 1 || primary.empty()) {
      all.unreadable.push_back(key);
      continue;
    }
    all.records.push_back(
        {{ns, link, "", here.name, epoch, primary, "", text_of(json, "listedAt"), kAlways, "", "", {}}, "", {}});
  }
  return {};
}

}  // namespace

std::string link_record_key(const std::string& ns, const std::string& link) {
  return fmt::format("{}{}{}/{}.json", s3::kReservedPrefix, kFolder, ns, link);
}

Json to_json(const LinkRecord& record) {
  Json json = {{"namespace", record.ns},  {"link", record.link},   {"uid", record.uid},
               {"here", record.here},     {"epoch", record.epoch}, {"primary", record.primary},
               {"source", record.source}, {"since", record.since}, {"endpoints", Json::array()}};
  if (!record.began.empty()) json["began"] = record.began;
  if (!record.equal_since.empty()) json["equalSince"] = record.equal_since;
  if (!record.turned.empty()) json["turned"] = record.turned;
  for (const Place& place : record.places)
    json["endpoints"].push_back(
        {{"name", place.name}, {"endpoint", place.endpoint}, {"bucket", place.bucket}, {"prefix", place.prefix}});
  return json;
}

Result<LinkRecord> parse_link_record(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  LinkRecord record;
  record.ns = text_of(json, "namespace");
  record.link = text_of(json, "link");
  record.uid = text_of(json, "uid");
  record.here = text_of(json, "here");
  record.epoch = integer_of(json, "epoch");
  record.primary = text_of(json, "primary");
  record.source = text_of(json, "source");
  record.since = text_of(json, "since");
  record.began = text_of(json, "began");
  record.equal_since = text_of(json, "equalSince");
  record.turned = text_of(json, "turned");
  for (const Json& place : member_of(json, "endpoints"))
    record.places.push_back(
        {text_of(place, "name"), text_of(place, "endpoint"), text_of(place, "bucket"), text_of(place, "prefix")});
  if (record.ns.empty() || record.link.empty() || record.here.empty() || record.epoch < 1 || record.primary.empty() ||
      record.source.empty() || record.places.size() < 2)
    return fail(Code::kInvalid, "it is no record of a link");
  return record;
}

std::optional<WallTime> turned_of(const StoredRecord& stored) {
  if (stored.record.turned == kWhenWritten) return std::chrono::floor<std::chrono::seconds>(stored.written);
  const auto since = parse_rfc3339(stored.record.turned);
  return since ? std::optional(*since) : std::nullopt;
}

Result<BucketRecords> read_link_records(s3::Bucket& bucket, const std::string& ns, const std::string& link,
                                        const Place& here, const BucketRecords& known, const std::stop_token& stop) {
  BucketRecords all;
  const auto listed = listed_below(bucket, std::string(s3::kReservedPrefix) + kFolder, stop);
  if (!listed) return std::unexpected(listed.error());
  bool own = false;
  const auto add = [&](StoredRecord one) {
    own = own || (one.record.ns == ns && one.record.link == link);
    all.records.push_back(std::move(one));
  };
  for (const auto& [key, etag] : keys_of(*listed)) {
    const auto same = std::find_if(known.records.begin(), known.records.end(), [&](const StoredRecord& one) {
      return !etag.empty() && one.etag == etag && link_record_key(one.record.ns, one.record.link) == key;
    });
    if (same != known.records.end()) {
      add(*same);
      continue;
    }
    const auto found = read(bucket, key, stop);
    if (!found && found.error().code == Code::kNotFound) continue;
    if (!found) return std::unexpected(found.error());
    auto record = parse_link_record(found->text);
    if (!record) {
      all.unreadable.push_back(key);
      continue;
    }
    if (record->began.empty()) record->began = to_rfc3339(found->written);
    add({std::move(*record), found->etag, found->written});
  }
  if (own) return all;
  if (Status former = add_former(bucket, ns, link, here, all, stop); !former) return std::unexpected(former.error());
  return all;
}

Result<StoredRecord> write_link_record(s3::Bucket& bucket, LinkRecord record, const std::string& before,
                                       const std::stop_token& stop) {
  const std::string key = link_record_key(record.ns, record.link);
  s3::PutRequest request{key};
  request.metadata.content_type = "application/json";
  request.if_match = before;
  request.if_absent = before.empty();
  const std::string text = to_json(record).dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
  auto put = bucket.put(request, text, stop);
  if (!put && put.error().code == Code::kInvalid) {  // it wants no preconditions
    request.if_match.clear();
    request.if_absent = false;
    put = bucket.put(request, text, stop);
  }
  if (!put && (put.error().code == Code::kAlreadyExists || put.error().code == Code::kNotFound))
    return fail(Code::kConflict, put.error().message);
  if (!put) return std::unexpected(put.error());
  const auto head = bucket.head(key, stop);
  if (!head) return std::unexpected(head.error());
  if (record.began.empty()) record.began = to_rfc3339(head->object.last_modified);
  return StoredRecord{std::move(record), head->object.etag, head->object.last_modified};
}

}  // namespace twinspan::worker_s3
