#include "controllers/kafka/kafka_said.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "api/patterns.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/link/link_status.hpp"
#include "core/text.hpp"

namespace twinspan::controllers {
namespace {

// As the schema has it; what is cut gets one character more.
constexpr size_t kTroubledMost = 20, kMessageMost = 999, kTopicMost = 254, kGroupMost = 254, kNamedMost = 3;
constexpr std::string_view kPasses = "Waiting";  // the state of what has no leader at the moment
// States of partitions that are not carried on until somebody has done something.
constexpr std::string_view kHalted[] = {"Gap",     "Truncated", "Recreated", "TooLarge",  "OldFormat",
                                        "Corrupt", "Refused",   "Existing",  "TargetLost"};

// The text that a schema bounds, and no more than 20 of a list.
void bound(Json& troubled, const char* name, size_t name_most) {
  if (!troubled.is_array()) return;
  if (troubled.size() > kTroubledMost) troubled.erase(troubled.begin() + kTroubledMost, troubled.end());
  for (Json& one : troubled) {
    if (!one.is_object()) continue;
    one[name] = one_line(text_of(one, name), name_most);
    one["message"] = one_line(text_of(one, "message"), kMessageMost);
  }
}

// As the status may have it: what its schema refuses would stop all work on the link.
std::optional<api::KafkaStatus> kafka_status_of(Json said) {
  if (!said.is_object()) return std::nullopt;
  bound(said["troubled"], "topic", kTopicMost);
  if (const auto groups = said.find("groups"); groups != said.end() && groups->is_object())
    bound((*groups)["troubled"], "group", kGroupMost);
  auto parsed = api::parse_kafka_status(said);
  return parsed ? std::optional(std::move(*parsed)) : std::nullopt;
}

void hear_groups(const Json& details, KafkaSaid& said) {
  for (const Json& one : member_of(member_of(member_of(details, "kafka"), "groups"), "troubled"))
    said.groups_moved += text_of(one, "state") == "Moved";
  const Json& more = member_of(details, "groups");
  if (const Json& waiting = member_of(more, "waiting"); waiting.is_number_integer())
    said.groups_waiting = waiting.get<int64_t>();
  said.groups_wait = text_of(more, "trouble");
}

std::string described(const api::TroubledPartition& one) {
  std::string text = one.topic;
  if (one.partition) text += fmt::format("/{}", *one.partition);
  text += ": " + one.state;
  if (one.offset) text += fmt::format(" at offset {}", *one.offset);
  return one.message.empty() ? text : text + ", " + one.message;
}

}  // namespace

KafkaSaid said_by_worker(const KafkaSeen& seen) {
  KafkaSaid said;
  said.report = seen.worker().member.fresh();
  if (!said.report) {
    said.why_not = why_unheard(seen.worker(), seen.pod());
    return said;
  }
  const Json& details = said.report->details;
  for (const Json& one : member_of(details, "endpoints"))
    if (auto row = api::parse_endpoint_status(one)) said.endpoints.push_back(std::move(*row));
  said.kafka = kafka_status_of(member_of(details, "kafka"));
  hear_groups(details, said);
  if (const Json& stalled = member_of(details, "stalled"); stalled.is_object()) {
    const std::string reason = text_of(stalled, "reason");
    said.stalled = {api::is_reason(reason) ? reason : "WorkerStalled", text_of(stalled, "message")};
  }
  return said;
}

std::string halted_message(const api::KafkaStatus& kafka) {
  int64_t count = 0;
  std::string states;
  for (const std::string_view state : kHalted) {
    const auto found = kafka.partitions_by_state.find(std::string(state));
    if (found == kafka.partitions_by_state.end() || found->second <= 0) continue;
    count += found->second;
    states += fmt::format("{}{} {}", states.empty() ? "" : ", ", found->second, state);
  }
  std::vector<const api::TroubledPartition*> troubled;
  for (const api::TroubledPartition& one : kafka.troubled)
    if (one.state != kPasses) troubled.push_back(&one);
  count = std::max(count, static_cast<int64_t>(troubled.size()));
  if (count == 0) return "";
  std::string text = count == 1 ? "1 partition or topic is not carried on"
                                : fmt::format("{} partitions or topics are not carried on", count);
  if (troubled.empty()) return text + ": " + states;
  const size_t named = std::min(troubled.size(), kNamedMost);
  for (size_t i = 0; i < named; ++i) text += (i == 0 ? ": " : "; ") + described(*troubled[i]);
  if (count > static_cast<int64_t>(named)) text += fmt::format("; and {} more", count - static_cast<int64_t>(named));
  return text;
}

std::string waiting_message(const api::KafkaStatus& kafka) {
  for (const api::TroubledPartition& one : kafka.troubled)
    if (one.state == kPasses) return described(one);
  return "";
}

}  // namespace twinspan::controllers
