#include "contract/backup_report.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

namespace twinspan {
namespace {

constexpr std::array<std::string_view, 4> kPhases{"Running", "WaitingForWal", "Completed", "Failed"};
constexpr std::array<std::string_view, 3> kReads{"Running", "Passed", "Failed"};
constexpr std::array<std::string_view, 5> kSteps{"Fetching", "Recovering", "Restored", "Failed", "Prepared"};
constexpr std::array<std::string_view, 4> kCauses{"", "Unreachable", "Conflict", "Behind"};

template <class Enum, size_t kCount>
std::optional<Enum> word_of(const std::array<std::string_view, kCount>& words, const std::string& text) {
  for (size_t i = 0; i < words.size(); ++i)
    if (words[i] == text) return static_cast<Enum>(i);
  return std::nullopt;
}

std::vector<std::string> texts_of(const Json& object, std::string_view key) {
  std::vector<std::string> texts;
  if (const Json& list = member_of(object, key); list.is_array())
    for (const Json& one : list) texts.push_back(one.is_string() ? one.get<std::string>() : std::string());
  return texts;
}

void read_repository(const Json& json, BackupReport& report) {
  if (const Json& repository = member_of(json, "repository"); repository.is_object()) {
    report.repository = {integer_of(repository, "listed"),
                         text_of(repository, "trouble"),
                         texts_of(repository, "backups"),
                         texts_of(repository, "log"),
                         texts_of(repository, "lineage"),
                         text_of(repository, "commitLog"),
                         integer_of(repository, "commit"),
                         std::nullopt,
                         ""};
    if (member_of(repository, "clockAhead").is_number_integer())
      report.repository->clock_ahead = integer_of(repository, "clockAhead");
    report.repository->place = text_of(repository, "place");
  }
  if (const Json& expired = member_of(json, "expired"); expired.is_object())
    report.expired = {text_of(expired, "asked"), member_of(expired, "runs") == true, texts_of(expired, "gone"),
                      text_of(expired, "message")};
}

void write_repository(const BackupReport& report, Json& json) {
  if (const auto& repository = report.repository) {
    json["repository"] = {{"listed", repository->listed},   {"trouble", repository->trouble},
                          {"backups", repository->backups}, {"log", repository->log},
                          {"lineage", repository->lineage}, {"commitLog", repository->commit_log},
                          {"commit", repository->commit}};
    if (repository->clock_ahead) json["repository"]["clockAhead"] = *repository->clock_ahead;
    if (!repository->place.empty()) json["repository"]["place"] = repository->place;
  }
  if (const auto& expired = report.expired)
    json["expired"] = {
        {"asked", expired->asked}, {"runs", expired->runs}, {"gone", expired->gone}, {"message", expired->message}};
}

}  // namespace

Json to_json(const std::vector<DroppedLog>& ranges) {
  Json json = Json::array();
  for (const DroppedLog& one : ranges) {
    json.push_back({{"from", one.from}, {"to", one.to}, {"cause", one.cause}, {"at", one.at}});
    if (one.conflict) json.back()["conflict"] = true;
  }
  return json;
}

std::vector<DroppedLog> dropped_of(const Json& ranges) {
  std::vector<DroppedLog> out;
  if (!ranges.is_array()) return out;
  for (const Json& one : ranges)
    if (DroppedLog range{text_of(one, "from"), text_of(one, "to"), text_of(one, "cause"), text_of(one, "at"),
                         member_of(one, "conflict") == true};
        !range.from.empty() && !range.to.empty())
      out.push_back(std::move(range));
  return out;
}

Json to_json(const BackupReport& report) {
  Json json = {{"stanza", report.stanza},     {"ready", report.ready},           {"archiving", report.archiving},
               {"timeline", report.timeline}, {"trouble", report.trouble},       {"stored", report.stored},
               {"waiting", report.waiting},   {"atReplicas", report.at_replicas}};
  if (const auto& said = report.continuous) {
    json["continuous"] = {{"seenAt", said->seen_at},
                          {"tail", said->tail},
                          {"unsafeBytes", said->unsafe_bytes},
                          {"maxDelaySeconds", said->max_delay_seconds}};
    if (said->unsafe_seconds) json["continuous"]["unsafeSeconds"] = *said->unsafe_seconds;
  }
  if (!report.dropped.empty()) json["dropped"] = to_json(report.dropped);
  if (const auto& run = report.run)
    json["run"] = {{"uid", run->uid},
                   {"attempt", run->attempt},
                   {"phase", kPhases[static_cast<size_t>(run->phase)]},
                   {"message", run->message},
                   {"label", run->label},
                   {"start", run->start},
                   {"stop", run->stop},
                   {"timeline", run->timeline},
                   {"readBytes", run->read_bytes},
                   {"storedBytes", run->stored_bytes},
                   {"started", run->started},
                   {"stopped", run->stopped},
                   {"needs", run->needs},
                   {"noParent", run->no_parent}};
  if (report.run && report.run->corrupt) json["run"]["corrupt"] = *report.run->corrupt;
  if (const auto& read = report.read)
    json["read"] = {{"asked", read->asked},
                    {"outcome", kReads[static_cast<size_t>(read->outcome)]},
                    {"message", read->message},
                    {"whole", read->whole}};
  if (const auto& restored = report.restored) {
    json["restored"] = {{"name", restored->name},
                        {"step", kSteps[static_cast<size_t>(restored->step)]},
                        {"message", restored->message}};
    if (!restored->reached.empty()) json["restored"]["reached"] = restored->reached;
    if (!restored->until.empty()) json["restored"]["until"] = restored->until;
    if (restored->brought_back) json["restored"]["broughtBack"] = true;
    if (const auto& plan = restored->plan)
      json["restored"]["plan"] = {{"backup", plan->backup},
                                  {"kind", plan->kind},
                                  {"stop", plan->stop},
                                  {"timeline", plan->timeline},
                                  {"bytes", plan->bytes}};
  }
  if (report.cause != BackupReport::Cause::kNone) json["cause"] = kCauses[static_cast<size_t>(report.cause)];
  write_repository(report, json);
  return {{"backup", std::move(json)}};
}

BackupReport backup_report_of(const Json& details) {
  const Json& json = member_of(details, "backup");
  BackupReport report;
  report.stanza = text_of(json, "stanza");
  report.ready = member_of(json, "ready") == true;
  report.archiving = member_of(json, "archiving") == true;
  report.timeline = integer_of(json, "timeline");
  report.trouble = text_of(json, "trouble");
  report.stored = text_of(json, "stored");
  report.waiting = text_of(json, "waiting");
  if (const Json& said = member_of(json, "continuous"); said.is_object()) {
    report.continuous = {integer_of(said, "seenAt"), text_of(said, "tail"), std::nullopt,
                         integer_of(said, "unsafeBytes"), integer_of(said, "maxDelaySeconds")};
    if (member_of(said, "unsafeSeconds").is_number_integer())
      report.continuous->unsafe_seconds = integer_of(said, "unsafeSeconds");
  }
  report.dropped = dropped_of(member_of(json, "dropped"));
  report.at_replicas = member_of(json, "atReplicas") == true;
  const Json& run = member_of(json, "run");
  if (const auto phase = word_of<BackupReport::Phase>(kPhases, text_of(run, "phase")))
    report.run = {text_of(run, "uid"),
                  integer_of(run, "attempt"),
                  *phase,
                  text_of(run, "message"),
                  text_of(run, "label"),
                  text_of(run, "start"),
                  text_of(run, "stop"),
                  integer_of(run, "timeline"),
                  integer_of(run, "readBytes"),
                  integer_of(run, "storedBytes"),
                  integer_of(run, "started"),
                  integer_of(run, "stopped"),
                  std::nullopt,
                  texts_of(run, "needs"),
                  member_of(run, "noParent") == true};
  if (const Json& corrupt = member_of(run, "corrupt"); report.run && corrupt.is_boolean())
    report.run->corrupt = corrupt.get<bool>();
  const Json& read = member_of(json, "read");
  if (const auto outcome = word_of<BackupReport::Read::Outcome>(kReads, text_of(read, "outcome"))) {
    report.read = {text_of(read, "asked"), *outcome, text_of(read, "message"), {}};
    for (const Json& label : member_of(read, "whole"))
      if (label.is_string()) report.read->whole.push_back(label.get<std::string>());
  }
  const Json& restored = member_of(json, "restored");
  if (const auto step = word_of<BackupReport::Step>(kSteps, text_of(restored, "step")))
    report.restored = {text_of(restored, "name"),
                       *step,
                       text_of(restored, "message"),
                       std::nullopt,
                       text_of(restored, "reached"),
                       text_of(restored, "until"),
                       member_of(restored, "broughtBack") == true};
  if (const Json& plan = member_of(restored, "plan"); report.restored && plan.is_object())
    report.restored->plan = {text_of(plan, "backup"), text_of(plan, "kind"), text_of(plan, "stop"),
                             integer_of(plan, "timeline"), integer_of(plan, "bytes")};
  report.cause = word_of<BackupReport::Cause>(kCauses, text_of(json, "cause")).value_or(BackupReport::Cause::kNone);
  read_repository(json, report);
  return report;
}

}  // namespace twinspan
