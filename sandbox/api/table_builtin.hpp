// The columns kubectl users know of the built-in kinds.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/json.hpp"

namespace twinspan::sandbox {

struct BuiltinColumn {
  std::string name, type;
  bool wide = false;
};
struct BuiltinTable {
  std::vector<BuiltinColumn> columns;  // after Name
  std::function<std::vector<Json>(const Json& object, WallTime now)> cells;
};
const BuiltinTable* builtin_table(const std::string& plural);  // nullptr: name and age

}  // namespace twinspan::sandbox
