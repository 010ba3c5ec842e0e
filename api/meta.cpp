#include "api/meta.hpp"

#include "api/reader.hpp"

namespace twinspan::api {

Result<ObjectMeta> parse_object_meta(const Json& json) {
  ObjectMeta meta;
  const Path at{nullptr, "metadata"};
  const Rule any;
  if (auto ok = expect_object(json, at); !ok) return std::unexpected(ok.error());
  for (const auto& [key, out] :
       {std::pair{"name", &meta.name}, std::pair{"namespace", &meta.ns}, std::pair{"uid", &meta.uid},
        std::pair{"resourceVersion", &meta.resource_version}, std::pair{"creationTimestamp", &meta.creation_timestamp}})
    if (auto ok = read_defaulted(json, at, key, *out, any); !ok) return std::unexpected(ok.error());
  if (auto ok = read_defaulted(json, at, "generation", meta.generation, any); !ok) return std::unexpected(ok.error());
  if (auto ok = read_defaulted(json, at, "labels", meta.labels, any); !ok) return std::unexpected(ok.error());
  if (auto ok = read_defaulted(json, at, "annotations", meta.annotations, any); !ok) return std::unexpected(ok.error());
  if (auto ok = read_defaulted(json, at, "finalizers", meta.finalizers, any); !ok) return std::unexpected(ok.error());
  if (auto ok = read_optional(json, at, "deletionTimestamp", meta.deletion_timestamp, any); !ok)
    return std::unexpected(ok.error());
  std::vector<Json> owners;
  if (auto ok = read_defaulted(json, at, "ownerReferences", owners, any); !ok) return std::unexpected(ok.error());
  for (const Json& owner : owners)
    if (const auto controller = owner.find("controller"); controller != owner.end() && *controller == true)
      if (auto ok = read_defaulted(owner, at, "uid", meta.owner_uid, any); !ok) return std::unexpected(ok.error());
  return meta;
}

Json to_json(const ObjectMeta& meta) {
  Json json = Json::object();
  const auto text = [&json](const char* key, const std::string& value) {
    if (!value.empty()) json[key] = value;
  };
  text("name", meta.name);
  text("namespace", meta.ns);
  text("uid", meta.uid);
  text("resourceVersion", meta.resource_version);
  text("creationTimestamp", meta.creation_timestamp);
  if (meta.generation != 0) json["generation"] = meta.generation;
  if (!meta.labels.empty()) json["labels"] = meta.labels;
  if (!meta.annotations.empty()) json["annotations"] = meta.annotations;
  if (!meta.finalizers.empty()) json["finalizers"] = meta.finalizers;
  if (meta.deletion_timestamp) json["deletionTimestamp"] = *meta.deletion_timestamp;
  return json;
}

}  // namespace twinspan::api
