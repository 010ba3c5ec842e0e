#include "core/merge_patch.hpp"

#include <nlohmann/json.hpp>

namespace twinspan {

Json merge_patch_between(const Json& before, const Json& after) {
  Json patch = Json::object();
  for (const auto& [key, value] : before.items())
    if (!after.contains(key)) patch[key] = nullptr;
  for (const auto& [key, value] : after.items()) {
    const auto old = before.find(key);
    if (old == before.end()) {
      patch[key] = value;
    } else if (*old != value) {
      patch[key] = old->is_object() && value.is_object() ? merge_patch_between(*old, value) : value;
    }
  }
  return patch;
}

}  // namespace twinspan
