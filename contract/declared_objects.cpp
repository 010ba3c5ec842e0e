#include "contract/declared_objects.hpp"

#include <nlohmann/json.hpp>

namespace twinspan {

Json details_of(const std::optional<ObjectsReport>& objects, const char* of) {
  if (!objects) return nullptr;
  Json troubles = Json::array();
  for (const auto& [object, words] : objects->troubles) troubles.push_back({{"object", object}, {"words", words}});
  Json said = {{"asked", objects->asked}, {"troubles", std::move(troubles)}};
  if (objects->shut) said["shut"] = true;
  return {{of, std::move(said)}};
}

std::optional<ObjectsReport> objects_of(const MemberReport& report, const char* of) {
  const Json& said = member_of(report.details, of);
  if (!said.is_object()) return std::nullopt;
  ObjectsReport objects{text_of(said, "asked"), {}};
  for (const Json& one : member_of(said, "troubles"))
    objects.troubles.push_back({text_of(one, "object"), text_of(one, "words")});
  objects.shut = member_of(said, "shut") == Json(true);
  return objects;
}

}  // namespace twinspan
