#include "controllers/postgres/import_said.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace twinspan::controllers {
namespace {

using api::ImportPhase;

const api::ImportSettings* asked(const api::LinkSpec& spec) {
  const auto& bootstrap = spec.postgres.bootstrap;
  return bootstrap && bootstrap->import_ ? &*bootstrap->import_ : nullptr;
}

std::string progress_of(const api::ImportStatus& status) {
  std::string text = status.message.value_or(std::string(to_string(status.phase)));
  if (status.tables && status.tables_done)
    text += fmt::format("; of {} tables {} are here", *status.tables, *status.tables_done);
  if (status.bytes && status.bytes_done)
    text += fmt::format("; {} of {} MiB", *status.bytes_done >> 20, *status.bytes >> 20);
  if (status.lag_bytes) text += fmt::format("; {} MiB of the source's log are yet to come", *status.lag_bytes >> 20);
  return text;
}

}  // namespace

std::optional<api::ImportStatus> next_import(const LinkSeen& seen) {
  const api::LinkSpec& spec = seen.link->spec;
  if (!asked(spec)) return std::nullopt;
  const std::optional<api::ImportStatus>& before = seen.link->status.import_;
  const EndpointSeen* primary = seen.find(seen.primary());
  const MemberReport* report = primary ? primary->member.fresh() : nullptr;
  const Json said = report ? member_of(report->details, "import") : Json();
  auto now = said.is_object() ? api::parse_import_status(said) : Result<api::ImportStatus>(fail(Code::kNotFound, ""));
  if (!now) return before;
  // An agent that began since knows that all is here, and no more.
  if (before && before->phase == ImportPhase::kCompleted && now->phase == ImportPhase::kCompleted) return before;
  if (before && !now->started_at) now->started_at = before->started_at;
  return *now;
}

std::optional<Verdict> import_verdict(const LinkSeen& seen) {
  const api::ImportSettings* wanted = asked(seen.link->spec);
  if (!wanted) return std::nullopt;
  const auto status = next_import(seen);
  const std::string what = fmt::format("{} of {}:{}", wanted->database, wanted->host, wanted->port);
  if (!status)
    return no("Importing", fmt::format("{} is copied once there is a primary that takes writes; nobody is let into the "
                                       "database before all is here",
                                       what));
  switch (status->phase) {
    case ImportPhase::kCompleted:
      return yes("Completed",
                 fmt::format("{} is here{}{}", what, status->message ? "; " : "", status->message.value_or("")));
    case ImportPhase::kFailed: return no(kImportFailed, status->message.value_or(what));
    default: break;
  }
  return no("Importing", fmt::format("{}: {}", what, progress_of(*status)));
}

std::optional<LinkEvent> event_of_import(const api::LinkStatus& before, const api::LinkStatus& after) {
  if (!after.import_ || (before.import_ && before.import_->phase == after.import_->phase)) return std::nullopt;
  const std::string words = progress_of(*after.import_);
  switch (after.import_->phase) {
    case ImportPhase::kCompleted: return LinkEvent{false, "ImportCompleted", words};
    case ImportPhase::kFailed: return LinkEvent{true, kImportFailed, words};
    case ImportPhase::kDefinitions: return LinkEvent{false, "ImportBegan", words};
    default: return std::nullopt;
  }
}

}  // namespace twinspan::controllers
