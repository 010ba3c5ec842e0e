#include "sandbox/api/cel.hpp"

#include <fmt/format.h>

#include "sandbox/api/cel_functions.hpp"
#include "sandbox/api/cel_syntax.hpp"
#include "sandbox/api/cel_value.hpp"

namespace twinspan::sandbox::cel {
namespace {

using Scope = std::map<std::string, Value>;

class Evaluator {
 public:
  Value run(const Node& node, Scope& scope) {
    if (++steps_ > 1'000'000) throw EvaluationError{"operation cancelled: actual cost limit exceeded"};
    switch (node.op) {
      case Op::kLiteral: return Value::of(node.literal);
      case Op::kVariable: return variable(node, scope);
      case Op::kSelect: return field(run(*node.args[0], scope), node.text);
      case Op::kHas: {
        const Value target = run(*node.args[0], scope);
        return Value::of(target.is_object() && target.json().contains(node.text) &&
                         !target.json()[node.text].is_null());
      }
      case Op::kIndex: return index(run(*node.args[0], scope), run(*node.args[1], scope));
      case Op::kCall:
      case Op::kMethod: {
        std::vector<Value> args;
        for (const auto& arg : node.args) args.push_back(run(*arg, scope));
        return call(node.text, node.op == Op::kMethod, args);
      }
      case Op::kMacro: return macro(node, scope);
      case Op::kList: {
        Json list = Json::array();
        for (const auto& arg : node.args) list.push_back(run(*arg, scope).to_json());
        return Value::of(std::move(list));
      }
      case Op::kMap: {
        Json map = Json::object();
        for (size_t i = 0; i + 1 < node.args.size(); i += 2) {
          const Json key = run(*node.args[i], scope).to_json();
          map[key.is_string() ? key.get<std::string>() : key.dump()] = run(*node.args[i + 1], scope).to_json();
        }
        return Value::of(std::move(map));
      }
      case Op::kTernary: return run(run(*node.args[0], scope).boolean() ? *node.args[1] : *node.args[2], scope);
      case Op::kUnary:
        return node.text == "!" ? Value::of(!run(*node.args[0], scope).boolean()) : negate(run(*node.args[0], scope));
      case Op::kBinary: return binary(node, scope);
    }
    throw EvaluationError{"unknown operation"};
  }

 private:
  static Value variable(const Node& node, const Scope& scope) {
    const auto found = scope.find(node.text);
    if (found == scope.end()) throw EvaluationError{fmt::format("no such attribute: {}", node.text)};
    return found->second;
  }

  static Value field(const Value& target, const std::string& name) {
    if (!target.is_object()) throw EvaluationError{fmt::format("no such overload: field {}", name)};
    const auto found = target.json().find(name);
    if (found == target.json().end() || found->is_null()) throw EvaluationError{fmt::format("no such key: {}", name)};
    return target.child(*found);
  }

  static Value index(const Value& target, const Value& at) {
    if (target.is_object()) return field(target, at.string());
    if (!target.is_array()) throw EvaluationError{"no such overload: index"};
    const int64_t position = at.integer();
    if (position < 0 || position >= static_cast<int64_t>(target.json().size()))
      throw EvaluationError{fmt::format("index out of bounds: {}", position)};
    return target.child(target.json()[static_cast<size_t>(position)]);
  }

  // Either side may decide alone, whatever the other does: true || error is true (CEL's logical operators are
  // commutative).
  Value logical(const Node& node, Scope& scope, bool decides) {
    std::optional<EvaluationError> failed;
    for (const auto& arg : node.args) {
      try {
        if (run(*arg, scope).boolean() == decides) return Value::of(decides);
      } catch (const EvaluationError& e) {
        if (!failed) failed = e;
      }
    }
    if (failed) throw *failed;
    return Value::of(!decides);
  }

  Value binary(const Node& node, Scope& scope) {
    if (node.text == "||") return logical(node, scope, true);
    if (node.text == "&&") return logical(node, scope, false);
    const Value left = run(*node.args[0], scope);
    const Value right = run(*node.args[1], scope);
    return operate(node.text, left, right);
  }

  Value macro(const Node& node, Scope& scope) {
    const Value range = run(*node.args[0], scope);
    std::vector<Value> elements;
    if (range.is_array()) {
      for (const Json& item : range.json()) elements.push_back(range.child(item));
    } else if (range.is_object()) {
      for (const auto& [key, value] : range.json().items()) elements.push_back(Value::of(key));
    } else {
      throw EvaluationError{"no such overload: " + node.text};
    }
    std::optional<EvaluationError> failed;
    size_t count = 0;
    Json out = Json::array();
    Scope inner = scope;
    for (const Value& element : elements) {
      inner.insert_or_assign(node.variable, element);
      if (node.text == "map") {
        if (node.args.size() == 3 && !run(*node.args[1], inner).boolean()) continue;
        out.push_back(run(*node.args.back(), inner).to_json());
        continue;
      }
      try {
        const bool yes = run(*node.args[1], inner).boolean();
        if (node.text == "all" && !yes) return Value::of(false);
        if (node.text == "exists" && yes) return Value::of(true);
        if (yes) ++count;
        if (node.text == "filter" && yes) out.push_back(element.to_json());
      } catch (const EvaluationError& e) {
        if (node.text == "filter" || node.text == "exists_one") throw;
        if (!failed) failed = e;
      }
    }
    if (failed) throw *failed;
    if (node.text == "all") return Value::of(true);
    if (node.text == "exists") return Value::of(false);
    if (node.text == "exists_one") return Value::of(count == 1);
    return Value::of(std::move(out));
  }

  int steps_ = 0;
};

bool mentions(const Node& node, std::string_view variable) {
  if (node.op == Op::kVariable && node.text == variable) return true;
  return std::any_of(node.args.begin(), node.args.end(), [&](const auto& arg) { return mentions(*arg, variable); });
}

// What is known of an expression before any object is there: a type's name ("" unknown) and, of fields, their schema.
struct Known {
  std::string type;
  SchemaView schema;
  bool root = false;
};

class Checker {
 public:
  using Names = std::map<std::string, Known>;

  Known infer(const Node& node, const Names& names) {
    switch (node.op) {
      case Op::kLiteral: return {literal_type(node.literal), {}};
      case Op::kVariable: {
        const auto found = names.find(node.text);
        if (found == names.end())
          throw EvaluationError{fmt::format("undeclared reference to '{}' (in container '')", node.text)};
        return found->second;
      }
      case Op::kSelect: return select(infer(*node.args[0], names), node.text);
      case Op::kHas: select(infer(*node.args[0], names), node.text); return {"bool", {}};
      case Op::kIndex: {
        const Known target = infer(*node.args[0], names);
        infer(*node.args[1], names);
        if (!target.schema) return {};
        return of_schema(target.type == "list" ? target.schema.items() : target.schema.additional());
      }
      case Op::kCall:
      case Op::kMethod: {
        std::vector<Known> args;
        for (const auto& arg : node.args) args.push_back(infer(*arg, names));
        const auto signature = find_function(node.text, node.op == Op::kMethod, args.size());
        if (!signature) throw EvaluationError{fmt::format("undeclared reference to '{}' (in container '')", node.text)};
        if (!args.empty() && !signature->first.empty() && !args[0].type.empty() &&
            std::find(signature->first.begin(), signature->first.end(), args[0].type) == signature->first.end())
          throw EvaluationError{
              fmt::format("found no matching overload for '{}' applied to '{}'", node.text, args[0].type)};
        return {signature->result, {}};
      }
      case Op::kMacro: {
        const Known range = infer(*node.args[0], names);
        if (!range.type.empty() && range.type != "list" && range.type != "map")
          throw EvaluationError{fmt::format("expression of type '{}' cannot be range of a comprehension", range.type)};
        Names inner = names;
        inner[node.variable] = range.type == "list" && range.schema ? of_schema(range.schema.items()) : Known{};
        if (range.type == "map") inner[node.variable] = {"string", {}};
        for (size_t i = 1; i < node.args.size(); ++i) infer(*node.args[i], inner);
        if (node.text == "filter") return range;
        return {node.text == "map" ? "list" : "bool", {}};
      }
      case Op::kList:
        for (const auto& arg : node.args) infer(*arg, names);
        return {"list", {}};
      case Op::kMap:
        for (const auto& arg : node.args) infer(*arg, names);
        return {"map", {}};
      case Op::kTernary: {
        demand(infer(*node.args[0], names), "bool", "_?_:_");
        const Known yes = infer(*node.args[1], names);
        infer(*node.args[2], names);
        return yes;
      }
      case Op::kUnary: {
        const Known of = infer(*node.args[0], names);
        if (node.text == "!") demand(of, "bool", "!_");
        return of;
      }
      case Op::kBinary: return binary(node, names);
    }
    return {};
  }

  static Known of_schema(SchemaView schema) {
    if (!schema || schema.int_or_string()) return {};
    const std::string type = schema.type();
    if (type == "array") return {"list", schema};
    if (type == "object") return {schema.is_map() ? "map" : "object", schema};
    if (type == "integer") return {"int", schema};
    if (type == "number") return {"double", schema};
    if (type == "boolean") return {"bool", schema};
    if (type == "string") {
      const std::string format = schema.node().value("format", "");
      if (format == "date-time" || format == "duration") return {};
      return {"string", schema};
    }
    return {"", schema};
  }

 private:
  static std::string literal_type(const Json& value) {
    if (value.is_string()) return "string";
    if (value.is_boolean()) return "bool";
    if (value.is_number_float()) return "double";
    return value.is_number() ? "int" : "";
  }
  static void demand(const Known& have, std::string_view type, std::string_view of) {
    if (!have.type.empty() && have.type != type)
      throw EvaluationError{fmt::format("found no matching overload for '{}' applied to '({})'", of, have.type)};
  }
  static Known select(const Known& target, const std::string& name) {
    static const Json* const kMetadata = new Json{
        {"type", "object"}, {"properties", {{"name", {{"type", "string"}}}, {"generateName", {{"type", "string"}}}}}};
    if (target.root && name == "metadata") return of_schema(SchemaView(*kMetadata));
    if (target.root && (name == "apiVersion" || name == "kind")) return {"string", {}};
    if (target.type.empty() && !target.schema) return {};
    if (target.type != "object" && target.type != "map" && !target.type.empty())
      throw EvaluationError{fmt::format("type '{}' does not support field selection", target.type)};
    if (target.type == "map" && !target.schema) return {};
    // Unknown fields that are preserved are not readable by rules, unlike declared ones.
    if (!target.schema.has_property(name) && !target.schema.is_map())
      throw EvaluationError{fmt::format("undefined field '{}'", name)};
    return of_schema(target.schema.property(name));
  }
  Known binary(const Node& node, const Names& names) {
    const Known left = infer(*node.args[0], names);
    const Known right = infer(*node.args[1], names);
    const std::string& op = node.text;
    if (op == "&&" || op == "||") {
      demand(left, "bool", "_" + op + "_");
      demand(right, "bool", "_" + op + "_");
      return {"bool", {}};
    }
    if (op == "in") {
      if (!right.type.empty() && right.type != "list" && right.type != "map")
        throw EvaluationError{
            fmt::format("found no matching overload for '@in' applied to '({}, {})'", left.type, right.type)};
      return {"bool", {}};
    }
    const bool compares = op == "==" || op == "!=" || op == "<" || op == "<=" || op == ">" || op == ">=";
    const bool numbers =
        (left.type == "int" || left.type == "double") && (right.type == "int" || right.type == "double");
    const bool mixed_numbers_fit = numbers && op != "==" && op != "!=" && compares;
    if (!left.type.empty() && !right.type.empty() && left.type != right.type && !mixed_numbers_fit)
      throw EvaluationError{
          fmt::format("found no matching overload for '_{}_' applied to '({}, {})'", op, left.type, right.type)};
    return compares ? Known{"bool", {}} : Known{left.type, {}};
  }
};

Scope scope_of(const Json& self, const Json* old_self) {
  Scope scope;
  scope.emplace("self", Value::borrowed(self));
  if (old_self) scope.emplace("oldSelf", Value::borrowed(*old_self));
  return scope;
}

}  // namespace

Program::Program(std::unique_ptr<Node> root) : root_(std::move(root)) {}
Program::~Program() = default;

bool Program::uses(std::string_view variable) const { return mentions(*root_, variable); }

Status Program::check(SchemaView self, bool root) const {
  try {
    Known known = Checker::of_schema(self);
    known.root = root;
    const Known out = Checker().infer(*root_, {{"self", known}, {"oldSelf", known}});
    if (out.type != "bool" && out.type != "string" && !out.type.empty())
      return fail(Code::kInvalid, fmt::format("cel expression must evaluate to a bool, not {}", out.type));
    return {};
  } catch (const EvaluationError& e) {
    return fail(Code::kInvalid, e.message);
  }
}

Result<bool> Program::holds(const Json& self, const Json* old_self) const {
  try {
    Scope scope = scope_of(self, old_self);
    return Evaluator().run(*root_, scope).boolean();
  } catch (const std::exception& e) {
    return fail(Code::kInvalid, e.what());
  } catch (const EvaluationError& e) {
    return fail(Code::kInvalid, e.message);
  }
}

Result<std::string> Program::text(const Json& self, const Json* old_self) const {
  try {
    Scope scope = scope_of(self, old_self);
    return Evaluator().run(*root_, scope).string();
  } catch (const std::exception& e) {
    return fail(Code::kInvalid, e.what());
  } catch (const EvaluationError& e) {
    return fail(Code::kInvalid, e.message);
  }
}

Result<Json> Program::evaluate(const Json& self, const Json* old_self) const {
  try {
    Scope scope = scope_of(self, old_self);
    return Evaluator().run(*root_, scope).to_json();
  } catch (const std::exception& e) {
    return fail(Code::kInvalid, e.what());
  } catch (const EvaluationError& e) {
    return fail(Code::kInvalid, e.message);
  }
}

Result<std::shared_ptr<const Program>> compile(const std::string& expression) {
  static std::mutex mutex;
  static auto* const cache = new std::map<std::string, std::shared_ptr<const Program>>;
  {
    std::lock_guard lock(mutex);
    if (const auto found = cache->find(expression); found != cache->end()) return found->second;
  }
  auto root = parse(expression);
  if (!root) return std::unexpected(root.error());
  auto program = std::make_shared<const Program>(std::move(*root));
  std::lock_guard lock(mutex);
  if (cache->size() > 4096) cache->clear();
  return (*cache)[expression] = std::move(program);
}

}  // namespace twinspan::sandbox::cel
