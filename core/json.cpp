#include "core/json.hpp"

#include <nlohmann/json.hpp>

namespace twinspan {

const Json& member_of(const Json& object, std::string_view key) {
  static const Json kAbsent;
  if (!object.is_object()) return kAbsent;
  const auto found = object.find(key);
  return found == object.end() ? kAbsent : *found;
}

std::string text_of(const Json& object, std::string_view key) {
  const Json& value = member_of(object, key);
  return value.is_string() ? value.get<std::string>() : std::string();
}

int64_t integer_of(const Json& object, std::string_view key) {
  const Json& value = member_of(object, key);
  return value.is_number_integer() ? value.get<int64_t>() : 0;
}

}  // namespace twinspan
