// The functions and operators of CEL and of Kubernetes' libraries that this evaluator knows.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sandbox/api/cel_value.hpp"

namespace twinspan::sandbox::cel {

struct Signature {
  std::vector<std::string> first;  // types the receiver or first argument may have; empty: any
  std::string result;              // "" unknown
};
// nullopt: no function of that name takes that many arguments (the receiver counts).
std::optional<Signature> find_function(std::string_view name, bool method, size_t arguments);

// All of these throw EvaluationError.
Value call(const std::string& name, bool method, const std::vector<Value>& args);
Value operate(const std::string& op, const Value& left, const Value& right);
Value negate(const Value& value);

// A Kubernetes quantity ("10Gi", "250m") as a number; nullopt where it is none.
std::optional<long double> parse_quantity(std::string_view text);

}  // namespace twinspan::sandbox::cel
