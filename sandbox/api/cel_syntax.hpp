// The syntax tree of a CEL expression.
#pragma once
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.hpp"
#include "core/result.hpp"

namespace twinspan::sandbox::cel {

enum class Op {
  kLiteral,   // literal
  kVariable,  // text
  kSelect,    // args[0].text
  kHas,       // has(args[0].text)
  kIndex,     // args[0][args[1]]
  kCall,      // text(args...)
  kMethod,    // args[0].text(args[1]...)
  kMacro,     // args[0].text(variable, args[1]...): all, exists, exists_one, filter, map
  kList,
  kMap,  // args: key, value, key, value …
  kTernary,
  kUnary,   // text: ! or -
  kBinary,  // text: the operator
};

struct Node {
  Op op;
  std::string text;
  std::string variable;
  Json literal;
  std::vector<std::unique_ptr<Node>> args;
};

Result<std::unique_ptr<Node>> parse(std::string_view expression);

}  // namespace twinspan::sandbox::cel
