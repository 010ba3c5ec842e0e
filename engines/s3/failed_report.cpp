#include "engines/s3/failed_report.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace twinspan::s3 {

std::string failed_key(const std::string& link) { return fmt::format("{}failed/{}.json", kReservedPrefix, link); }

Json to_json(const DeadLetter& letter) {
  return {{"key", letter.key},
          {"error", letter.error},
          {"tries", letter.tries},
          {"lastModified", to_rfc3339_micro(letter.last_modified)}};
}

Json failed_report(const std::vector<DeadLetter>& letters, const SyncProgress& progress) {
  Json report = {{"failed", std::max<uint64_t>(progress.failed, letters.size())}, {"keys", Json::array()}};
  if (progress.completed_at) report["finishedAt"] = to_rfc3339_micro(*progress.completed_at);
  for (const DeadLetter& letter : letters) report["keys"].push_back(to_json(letter));
  return report;
}

}  // namespace twinspan::s3
