// Which kinds the embedded API serves: the built-in ones and those of the CRDs posted to it.
#pragma once
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.hpp"
#include "sandbox/api/error.hpp"
#include "sandbox/api/schema.hpp"

namespace twinspan::sandbox {

struct PrinterColumn {
  std::string name, type, format, description, json_path;
  int priority = 0;
};

// One served version of one resource. Immutable: a changed CRD makes new ones.
struct Kind {
  std::string group, version, plural, singular, kind;
  bool namespaced = true;
  std::vector<std::string> short_names, categories;
  bool status = false;      // has the status subresource
  bool generation = false;  // metadata.generation is kept
  bool custom = false;
  bool must_name_version = false;        // an update without resourceVersion is refused
  std::shared_ptr<const Json> document;  // owns the schema of a custom resource
  SchemaView schema;
  std::vector<PrinterColumn> columns;  // custom resources
  std::vector<std::string> selectable_fields;

  ResourceName resource() const { return {group, plural}; }
  std::string api_version() const { return group.empty() ? version : group + "/" + version; }
  std::string list_kind() const { return kind + "List"; }
};
using KindPtr = std::shared_ptr<const Kind>;

// Any thread may call any method.
class Catalog {
 public:
  Catalog();
  KindPtr find(std::string_view group, std::string_view version, std::string_view plural) const;
  // By resource alone, in any version; nullptr where nothing serves it.
  KindPtr find(const ResourceName& resource) const;
  std::vector<KindPtr> all() const;
  std::vector<std::string> versions(std::string_view group) const;  // preferred first
  // Serves what a CustomResourceDefinition (valid) declares, in place of what it declared before.
  void install(const Json& definition);
  void remove(const ResourceName& resource);

 private:
  mutable std::mutex mutex_;
  std::vector<KindPtr> kinds_;
};

// What is wrong with a CustomResourceDefinition.
Causes check_definition(const Json& definition);

// Discovery documents.
Json core_versions();
Json group_list(const Catalog& catalog);
std::optional<Json> group_document(const Catalog& catalog, const std::string& group);
std::optional<Json> resource_list(const Catalog& catalog, const std::string& group, const std::string& version);

}  // namespace twinspan::sandbox
