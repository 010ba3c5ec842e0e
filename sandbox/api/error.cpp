#include "sandbox/api/error.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

namespace twinspan::sandbox {

std::unexpected<Refusal> refuse(int code, std::string reason, std::string message) {
  Refusal out;
  out.code = code;
  out.reason = std::move(reason);
  out.message = std::move(message);
  return std::unexpected(std::move(out));
}

std::unexpected<Refusal> bad_request(std::string message) { return refuse(400, "BadRequest", std::move(message)); }

std::unexpected<Refusal> gone(std::string message) { return refuse(410, "Expired", std::move(message)); }

namespace {
std::unexpected<Refusal> about(int code, std::string reason, std::string message, const ResourceName& resource,
                               std::string_view name) {
  auto out = refuse(code, std::move(reason), std::move(message));
  out.error().group = resource.group;
  out.error().kind = resource.plural;
  out.error().name = name;
  return out;
}
}  // namespace

std::unexpected<Refusal> not_found(const ResourceName& resource, std::string_view name) {
  return about(404, "NotFound", fmt::format("{} \"{}\" not found", resource.qualified(), name), resource, name);
}

std::unexpected<Refusal> already_exists(const ResourceName& resource, std::string_view name) {
  return about(409, "AlreadyExists", fmt::format("{} \"{}\" already exists", resource.qualified(), name), resource,
               name);
}

std::unexpected<Refusal> conflict(const ResourceName& resource, std::string_view name, std::string_view why) {
  return about(409, "Conflict",
               fmt::format("Operation cannot be fulfilled on {} \"{}\": {}", resource.qualified(), name, why), resource,
               name);
}

std::unexpected<Refusal> invalid(std::string_view group, std::string_view kind, std::string_view name, Causes causes) {
  std::vector<std::string> lines;
  for (const Cause& cause : causes) lines.push_back(cause.field + ": " + cause.message);
  const std::string all = lines.size() == 1 ? lines[0] : "[" + fmt::format("{}", fmt::join(lines, ", ")) + "]";
  const std::string qualified = group.empty() ? std::string(kind) : fmt::format("{}.{}", kind, group);
  auto out = refuse(422, "Invalid", fmt::format("{} \"{}\" is invalid: {}", qualified, name, all));
  out.error().group = group;
  out.error().kind = kind;
  out.error().name = name;
  out.error().causes = std::move(causes);
  return out;
}

Json to_status(const Refusal& refusal) {
  Json out = {{"kind", "Status"},    {"apiVersion", "v1"},       {"metadata", Json::object()},
              {"status", "Failure"}, {"reason", refusal.reason}, {"message", refusal.message},
              {"code", refusal.code}};
  Json details = Json::object();
  if (!refusal.name.empty()) details["name"] = refusal.name;
  if (!refusal.group.empty()) details["group"] = refusal.group;
  if (!refusal.kind.empty()) details["kind"] = refusal.kind;
  if (refusal.retry_after_seconds) details["retryAfterSeconds"] = *refusal.retry_after_seconds;
  for (const Cause& cause : refusal.causes)
    details["causes"].push_back({{"reason", cause.reason}, {"message", cause.message}, {"field", cause.field}});
  if (!details.empty()) out["details"] = std::move(details);
  return out;
}

Json success_status() {
  return {{"kind", "Status"}, {"apiVersion", "v1"}, {"metadata", Json::object()}, {"status", "Success"}};
}

Cause required_value(std::string field, std::string_view detail) {
  return {"FieldValueRequired", detail.empty() ? "Required value" : fmt::format("Required value: {}", detail),
          std::move(field)};
}

Cause invalid_value(std::string field, const Json& value, std::string_view detail) {
  return {"FieldValueInvalid", fmt::format("Invalid value: {}: {}", value.dump(), detail), std::move(field)};
}

Cause forbidden_value(std::string field, std::string_view detail) {
  return {"FieldValueForbidden", fmt::format("Forbidden: {}", detail), std::move(field)};
}

Cause duplicate_value(std::string field, const Json& value) {
  return {"FieldValueDuplicate", fmt::format("Duplicate value: {}", value.dump()), std::move(field)};
}

Cause unsupported_value(std::string field, const Json& value, const std::vector<std::string>& supported) {
  std::vector<std::string> quoted;
  for (const std::string& each : supported) quoted.push_back(Json(each).dump());
  return {"FieldValueNotSupported",
          fmt::format("Unsupported value: {}: supported values: {}", value.dump(), fmt::join(quoted, ", ")),
          std::move(field)};
}

}  // namespace twinspan::sandbox
