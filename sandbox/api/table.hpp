// The tables that kubectl prints: meta.k8s.io/v1 Table.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "core/clock.hpp"
#include "core/json.hpp"
#include "sandbox/api/catalog.hpp"

namespace twinspan::sandbox {

struct TableOptions {
  bool whole_objects = false;  // rows carry the object, not its metadata alone
  bool headers = true;         // column definitions: the first table of a watch only
};

// `metadata`: of the list, or of the object where there is just one.
Json make_table(const Kind& kind, const std::vector<const Json*>& objects, Json metadata, const TableOptions& options,
                WallTime now);
Json partial_metadata(const Json& object);

// The values a kubectl JSONPath finds (.status.conditions[?(@.type=="Ready")].status). nullopt: not understood.
std::optional<std::vector<Json>> json_path(const Json& object, std::string_view path);
std::string age_of(const std::string& timestamp, WallTime now);  // "5m30s", as kubectl writes it; "<unknown>"

}  // namespace twinspan::sandbox
