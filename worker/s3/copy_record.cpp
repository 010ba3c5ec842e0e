#include "worker/s3/copy_record.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engines/s3/settings.hpp"
#include "engines/s3/state_objects.hpp"

namespace twinspan::worker_s3 {

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
  record.listed_at = text_of(json, "listedAt");
  record.sync_took = std::chrono::milliseconds(integer_of(json, "syncMilliseconds"));
  return record;
}

Status write_copy_record(s3::Bucket& target, const std::string& key, const CopyRecord& record,
                         const std::stop_token& stop) {
  return s3::write_state(target, key,
                         {{"primary", record.primary},
                          {"epoch", record.epoch},
                          {"reconciled", record.reconciled},
                          {"listedAt", record.listed_at},
                          {"syncMilliseconds", record.sync_took.count()}},
                         stop);
}

}  // namespace twinspan::worker_s3
