// Server-side apply: who owns which field (metadata.managedFields), merging, conflicts, and removal of what is no
// longer applied. Rules: kubernetes.io/docs/reference/using-api/server-side-apply; encoding: meta/v1 FieldsV1.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "core/json.hpp"
#include "sandbox/api/error.hpp"
#include "sandbox/api/schema.hpp"

namespace twinspan::sandbox {

// A set of paths, as a tree. Elements are named as FieldsV1 names them: "f:spec", `k:{"name":"a"}`, `v:"x"`.
struct FieldSet {
  bool member = false;
  std::map<std::string, FieldSet> children;

  static FieldSet parse(const Json& fields_v1);
  Json to_json() const;
  bool empty() const;
  FieldSet& at(const std::string& element) { return children[element]; }
  void unite(const FieldSet& other);
  void subtract(const FieldSet& other);
  FieldSet intersect(const FieldSet& other) const;
  std::vector<std::string> paths() const;  // ".spec.ports[port=80].name"
  bool operator==(const FieldSet&) const = default;
};

struct FieldManager {
  std::string name;
  std::string api_version;
  std::string subresource;  // "" or "status"
  std::string time;         // RFC 3339
};

// The paths that an object's own content names, metadata that the server keeps aside.
FieldSet fields_of(const Json& object, SchemaView schema);

// After an update or patch that made `after` of `before` (nullptr: a creation): `manager` owns what changed, nobody
// what went.
void track_update(const Json* before, Json& after, SchemaView schema, const FieldManager& manager);

// The object that applying `applied` to `live` (nullptr: none yet) makes, managedFields included. 409 names each
// conflict unless `force`; where nothing changes, the answer equals `live`.
Answer<Json> apply_object(const Json* live, Json applied, SchemaView schema, const FieldManager& manager, bool force);

// Equal but for the times in managedFields: nothing to write.
bool same_but_times(const Json& left, const Json& right);

}  // namespace twinspan::sandbox
