// The subset of the Common Expression Language that CRD rules use (x-kubernetes-validations). What it doesn't know it
// refuses when the CRD is written, as the real server does, rather than passing an object unchecked. Language:
// github.com/google/cel-spec; libraries: kubernetes.io/docs/reference/using-api/cel.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "core/json.hpp"
#include "core/result.hpp"
#include "sandbox/api/schema.hpp"

namespace twinspan::sandbox::cel {

struct Node;

class Program {
 public:
  explicit Program(std::unique_ptr<Node> root);
  ~Program();
  bool uses(std::string_view variable) const;
  // Whether every field named exists in the schema of `self`, every function is known and operands can match.
  // `root`: self is a whole object, of which apiVersion, kind, metadata.name and metadata.generateName are readable.
  Status check(SchemaView self, bool root) const;
  // `old_self` may be nullptr. An evaluation error (no such key, overflow …) is kInvalid.
  Result<bool> holds(const Json& self, const Json* old_self) const;
  Result<std::string> text(const Json& self, const Json* old_self) const;
  Result<Json> evaluate(const Json& self, const Json* old_self) const;  // for tests; only values that JSON can hold

 private:
  std::unique_ptr<Node> root_;
};

// Programs are kept: the same text answers the same program. kInvalid names the position.
Result<std::shared_ptr<const Program>> compile(const std::string& expression);

}  // namespace twinspan::sandbox::cel
