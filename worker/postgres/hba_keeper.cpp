#include "worker/postgres/hba_keeper.hpp"

#include <fmt/format.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "api/hba_lines.hpp"
#include "core/json.hpp"
#include "core/log.hpp"
#include "core/text.hpp"
#include "engines/postgres/files.hpp"

namespace twinspan::worker {
namespace {

constexpr size_t kFaultsMost = 5, kWordsMost = 300;  // a person mends these and sees the next

std::string file_in(const std::string& pgdata) { return pgdata + "/twinspan_hba.json"; }

// Of a line as people may read it: ldapbindpasswd and radiussecrets stand in it.
std::string without_secrets(std::string line) {
  for (const char* option : {"ldapbindpasswd=", "radiussecrets="})
    if (const size_t at = line.find(option); at != std::string::npos)
      line.replace(at + std::strlen(option), std::string::npos, "…");
  return line;
}

// `lines`: null where none were found right.
Status record(const std::string& pgdata, Json lines) {
  const Json json = {{"lines", std::move(lines)}};
  if (auto wrote = postgres::replace_file(file_in(pgdata), json.dump() + "\n", 0600); !wrote)
    return std::unexpected(wrote.error());
  return postgres::sync_directory(pgdata);
}

}  // namespace

Status let_nobody_in(const std::string& pgdata) { return record(pgdata, nullptr); }

// Read each time: a clone or pg_rewind puts another file there, or takes it away.
std::optional<HbaKeeper::Lines> HbaKeeper::in_force() const {
  const auto text = postgres::read_file(file_in(pgdata_));
  if (!text) return text.error().code == Code::kNotFound ? std::optional(Lines{}) : std::nullopt;
  const Json json = Json::parse(*text, nullptr, false);
  const Json& kept = member_of(json, "lines");
  if (!kept.is_array()) return std::nullopt;
  Lines lines;
  for (const Json& line : kept)
    if (line.is_string()) lines.push_back(line.get<std::string>());
  return lines;
}

bool HbaKeeper::is_unjudged(const Lines& asked) const {
  return in_force() != asked && !(refused_ && refused_->asked == asked);
}

Status HbaKeeper::judged(const Lines& asked, std::vector<postgres::HbaFault> faults) {
  refused_.reset();
  if (!faults.empty()) {
    log::warn("PostgreSQL refuses lines of pg_hba.conf", {{"error", faults.front().words}});
    refused_ = Refused{asked, std::move(faults)};
    return {};
  }
  return record(pgdata_, asked);
}

std::optional<ObjectsReport> HbaKeeper::said_of(const Lines& asked) const {
  ObjectsReport said{api::hba_fingerprint(asked), {}};
  if (refused_ && refused_->asked == asked) {
    for (const postgres::HbaFault& fault : refused_->faults) {
      if (said.troubles.size() == kFaultsMost) break;
      std::string where = "spec.postgres.hba";
      if (fault.line)
        where += fmt::format("[{}] \"{}\"", *fault.line, one_line(without_secrets(asked[*fault.line]), kWordsMost));
      said.troubles.push_back({std::move(where), one_line(fault.words, kWordsMost)});
    }
    said.shut = !in_force();
    return said;
  }
  return in_force() == asked ? std::optional(said) : std::nullopt;
}

}  // namespace twinspan::worker
