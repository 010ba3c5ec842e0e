// What the API answers instead of an object: a Kubernetes Status with code, reason and causes.
#pragma once
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.hpp"

namespace twinspan::sandbox {

// One wrong field. `message` is what follows the field's name: `Unsupported value: "X": supported values: "Postgres"`.
struct Cause {
  std::string reason;  // FieldValueRequired, FieldValueInvalid, FieldValueNotSupported, FieldValueTypeInvalid …
  std::string message;
  std::string field;
};
using Causes = std::vector<Cause>;

struct Refusal {
  int code = 500;
  std::string reason;
  std::string message;
  std::string name, group, kind;  // of details; kind is the plural, or the Kind for Invalid, as the real server has it
  Causes causes;
  std::optional<int> retry_after_seconds;
};

template <class T>
using Answer = std::expected<T, Refusal>;

// The names a message about one resource needs.
struct ResourceName {
  std::string group, plural;
  auto operator<=>(const ResourceName&) const = default;
  std::string qualified() const { return group.empty() ? plural : plural + "." + group; }
};

std::unexpected<Refusal> refuse(int code, std::string reason, std::string message);
std::unexpected<Refusal> bad_request(std::string message);
std::unexpected<Refusal> not_found(const ResourceName& resource, std::string_view name);
std::unexpected<Refusal> already_exists(const ResourceName& resource, std::string_view name);
std::unexpected<Refusal> conflict(const ResourceName& resource, std::string_view name, std::string_view why);
std::unexpected<Refusal> gone(std::string message);
std::unexpected<Refusal> invalid(std::string_view group, std::string_view kind, std::string_view name, Causes causes);

inline constexpr std::string_view kObjectModified =
    "the object has been modified; please apply your changes to the latest version and try again";

Json to_status(const Refusal& refusal);
Json success_status();

// Causes with the real server's wording.
Cause required_value(std::string field, std::string_view detail = "");
Cause invalid_value(std::string field, const Json& value, std::string_view detail);
Cause forbidden_value(std::string field, std::string_view detail);
Cause duplicate_value(std::string field, const Json& value);
Cause unsupported_value(std::string field, const Json& value, const std::vector<std::string>& supported);

}  // namespace twinspan::sandbox
