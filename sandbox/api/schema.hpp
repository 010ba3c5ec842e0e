// Structural schemas: of the built-in kinds (schema_builtin.json) and of custom resources (from their CRDs). One walk
// each for pruning, defaulting and validation, worded as the real server words them.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.hpp"
#include "sandbox/api/error.hpp"

namespace twinspan::sandbox {

enum class ListType { kAtomic, kSet, kMap };

// A node of a schema; cheap to copy. The document it points into must outlive it. A view of nothing describes any
// value.
class SchemaView {
 public:
  SchemaView() = default;
  explicit SchemaView(const Json& node) : node_(&node) { resolve(); }

  explicit operator bool() const { return node_ != nullptr; }
  const Json& node() const { return *node_; }
  std::string type() const;  // "" where any
  bool int_or_string() const { return flag("x-kubernetes-int-or-string"); }
  bool embedded() const { return flag("x-kubernetes-embedded-resource"); }
  bool preserves_unknown() const { return flag("x-kubernetes-preserve-unknown-fields"); }
  // An object of which nothing is declared: any content.
  bool open() const;
  bool has_property(std::string_view name) const;
  SchemaView property(std::string_view name) const;  // of a struct, or the value schema of a map
  SchemaView additional() const;
  SchemaView items() const;
  bool is_map() const { return bool(additional()); }
  bool atomic_map() const;
  ListType list_type() const;
  std::vector<std::string> list_keys() const;
  // Strategic merge patch: the key of a list that is merged; "" for merged primitives; nullopt: the list is replaced.
  std::optional<std::string> merge_key() const;
  bool replace_keys() const;  // patch strategy retainKeys
  const Json* default_value() const;

 private:
  bool flag(const char* name) const;
  void resolve();
  const Json* node_ = nullptr;
  const Json* outer_ = nullptr;  // the node that held a $ref: list and patch markers stand beside it
};

// A definition of the built-in kinds: "core.v1.Pod". A view of nothing where there is none.
SchemaView builtin_schema(std::string_view definition);

// The schema of a custom resource as the server uses it: apiVersion, kind and metadata added.
std::shared_ptr<const Json> complete_schema(const Json& open_api_v3_schema);
// What makes a CRD's schema unusable: not structural, or a rule that can't be evaluated. `path` leads the fields named.
Causes check_schema(const Json& open_api_v3_schema, const std::string& path);

// Removes what the schema does not declare; names it in `unknown` as `unknown field "spec.foo"`.
void prune(Json& value, SchemaView schema, const std::string& path, std::vector<std::string>& unknown);
void set_defaults(Json& value, SchemaView schema);

struct Strictness {
  bool builtin = false;  // the documents of built-in kinds list as required what Go merely always writes
};
Causes validate(const Json& value, SchemaView schema, const std::string& path, Strictness strictness = {});
// x-kubernetes-validations of the whole tree. `old_value`: nullptr on creation.
Causes validate_rules(const Json& value, const Json* old_value, SchemaView schema, const std::string& path);

// Both, of a whole custom resource: rules run only where no error of the schema makes them meaningless.
Causes validate_custom(const Json& value, const Json* old_value, SchemaView schema);

std::string join_path(const std::string& path, std::string_view field);

}  // namespace twinspan::sandbox
