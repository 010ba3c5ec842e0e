// The report as JSON.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "engines/s3/status.hpp"
#include "engines/s3/verify.hpp"

namespace twinspan::s3 {

std::string verification_key(const std::string& link, const Share& share) {
  return fmt::format("{}verification/{}.json", kReservedPrefix, name_of_share(link, share));
}

Json to_json(const VerificationReport& report) {
  Json json = {{"consistent", report.consistent},
               {"complete", report.complete},
               {"metadata", report.metadata},
               {"checked", report.checked},
               {"missing", report.missing},
               {"different", report.different},
               {"extra", report.extra},
               {"missingSample", report.missing_sample},
               {"differentSample", report.different_sample},
               {"extraSample", report.extra_sample},
               {"startedAt", to_rfc3339_micro(report.started_at)}};
  if (report.division > 0) json["division"] = report.division;
  if (!report.error.empty()) json["error"] = report.error;
  if (report.finished_at) json["finishedAt"] = to_rfc3339_micro(*report.finished_at);
  for (const KeyRange& range : report.rest) json["rest"].push_back({{"after", range.after}, {"upto", range.upto}});
  return json;
}

Result<VerificationReport> parse_verification_report(const Json& json) {
  if (!json.is_object()) return fail(Code::kInvalid, "verification report: expected an object");
  VerificationReport report;
  report.consistent = flag_of(json, "consistent");
  report.complete = flag_of(json, "complete");
  report.division = integer_of(json, "division");
  report.metadata = flag_of(json, "metadata");
  report.checked = count_of(json, "checked");
  report.missing = count_of(json, "missing");
  report.different = count_of(json, "different");
  report.extra = count_of(json, "extra");
  report.missing_sample = texts_of(json, "missingSample");
  report.different_sample = texts_of(json, "differentSample");
  report.extra_sample = texts_of(json, "extraSample");
  report.error = text_of(json, "error");
  report.started_at = time_of(json, "startedAt").value_or(WallTime{});
  report.finished_at = time_of(json, "finishedAt");
  for (const Json& range : member_of(json, "rest"))
    report.rest.push_back({text_of(range, "after"), text_of(range, "upto")});
  return report;
}

}  // namespace twinspan::s3
