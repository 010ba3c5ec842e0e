#include "failover/flow/report.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace twinspan {
namespace {

using std::chrono::milliseconds;

const PlaceSeen* of_name(const FlowReport& report, const std::string& name) {
  const auto found =
      std::find_if(report.places.begin(), report.places.end(), [&](const PlaceSeen& one) { return one.name == name; });
  return found == report.places.end() ? nullptr : &*found;
}

// The sight that rules out more: a place that answers one worker is there.
int weight(Reach reach) {
  switch (reach) {
    case Reach::kReachable: return 3;
    case Reach::kRefused: return 2;
    case Reach::kUnreachable: return 1;
    case Reach::kUnknown: break;
  }
  return 0;
}

}  // namespace

Json to_json(const FlowReport& report) {
  Json json = {{"measuredAt", report.measured_at}, {"endpoints", Json::array()}};
  if (report.adopted) json["adopted"] = report.adopted->value;
  for (const PlaceSeen& one : report.places) {
    Json row = {{"name", one.name},
                {"reach", to_string(one.reach)},
                {"reachMilliseconds", one.reach_for.count()},
                {"failures", one.failures},
                {"completeOnce", one.complete_once},
                {"caughtUp", one.caught_up},
                {"syncMilliseconds", one.sync_took.count()}};
    if (!one.since.empty()) row["since"] = one.since;
    if (!one.message.empty()) row["message"] = one.message;
    if (one.writable) row["writable"] = *one.writable;
    if (one.missing) row["missing"] = *one.missing;
    if (!one.listed_at.empty()) row["listedAt"] = one.listed_at;
    json["endpoints"].push_back(std::move(row));
  }
  if (report.past) json["past"] = to_json(*report.past);
  if (report.rehearsal) json["rehearsal"] = to_json(*report.rehearsal);
  return json;
}

Result<FlowReport> parse_flow_report(const Json& json) {
  if (!json.is_object()) return fail(Code::kInvalid, "failover: expected an object");
  FlowReport report;
  report.measured_at = text_of(json, "measuredAt");
  if (member_of(json, "adopted").is_number_integer()) report.adopted = Epoch{integer_of(json, "adopted")};
  for (const Json& row : member_of(json, "endpoints")) {
    PlaceSeen& one = report.places.emplace_back();
    one.name = text_of(row, "name");
    one.reach = parse_reach(text_of(row, "reach")).value_or(Reach::kUnknown);
    one.reach_for = milliseconds(std::max<int64_t>(0, integer_of(row, "reachMilliseconds")));
    one.failures = static_cast<int>(integer_of(row, "failures"));
    one.complete_once = member_of(row, "completeOnce") == true;
    one.caught_up = member_of(row, "caughtUp") == true;
    one.sync_took = milliseconds(std::max<int64_t>(0, integer_of(row, "syncMilliseconds")));
    one.since = text_of(row, "since");
    one.message = text_of(row, "message");
    if (const Json& writable = member_of(row, "writable"); writable.is_boolean()) one.writable = writable.get<bool>();
    if (member_of(row, "missing").is_number_integer())
      one.missing = static_cast<uint64_t>(std::max<int64_t>(0, integer_of(row, "missing")));
    one.listed_at = text_of(row, "listedAt");
  }
  report.past = parse_flow_past(member_of(json, "past"));
  report.rehearsal = parse_rehearsal_report(member_of(json, "rehearsal"));
  return report;
}

std::vector<PlaceSeen> together(const std::vector<std::string>& names, const std::vector<FlowReport>& reports) {
  std::vector<PlaceSeen> all;
  for (const std::string& name : names) {
    std::optional<PlaceSeen> sum;
    for (const FlowReport& report : reports) {
      const PlaceSeen* one = of_name(report, name);
      if (!one) {  // a worker that doesn't know of it yet has carried nothing there
        sum.emplace();
        sum->name = name;
        break;
      }
      if (!sum) {
        sum = *one;
        continue;
      }
      PlaceSeen& both = *sum;
      if (weight(one->reach) > weight(both.reach)) {
        both.reach = one->reach;
        both.reach_for = one->reach_for;
        both.since = one->since;
        both.message = one->message;
        both.failures = one->failures;
      } else if (one->reach == both.reach) {
        if (one->reach_for < both.reach_for) both.since = one->since;
        both.reach_for = std::min(both.reach_for, one->reach_for);
        both.failures = std::min(both.failures, one->failures);
      }
      both.writable = both.writable && one->writable ? std::optional(*both.writable && *one->writable) : std::nullopt;
      both.complete_once = both.complete_once && one->complete_once;
      both.caught_up = both.caught_up && one->caught_up;
      both.missing = both.missing && one->missing ? std::optional(*both.missing + *one->missing) : std::nullopt;
      both.listed_at = std::min(both.listed_at, one->listed_at);  // empty where one has never listed it
      both.sync_took = std::max(both.sync_took, one->sync_took);
    }
    if (!sum) sum.emplace().name = name;
    all.push_back(std::move(*sum));
  }
  return all;
}

}  // namespace twinspan
