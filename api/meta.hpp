// metadata of an object, as far as it is used.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/json.hpp"
#include "core/result.hpp"

namespace twinspan::api {

struct ObjectMeta {
  std::string name;
  std::string ns;  // "namespace" in JSON
  std::string uid;
  std::string resource_version;
  int64_t generation = 0;
  std::map<std::string, std::string> labels;
  std::map<std::string, std::string> annotations;
  std::vector<std::string> finalizers;
  std::optional<std::string> deletion_timestamp;  // set: being deleted
  std::string creation_timestamp;
  std::string owner_uid;  // of the owner whose `controller` is true; empty: none

  template <class Self, class Each>
  static void for_each_member(Self& self, const Each& each) {
    each(self.name);
    each(self.ns);
    each(self.uid);
    each(self.resource_version);
    each(self.generation);
    each(self.labels);
    each(self.annotations);
    each(self.finalizers);
    each(self.deletion_timestamp);
    each(self.creation_timestamp);
    each(self.owner_uid);
  }
  bool deleting() const { return deletion_timestamp.has_value(); }
  bool operator==(const ObjectMeta&) const = default;
};

Result<ObjectMeta> parse_object_meta(const Json& json);
// Without empty members, and without the owner: owner references are written where an object is rendered.
Json to_json(const ObjectMeta& meta);

}  // namespace twinspan::api
