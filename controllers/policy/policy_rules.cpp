#include "controllers/policy/policy_rules.hpp"

#include <fmt/format.h>

namespace twinspan::controllers {

Mode mode_of(api::FailoverMode mode) {
  switch (mode) {
    case api::FailoverMode::kAutomatic: return Mode::kAutomatic;
    case api::FailoverMode::kManual: return Mode::kManual;
    case api::FailoverMode::kDryRun: break;
  }
  return Mode::kDryRun;
}

FailbackMode failback_of(api::FailbackMode mode) {
  switch (mode) {
    case api::FailbackMode::kAutomatic: return FailbackMode::kAutomatic;
    case api::FailbackMode::kManual: return FailbackMode::kManual;
    case api::FailbackMode::kNever: break;
  }
  return FailbackMode::kNever;
}

std::vector<std::string> endpoint_names(const api::LinkSpec& spec) {
  std::vector<std::string> names{spec.source.name};
  for (const api::Endpoint& target : spec.targets) names.push_back(target.name);
  return names;
}

std::unexpected<Error> unreadable(std::string_view field, std::string_view value, std::string_view expected) {
  return fail(Code::kInvalid, fmt::format("{}: \"{}\": expected {}; bring this operator to the version that wrote it",
                                          field, value, expected));
}

std::chrono::milliseconds since(WallTime now, const std::optional<std::string>& time,
                                std::chrono::milliseconds otherwise) {
  if (!time) return otherwise;
  const auto began = parse_rfc3339(*time);
  return began ? std::chrono::duration_cast<std::chrono::milliseconds>(now - *began) : otherwise;
}

}  // namespace twinspan::controllers
