#include "worker/s3/copy_record.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>

#include "engines/s3/settings.hpp"
#include "engines/s3/state_objects.hpp"

namespace twinspan::worker_s3 {
namespace {

// How many shares each division has whose records may lie there, by the names of what does.
Result<std::set<int>> divisions_of(s3::Bucket& target, const std::string& whole_key, const std::stop_token& stop) {
  const std::string stem = whole_key.substr(0, whole_key.size() - std::string_view(".json").size());
  std::set<int> counts;
  s3::ListRequest request;
  request.prefix = stem;
  do {
    const auto page = target.list(request, stop);
    if (!page) return std::unexpected(page.error());
    for (const s3::Listed& one : page->objects) {
      int index = 0, count = 0;
      const std::string part = one.key.substr(stem.size());
      if (part == ".json") counts.insert(1);
      if (std::sscanf(part.c_str(), "~%d-of-%d.json", &index, &count) == 2 && count > 1) counts.insert(count);
    }
    request.continuation = page->next;
  } while (!request.continuation.empty());
  return counts;
}

// What all shares of a division have found; empty where one of them has no record of this direction.
Result<CopyRecord> found_by_all(s3::Bucket& target, const std::string& ns, const std::string& link, int count,
                                const Direction& direction, const std::stop_token& stop) {
  CopyRecord all;
  for (int index = 0; index < count; ++index) {
    const auto stored = read_copy_record(target, copy_record_key(ns, link, {index, count}), stop);
    if (!stored) return std::unexpected(stored.error());
    const CopyRecord record = continued(*stored, direction);
    all.reconciled = record.reconciled && (index == 0 || all.reconciled);
    all.equal_once = record.equal_once && (index == 0 || all.equal_once);
    if (!all.reconciled && !all.equal_once) break;
  }
  return all;
}

}  // namespace

CopyRecord continued(const CopyRecord& stored, const Direction& direction) {
  const bool same =
      stored.primary == direction.primary &&
      (stored.epoch == direction.epoch || (direction.same_as_before && stored.epoch + 1 == direction.epoch));
  CopyRecord record = same ? stored : CopyRecord{};
  record.primary = direction.primary;
  record.epoch = direction.epoch;
  record.reconciled = record.reconciled || direction.first;
  return record;
}

std::string copy_record_key(const std::string& ns, const std::string& link, const s3::Share& share) {
  const std::string part = share.whole() ? "" : fmt::format("~{}-of-{}", share.index, share.count);
  return fmt::format("{}copies/{}-{}{}.json", s3::kReservedPrefix, ns, link, part);
}

Result<CopyRecord> read_copy_record(s3::Bucket& target, const std::string& key, const std::stop_token& stop) {
  const auto text = s3::read_state(target, key, stop);
  if (!text && text.error().code == Code::kNotFound) return CopyRecord{};
  if (!text) return std::unexpected(text.error());
  const Json json = Json::parse(*text, nullptr, false);
  CopyRecord record;
  record.primary = text_of(json, "primary");
  record.epoch = integer_of(json, "epoch");
  record.reconciled = member_of(json, "reconciled") == true;
  record.equal_once = member_of(json, "equalOnce") == true;
  record.listed_at = text_of(json, "listedAt");
  record.sync_took = std::chrono::milliseconds(integer_of(json, "syncMilliseconds"));
  return record;
}

Result<LearntRecord> learn_copy_record(s3::Bucket& target, const std::string& ns, const std::string& link,
                                       const s3::Share& share, const Direction& direction,
                                       const std::stop_token& stop) {
  const auto own = read_copy_record(target, copy_record_key(ns, link, share), stop);
  if (!own) return std::unexpected(own.error());
  LearntRecord learnt{continued(*own, direction), own->epoch};
  if (learnt.record.reconciled) return learnt;
  const auto divisions = divisions_of(target, copy_record_key(ns, link, {}), stop);
  if (!divisions) return std::unexpected(divisions.error());
  for (const int count : *divisions) {
    if (count == std::max(1, share.count)) continue;  // of it, our own speaks
    const auto all = found_by_all(target, ns, link, count, direction, stop);
    if (!all) return std::unexpected(all.error());
    if (!all->reconciled && !all->equal_once) continue;
    learnt.record.reconciled = learnt.record.reconciled || all->reconciled;
    learnt.record.equal_once = learnt.record.equal_once || all->equal_once;
    learnt.stored_epoch = -1;  // of no epoch, so that it is written as our own
  }
  return learnt;
}

Status write_copy_record(s3::Bucket& target, const std::string& key, const CopyRecord& record,
                         const std::stop_token& stop) {
  return s3::write_state(target, key,
                         {{"primary", record.primary},
                          {"epoch", record.epoch},
                          {"reconciled", record.reconciled},
                          {"equalOnce", record.equal_once},
                          {"listedAt", record.listed_at},
                          {"syncMilliseconds", record.sync_took.count()}},
                         stop);
}

}  // namespace twinspan::worker_s3
