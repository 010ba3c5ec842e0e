#include "api/pod_resources.hpp"

#include <nlohmann/json.hpp>

#include "api/quantity.hpp"

namespace twinspan::api {

void check_resources(const Json& resources, const ResourcesField& field, std::vector<FieldError>& errors) {
  if (!resources.is_object()) return;
  for (const char* kind : {"requests", "limits"}) {
    const auto amounts = resources.find(kind);
    if (amounts == resources.end() || amounts->is_null()) continue;
    if (!amounts->is_object()) {
      errors.push_back({field(kind, "") + "." + kind, "must be a map"});
      continue;
    }
    for (const auto& [name, amount] : amounts->items()) {
      const bool number = amount.is_number_integer() && amount.get<int64_t>() >= 0;
      const auto quantity = amount.is_string() ? parse_quantity(amount.get_ref<const std::string&>()) : std::nullopt;
      if (!number && (!quantity || *quantity < 0))
        errors.push_back({field(kind, name) + "." + kind + "[" + name + "]",
                          "is " + amount.dump(-1, ' ', true, Json::error_handler_t::replace) +
                              ", must be a quantity such as 250m or 256Mi"});
    }
  }
}

}  // namespace twinspan::api
