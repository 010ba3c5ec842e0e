#include "contract/backup_report.hpp"

#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

namespace twinspan {
namespace {

constexpr std::array<std::string_view, 4> kPhases{"Running", "WaitingForWal", "Completed", "Failed"};
constexpr std::array<std::string_view, 4> kSteps{"Fetching", "Recovering", "Restored", "Failed"};

template <class Enum>
std::optional<Enum> word_of(const std::array<std::string_view, 4>& words, const std::string& text) {
  for (size_t i = 0; i < words.size(); ++i)
    if (words[i] == text) return static_cast<Enum>(i);
  return std::nullopt;
}

}  // namespace

Json to_json(const BackupReport& report) {
  Json json = {{"stanza", report.stanza},     {"ready", report.ready},     {"archiving", report.archiving},
               {"timeline", report.timeline}, {"trouble", report.trouble}, {"stored", report.stored},
               {"waiting", report.waiting}};
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
                   {"stopped", run->stopped}};
  if (report.run && report.run->corrupt) json["run"]["corrupt"] = *report.run->corrupt;
  if (const auto& restored = report.restored)
    json["restored"] = {{"name", restored->name},
                        {"step", kSteps[static_cast<size_t>(restored->step)]},
                        {"message", restored->message}};
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
                  std::nullopt};
  if (const Json& corrupt = member_of(run, "corrupt"); report.run && corrupt.is_boolean())
    report.run->corrupt = corrupt.get<bool>();
  const Json& restored = member_of(json, "restored");
  if (const auto step = word_of<BackupReport::Step>(kSteps, text_of(restored, "step")))
    report.restored = {text_of(restored, "name"), *step, text_of(restored, "message")};
  return report;
}

}  // namespace twinspan
