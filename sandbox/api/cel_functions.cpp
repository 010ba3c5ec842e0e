#include "sandbox/api/cel_functions.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <regex>

#include "core/clock.hpp"

namespace twinspan::sandbox::cel {
namespace {

using Special = Value::Special;

[[noreturn]] void no_overload(std::string_view what) {
  throw EvaluationError{fmt::format("no such overload: {}", what)};
}

struct Entry {
  bool method;
  size_t least, most;  // arguments, the receiver included
  Signature signature;
};

const std::multimap<std::string, Entry, std::less<>>& functions() {
  static const auto* const table = [] {
    const std::vector<std::string> text = {"string"}, list = {"list"}, sized = {"string", "list", "map", "object"};
    const std::vector<std::string> quantity = {"quantity"}, any;
    return new std::multimap<std::string, Entry, std::less<>>{
        {"size", {true, 1, 1, {sized, "int"}}},
        {"size", {false, 1, 1, {sized, "int"}}},
        {"matches", {true, 2, 2, {text, "bool"}}},
        {"matches", {false, 2, 2, {text, "bool"}}},
        {"startsWith", {true, 2, 2, {text, "bool"}}},
        {"endsWith", {true, 2, 2, {text, "bool"}}},
        {"contains", {true, 2, 2, {text, "bool"}}},
        {"lowerAscii", {true, 1, 1, {text, "string"}}},
        {"upperAscii", {true, 1, 1, {text, "string"}}},
        {"trim", {true, 1, 1, {text, "string"}}},
        {"charAt", {true, 2, 2, {text, "string"}}},
        {"substring", {true, 2, 3, {text, "string"}}},
        {"replace", {true, 3, 4, {text, "string"}}},
        {"split", {true, 2, 3, {text, "list"}}},
        {"indexOf", {true, 2, 2, {{"string", "list"}, "int"}}},
        {"lastIndexOf", {true, 2, 2, {{"string", "list"}, "int"}}},
        {"join", {true, 1, 2, {list, "string"}}},
        {"isSorted", {true, 1, 1, {list, "bool"}}},
        {"sum", {true, 1, 1, {list, ""}}},
        {"min", {true, 1, 1, {list, ""}}},
        {"max", {true, 1, 1, {list, ""}}},
        {"string", {false, 1, 1, {any, "string"}}},
        {"int", {false, 1, 1, {any, "int"}}},
        {"double", {false, 1, 1, {any, "double"}}},
        {"bool", {false, 1, 1, {any, "bool"}}},
        {"dyn", {false, 1, 1, {any, ""}}},
        {"quantity", {false, 1, 1, {text, "quantity"}}},
        {"isQuantity", {false, 1, 1, {text, "bool"}}},
        {"compareTo", {true, 2, 2, {quantity, "int"}}},
        {"isLessThan", {true, 2, 2, {quantity, "bool"}}},
        {"isGreaterThan", {true, 2, 2, {quantity, "bool"}}},
        {"sign", {true, 1, 1, {quantity, "int"}}},
        {"add", {true, 2, 2, {quantity, "quantity"}}},
        {"sub", {true, 2, 2, {quantity, "quantity"}}},
        {"isInteger", {true, 1, 1, {quantity, "bool"}}},
        {"asInteger", {true, 1, 1, {quantity, "int"}}},
        {"duration", {false, 1, 1, {any, "duration"}}},
        {"timestamp", {false, 1, 1, {any, "timestamp"}}},
        {"getSeconds", {true, 1, 1, {any, "int"}}},
        {"getMinutes", {true, 1, 1, {any, "int"}}},
        {"getHours", {true, 1, 1, {any, "int"}}},
    };
  }();
  return *table;
}

size_t code_points(const std::string& text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](unsigned char c) { return (c & 0xC0) != 0x80; }));
}

std::optional<long double> parse_duration(std::string_view text) {
  static const std::regex kShape("^-?([0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h))+$");
  const std::string whole(text);
  if (!std::regex_match(whole, kShape)) return std::nullopt;
  static const std::regex kPart("([0-9]+(?:\\.[0-9]+)?)(ns|us|ms|s|m|h)");
  static const std::map<std::string, long double> kUnits = {{"ns", 1e-9L}, {"us", 1e-6L}, {"ms", 1e-3L},
                                                            {"s", 1},      {"m", 60},     {"h", 3600}};
  long double total = 0;
  for (std::sregex_iterator part(whole.begin(), whole.end(), kPart), end; part != end; ++part)
    total += std::stold((*part)[1]) * kUnits.at((*part)[2]);
  return whole[0] == '-' ? -total : total;
}

Value string_call(const std::string& name, const std::vector<Value>& args) {
  const std::string& text = args[0].string();
  if (name == "matches") {
    try {
      return Value::of(std::regex_search(text, std::regex(args[1].string(), std::regex::ECMAScript)));
    } catch (const std::regex_error& e) {
      throw EvaluationError{fmt::format("matches: {}", e.what())};
    }
  }
  if (name == "startsWith") return Value::of(text.starts_with(args[1].string()));
  if (name == "endsWith") return Value::of(text.ends_with(args[1].string()));
  if (name == "contains") return Value::of(text.find(args[1].string()) != std::string::npos);
  if (name == "indexOf" || name == "lastIndexOf") {
    const size_t at = name == "indexOf" ? text.find(args[1].string()) : text.rfind(args[1].string());
    return Value::of(at == std::string::npos ? int64_t{-1} : static_cast<int64_t>(at));
  }
  if (name == "lowerAscii" || name == "upperAscii") {
    std::string out = text;
    for (char& c : out) c = static_cast<char>(name == "lowerAscii" ? tolower(c) : toupper(c));
    return Value::of(out);
  }
  if (name == "trim") {
    const size_t first = text.find_first_not_of(" \t\r\n");
    return Value::of(first == std::string::npos ? ""
                                                : text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1));
  }
  if (name == "charAt" || name == "substring") {
    const int64_t from = args[1].integer();
    const int64_t to = name == "charAt"  ? from + 1
                       : args.size() > 2 ? args[2].integer()
                                         : static_cast<int64_t>(text.size());
    if (from < 0 || to < from || (to > static_cast<int64_t>(text.size()) && name != "charAt"))
      throw EvaluationError{fmt::format("index out of range: {}", from)};
    if (from > static_cast<int64_t>(text.size())) throw EvaluationError{fmt::format("index out of range: {}", from)};
    return Value::of(text.substr(static_cast<size_t>(from), static_cast<size_t>(to - from)));
  }
  if (name == "replace") {
    std::string out = text;
    const std::string &from = args[1].string(), &to = args[2].string();
    int64_t left = args.size() > 3 ? args[3].integer() : -1;
    for (size_t at = 0; !from.empty() && left != 0 && (at = out.find(from, at)) != std::string::npos;
         at += to.size(), --left)
      out.replace(at, from.size(), to);
    return Value::of(out);
  }
  if (name == "split") {
    Json out = Json::array();
    const std::string& separator = args[1].string();
    if (separator.empty()) {
      for (const char c : text) out.push_back(std::string(1, c));
      return Value::of(std::move(out));
    }
    size_t begin = 0;
    for (size_t at; (at = text.find(separator, begin)) != std::string::npos; begin = at + separator.size())
      out.push_back(text.substr(begin, at - begin));
    out.push_back(text.substr(begin));
    return Value::of(std::move(out));
  }
  no_overload(name);
}

Value list_call(const std::string& name, const std::vector<Value>& args) {
  const Json& list = args[0].json();
  if (name == "join") {
    std::string out;
    for (const Json& item : list) {
      if (!item.is_string()) no_overload("join");
      if (&item != &list.front()) out += args.size() > 1 ? args[1].string() : "";
      out += item.get_ref<const std::string&>();
    }
    return Value::of(out);
  }
  if (name == "indexOf" || name == "lastIndexOf") {
    int64_t found = -1;
    for (size_t i = 0; i < list.size(); ++i)
      if (list[i] == args[1].json() && (found < 0 || name == "lastIndexOf")) found = static_cast<int64_t>(i);
    return Value::of(found);
  }
  if (name == "isSorted") return Value::of(std::is_sorted(list.begin(), list.end()));
  if (name == "sum") {
    Value total = Value::of(0);
    for (const Json& item : list)
      total = &item == &list.front() ? Value::of(item) : operate("+", total, Value::of(item));
    return total;
  }
  if (name == "min" || name == "max") {
    if (list.empty()) throw EvaluationError{name + " called on empty list"};
    return Value::of(name == "min" ? *std::min_element(list.begin(), list.end())
                                   : *std::max_element(list.begin(), list.end()));
  }
  no_overload(name);
}

Value convert(const std::string& name, const Value& value) {
  const Json& json = value.json();
  if (name == "dyn") return value;
  if (name == "string") {
    if (!value.plain()) no_overload("string");
    return Value::of(json.is_string() ? json.get<std::string>() : json.dump());
  }
  if (name == "bool") {
    if (json.is_boolean()) return value;
    if (json == "true" || json == "false") return Value::of(json == "true");
    no_overload("bool");
  }
  if (name == "quantity" || name == "isQuantity") {
    const auto amount =
        json.is_number() ? std::optional<long double>(json.get<double>()) : parse_quantity(value.string());
    if (name == "isQuantity") return Value::of(amount.has_value());
    if (!amount)
      throw EvaluationError{
          "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"};
    return Value::special(Special::kQuantity, *amount);
  }
  if (name == "duration") {
    if (value.kind() == Special::kDuration) return value;
    const auto amount = parse_duration(value.string());
    if (!amount) throw EvaluationError{fmt::format("invalid duration {}", json.dump())};
    return Value::special(Special::kDuration, *amount);
  }
  if (name == "timestamp") {
    if (value.kind() == Special::kTimestamp) return value;
    const auto time = parse_rfc3339(value.string());
    if (!time) throw EvaluationError{fmt::format("invalid timestamp {}", json.dump())};
    return Value::special(Special::kTimestamp, static_cast<long double>(time->time_since_epoch().count()) / 1e6L);
  }
  const bool to_int = name == "int";
  if (value.kind() == Special::kTimestamp || value.kind() == Special::kDuration)
    return Value::of(static_cast<int64_t>(value.amount()));
  if (json.is_number())
    return to_int ? Value::of(static_cast<int64_t>(json.get<double>())) : Value::of(json.get<double>());
  if (json.is_string()) {
    try {
      size_t used = 0;
      const std::string text = json;
      Value out = to_int ? Value::of(static_cast<int64_t>(std::stoll(text, &used))) : Value::of(std::stod(text, &used));
      if (used == text.size()) return out;
    } catch (const std::exception&) {
    }
    throw EvaluationError{fmt::format("{}: type conversion error: {}", name, json.dump())};
  }
  no_overload(name);
}

Value special_call(const std::string& name, const std::vector<Value>& args) {
  const long double mine = args[0].amount();
  if (args[0].kind() == Special::kQuantity) {
    const auto other = [&] {
      if (args[1].kind() == Special::kQuantity) return args[1].amount();
      return static_cast<long double>(args[1].integer());
    };
    if (name == "compareTo") return Value::of(mine < other() ? -1 : mine > other() ? 1 : 0);
    if (name == "isLessThan") return Value::of(mine < other());
    if (name == "isGreaterThan") return Value::of(mine > other());
    if (name == "sign") return Value::of(mine < 0 ? -1 : mine > 0 ? 1 : 0);
    if (name == "add") return Value::special(Special::kQuantity, mine + other());
    if (name == "sub") return Value::special(Special::kQuantity, mine - other());
    if (name == "isInteger") return Value::of(mine == std::floor(mine));
    if (name == "asInteger") return Value::of(static_cast<int64_t>(mine));
  }
  if (args[0].kind() == Special::kDuration) {
    if (name == "getSeconds") return Value::of(static_cast<int64_t>(mine));
    if (name == "getMinutes") return Value::of(static_cast<int64_t>(mine / 60));
    if (name == "getHours") return Value::of(static_cast<int64_t>(mine / 3600));
  }
  no_overload(name);
}

int compare(const Value& left, const Value& right) {
  if (left.kind() != right.kind()) no_overload("comparison");
  if (!left.plain()) return left.amount() < right.amount() ? -1 : left.amount() > right.amount() ? 1 : 0;
  const Json &a = left.json(), &b = right.json();
  const bool fits =
      (a.is_number() && b.is_number()) || (a.is_string() && b.is_string()) || (a.is_boolean() && b.is_boolean());
  if (!fits) no_overload("comparison");
  return a < b ? -1 : a > b ? 1 : 0;
}

Value arithmetic(const std::string& op, const Value& left, const Value& right) {
  if (!left.plain() || !right.plain()) {
    if (left.kind() == Special::kTimestamp && right.kind() == Special::kDuration)
      return Value::special(Special::kTimestamp,
                            op == "+" ? left.amount() + right.amount() : left.amount() - right.amount());
    if (left.kind() == right.kind() && op == "-")
      return Value::special(Special::kDuration, left.amount() - right.amount());
    if (left.kind() == Special::kDuration && right.kind() == Special::kDuration && op == "+")
      return Value::special(Special::kDuration, left.amount() + right.amount());
    no_overload(op);
  }
  if (op == "+" && left.is_string() && right.is_string()) return Value::of(left.string() + right.string());
  if (op == "+" && left.is_array() && right.is_array()) {
    Json out = left.json();
    out.insert(out.end(), right.json().begin(), right.json().end());
    return Value::of(std::move(out));
  }
  if (!left.is_number() || !right.is_number()) no_overload(op);
  if (left.json().is_number_float() || right.json().is_number_float()) {
    const double a = left.json().get<double>(), b = right.json().get<double>();
    if (op == "%") no_overload(op);
    return Value::of(op == "+" ? a + b : op == "-" ? a - b : op == "*" ? a * b : a / b);
  }
  const int64_t a = left.integer(), b = right.integer();
  int64_t out = 0;
  bool overflow = false;
  if (op == "+")
    overflow = __builtin_add_overflow(a, b, &out);
  else if (op == "-")
    overflow = __builtin_sub_overflow(a, b, &out);
  else if (op == "*")
    overflow = __builtin_mul_overflow(a, b, &out);
  else if (b == 0)
    throw EvaluationError{op == "/" ? "division by zero" : "modulus by zero"};
  else if (a == INT64_MIN && b == -1)
    overflow = true;
  else
    out = op == "/" ? a / b : a % b;
  if (overflow) throw EvaluationError{"integer overflow"};
  return Value::of(out);
}

}  // namespace

std::optional<Signature> find_function(std::string_view name, bool method, size_t arguments) {
  const auto [first, last] = functions().equal_range(name);
  for (auto each = first; each != last; ++each)
    if (each->second.method == method && arguments >= each->second.least && arguments <= each->second.most)
      return each->second.signature;
  return std::nullopt;
}

Value call(const std::string& name, bool method, const std::vector<Value>& args) {
  if (!find_function(name, method, args.size())) no_overload(name);
  if (!method && name != "size" && name != "matches") return convert(name, args[0]);
  if (name == "size") {
    if (args[0].is_string()) return Value::of(code_points(args[0].string()));
    if (args[0].is_array() || args[0].is_object()) return Value::of(args[0].json().size());
    no_overload(name);
  }
  if (!args[0].plain()) return special_call(name, args);
  return args[0].is_array() ? list_call(name, args) : string_call(name, args);
}

Value operate(const std::string& op, const Value& left, const Value& right) {
  if (op == "==" || op == "!=") {
    const bool same =
        left.kind() == right.kind() && (left.plain() ? left.json() == right.json() : left.amount() == right.amount());
    return Value::of(same == (op == "=="));
  }
  if (op == "<") return Value::of(compare(left, right) < 0);
  if (op == "<=") return Value::of(compare(left, right) <= 0);
  if (op == ">") return Value::of(compare(left, right) > 0);
  if (op == ">=") return Value::of(compare(left, right) >= 0);
  if (op == "in") {
    if (right.is_object()) return Value::of(left.is_string() && right.json().contains(left.string()));
    if (!right.is_array()) no_overload("in");
    return Value::of(std::find(right.json().begin(), right.json().end(), left.json()) != right.json().end());
  }
  return arithmetic(op, left, right);
}

Value negate(const Value& value) {
  if (!value.is_number()) no_overload("-_");
  if (value.json().is_number_float()) return Value::of(-value.json().get<double>());
  return arithmetic("-", Value::of(0), value);
}

std::optional<long double> parse_quantity(std::string_view text) {
  static const std::map<std::string_view, long double> kSuffixes = {{"", 1},
                                                                    {"n", 1e-9L},
                                                                    {"u", 1e-6L},
                                                                    {"m", 1e-3L},
                                                                    {"k", 1e3L},
                                                                    {"M", 1e6L},
                                                                    {"G", 1e9L},
                                                                    {"T", 1e12L},
                                                                    {"P", 1e15L},
                                                                    {"E", 1e18L},
                                                                    {"Ki", 1024.L},
                                                                    {"Mi", 1048576.L},
                                                                    {"Gi", 1073741824.L},
                                                                    {"Ti", 1099511627776.L},
                                                                    {"Pi", 1125899906842624.L},
                                                                    {"Ei", 1152921504606846976.L}};
  size_t digits = 0;
  while (digits < text.size() && (isdigit(static_cast<unsigned char>(text[digits])) || text[digits] == '.' ||
                                  (digits == 0 && (text[0] == '-' || text[0] == '+'))))
    ++digits;
  std::string number(text.substr(0, digits));
  if (number.find_first_of("0123456789") == std::string::npos || std::count(number.begin(), number.end(), '.') > 1)
    return std::nullopt;
  std::string_view suffix = text.substr(digits);
  if (const auto scale = kSuffixes.find(suffix); scale != kSuffixes.end()) return std::stold(number) * scale->second;
  if (suffix.size() > 1 && (suffix[0] == 'e' || suffix[0] == 'E')) {
    int exponent = 0;
    suffix.remove_prefix(suffix[1] == '+' ? 2 : 1);
    const auto [end, error] = std::from_chars(suffix.data(), suffix.data() + suffix.size(), exponent);
    if (error == std::errc() && end == suffix.data() + suffix.size())
      return std::stold(number) * std::pow(10.L, exponent);
  }
  return std::nullopt;
}

}  // namespace twinspan::sandbox::cel
