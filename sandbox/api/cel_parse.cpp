#include <fmt/format.h>

#include <charconv>

#include "sandbox/api/cel_syntax.hpp"

namespace twinspan::sandbox::cel {
namespace {

struct Token {
  enum Kind { kEnd, kName, kLiteral, kSymbol } kind = kEnd;
  std::string text;
  Json literal;
  size_t at = 0;
};

struct SyntaxError {
  std::string message;
};

class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  std::vector<Token> all() {
    std::vector<Token> out;
    for (;;) {
      out.push_back(next());
      if (out.back().kind == Token::kEnd) return out;
    }
  }

 private:
  [[noreturn]] void fail_here(std::string_view what) const {
    throw SyntaxError{fmt::format("<input>:1:{}: {}", at_ + 1, what)};
  }

  Token next() {
    while (at_ < text_.size()) {
      if (isspace(static_cast<unsigned char>(text_[at_])))
        ++at_;
      else if (text_.substr(at_, 2) == "//")
        at_ = std::min(text_.find('\n', at_), text_.size());
      else
        break;
    }
    Token out;
    out.at = at_;
    if (at_ >= text_.size()) return out;
    const char c = text_[at_];
    const bool raw =
        (c == 'r' || c == 'R') && at_ + 1 < text_.size() && (text_[at_ + 1] == '"' || text_[at_ + 1] == '\'');
    if (raw) ++at_;
    if (raw || c == '"' || c == '\'') return string(out, raw);
    if (isdigit(static_cast<unsigned char>(c)) ||
        (c == '.' && at_ + 1 < text_.size() && isdigit(static_cast<unsigned char>(text_[at_ + 1]))))
      return number(out);
    if (isalpha(static_cast<unsigned char>(c)) || c == '_') {
      while (at_ < text_.size() && (isalnum(static_cast<unsigned char>(text_[at_])) || text_[at_] == '_'))
        out.text += text_[at_++];
      out.kind = Token::kName;
      if (out.text == "true" || out.text == "false" || out.text == "null") {
        out.kind = Token::kLiteral;
        out.literal = out.text == "null" ? Json() : Json(out.text == "true");
      }
      return out;
    }
    static constexpr std::string_view kTwo[] = {"&&", "||", "==", "!=", "<=", ">="};
    out.kind = Token::kSymbol;
    for (const auto symbol : kTwo) {
      if (text_.substr(at_, 2) == symbol) {
        at_ += 2;
        out.text = symbol;
        return out;
      }
    }
    if (std::string_view("()[]{}.,?:!-+*/%<>").find(c) == std::string_view::npos)
      fail_here(fmt::format("Syntax error: token recognition error at: '{}'", c));
    out.text = c;
    ++at_;
    return out;
  }

  Token string(Token out, bool raw) {
    const char quote = text_[at_];
    const bool triple = text_.substr(at_, 3) == std::string(3, quote);
    at_ += triple ? 3 : 1;
    std::string value;
    for (;;) {
      if (at_ >= text_.size()) fail_here("Syntax error: unterminated string");
      if (triple ? text_.substr(at_, 3) == std::string(3, quote) : text_[at_] == quote) break;
      if (text_[at_] == '\\' && !raw) {
        ++at_;
        escape(value);
      } else {
        value += text_[at_++];
      }
    }
    at_ += triple ? 3 : 1;
    out.kind = Token::kLiteral;
    out.literal = std::move(value);
    return out;
  }

  void escape(std::string& value) {
    if (at_ >= text_.size()) fail_here("Syntax error: unterminated escape");
    const char c = text_[at_++];
    static const std::map<char, char> kSimple = {{'n', '\n'}, {'t', '\t'},  {'r', '\r'}, {'a', '\a'},
                                                 {'b', '\b'}, {'f', '\f'},  {'v', '\v'}, {'\\', '\\'},
                                                 {'"', '"'},  {'\'', '\''}, {'`', '`'},  {'?', '?'}};
    if (const auto simple = kSimple.find(c); simple != kSimple.end()) {
      value += simple->second;
      return;
    }
    const size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    unsigned code = 0;
    const auto hex = text_.substr(at_, digits);
    if (digits == 0 || std::from_chars(hex.data(), hex.data() + hex.size(), code, 16).ptr != hex.data() + digits)
      fail_here("Syntax error: invalid escape");
    at_ += digits;
    if (code < 0x80) {
      value += static_cast<char>(code);
    } else if (code < 0x800) {
      value += static_cast<char>(0xC0 | (code >> 6));
      value += static_cast<char>(0x80 | (code & 0x3F));
    } else {
      value += static_cast<char>(0xE0 | (code >> 12));
      value += static_cast<char>(0x80 | ((code >> 6) & 0x3F));
      value += static_cast<char>(0x80 | (code & 0x3F));
    }
  }

  Token number(Token out) {
    const size_t begin = at_;
    bool real = false;
    if (text_.substr(at_, 2) == "0x") {
      at_ += 2;
      int64_t value = 0;
      const auto end = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value, 16).ptr;
      at_ = static_cast<size_t>(end - text_.data());
      out.literal = value;
    } else {
      while (at_ < text_.size()) {
        const char c = text_[at_];
        if (c == '.' && (at_ + 1 >= text_.size() || !isdigit(static_cast<unsigned char>(text_[at_ + 1])))) break;
        if (c == '.' || c == 'e' || c == 'E')
          real = true;
        else if (!isdigit(static_cast<unsigned char>(c)) &&
                 !((c == '-' || c == '+') && (text_[at_ - 1] == 'e' || text_[at_ - 1] == 'E')))
          break;
        ++at_;
      }
      const std::string digits(text_.substr(begin, at_ - begin));
      if (real) {
        out.literal = std::stod(digits);
      } else {
        int64_t value = 0;
        if (std::from_chars(digits.data(), digits.data() + digits.size(), value).ec != std::errc())
          fail_here("invalid int literal");
        out.literal = value;
      }
    }
    if (at_ < text_.size() && (text_[at_] == 'u' || text_[at_] == 'U')) ++at_;
    out.kind = Token::kLiteral;
    return out;
  }

  std::string_view text_;
  size_t at_ = 0;
};

using NodePtr = std::unique_ptr<Node>;

// Recursive descent; the levels are those of the CEL grammar.
class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  NodePtr whole() {
    NodePtr out = expression();
    if (peek().kind != Token::kEnd) unexpected();
    return out;
  }

 private:
  const Token& peek() const { return tokens_[at_]; }
  bool is(std::string_view symbol) const { return peek().kind == Token::kSymbol && peek().text == symbol; }
  bool take(std::string_view symbol) {
    if (!is(symbol)) return false;
    ++at_;
    return true;
  }
  void expect(std::string_view symbol) {
    if (!take(symbol)) unexpected();
  }
  [[noreturn]] void unexpected() const {
    const std::string shown = peek().kind == Token::kEnd       ? "<EOF>"
                              : peek().kind == Token::kLiteral ? peek().literal.dump()
                                                               : peek().text;
    throw SyntaxError{fmt::format("<input>:1:{}: Syntax error: unexpected '{}'", peek().at + 1, shown)};
  }
  static NodePtr make(Op op, std::string text = "") {
    auto out = std::make_unique<Node>();
    out->op = op;
    out->text = std::move(text);
    return out;
  }
  template <class... Args>
  static NodePtr make_with(Op op, std::string text, Args... args) {
    auto out = make(op, std::move(text));
    (out->args.push_back(std::move(args)), ...);
    return out;
  }

  NodePtr expression() {
    if (++depth_ > 200) throw SyntaxError{"expression recursion limit exceeded: 200"};
    NodePtr condition = disjunction();
    if (take("?")) {
      NodePtr yes = disjunction();
      expect(":");
      NodePtr no = expression();
      condition = make_with(Op::kTernary, "", std::move(condition), std::move(yes), std::move(no));
    }
    --depth_;
    return condition;
  }
  NodePtr disjunction() {
    NodePtr left = conjunction();
    while (take("||")) left = make_with(Op::kBinary, "||", std::move(left), conjunction());
    return left;
  }
  NodePtr conjunction() {
    NodePtr left = relation();
    while (take("&&")) left = make_with(Op::kBinary, "&&", std::move(left), relation());
    return left;
  }
  NodePtr relation() {
    NodePtr left = addition();
    for (;;) {
      std::string symbol;
      for (const char* each : {"==", "!=", "<=", ">=", "<", ">"})
        if (is(each)) symbol = each;
      if (peek().kind == Token::kName && peek().text == "in") symbol = "in";
      if (symbol.empty()) return left;
      ++at_;
      left = make_with(Op::kBinary, symbol, std::move(left), addition());
    }
  }
  NodePtr addition() {
    NodePtr left = multiplication();
    while (is("+") || is("-")) {
      const std::string symbol = tokens_[at_++].text;
      left = make_with(Op::kBinary, symbol, std::move(left), multiplication());
    }
    return left;
  }
  NodePtr multiplication() {
    NodePtr left = unary();
    while (is("*") || is("/") || is("%")) {
      const std::string symbol = tokens_[at_++].text;
      left = make_with(Op::kBinary, symbol, std::move(left), unary());
    }
    return left;
  }
  NodePtr unary() {
    if (take("!")) return make_with(Op::kUnary, "!", unary());
    if (take("-")) return make_with(Op::kUnary, "-", unary());
    return member();
  }
  NodePtr member() {
    NodePtr target = primary();
    for (;;) {
      if (take(".")) {
        if (peek().kind != Token::kName) unexpected();
        std::string name = unescape(tokens_[at_++].text);
        if (take("(")) {
          target = call(std::move(target), std::move(name));
        } else {
          target = make_with(Op::kSelect, name, std::move(target));
        }
      } else if (take("[")) {
        target = make_with(Op::kIndex, "", std::move(target), expression());
        expect("]");
      } else {
        return target;
      }
    }
  }
  NodePtr call(NodePtr target, std::string name) {
    std::vector<NodePtr> args;
    if (!take(")")) {
      do args.push_back(expression());
      while (take(","));
      expect(")");
    }
    const bool macro = name == "all" || name == "exists" || name == "exists_one" || name == "existsOne" ||
                       name == "filter" || name == "map";
    if (macro && (args.size() == 2 || (name == "map" && args.size() == 3))) {
      if (args[0]->op != Op::kVariable) throw SyntaxError{fmt::format("argument of {} must be a simple name", name)};
      auto out = make_with(Op::kMacro, name == "existsOne" ? "exists_one" : name, std::move(target));
      out->variable = args[0]->text;
      for (size_t i = 1; i < args.size(); ++i) out->args.push_back(std::move(args[i]));
      return out;
    }
    auto out = make_with(Op::kMethod, std::move(name), std::move(target));
    for (NodePtr& arg : args) out->args.push_back(std::move(arg));
    return out;
  }
  NodePtr primary() {
    if (peek().kind == Token::kLiteral) {
      auto out = make(Op::kLiteral);
      out->literal = tokens_[at_++].literal;
      return out;
    }
    if (take("(")) {
      NodePtr inner = expression();
      expect(")");
      return inner;
    }
    if (take("[")) {
      auto out = make(Op::kList);
      while (!take("]")) {
        out->args.push_back(expression());
        if (!take(",") && !is("]")) unexpected();
      }
      return out;
    }
    if (take("{")) {
      auto out = make(Op::kMap);
      while (!take("}")) {
        out->args.push_back(expression());
        expect(":");
        out->args.push_back(expression());
        if (!take(",") && !is("}")) unexpected();
      }
      return out;
    }
    if (peek().kind != Token::kName || peek().text == "in") unexpected();
    std::string name = tokens_[at_++].text;
    if (!take("(")) return make(Op::kVariable, std::move(name));
    auto out = make(Op::kCall, std::move(name));
    if (!take(")")) {
      do out->args.push_back(expression());
      while (take(","));
      expect(")");
    }
    if (out->text == "has") {
      if (out->args.size() != 1 || out->args[0]->op != Op::kSelect)
        throw SyntaxError{"invalid argument to has() macro"};
      NodePtr select = std::move(out->args[0]);
      select->op = Op::kHas;
      return select;
    }
    return out;
  }
  // Field names that CEL reserves are written __name__; dots, dashes and slashes have spelled-out forms.
  static std::string unescape(std::string name) {
    static const std::pair<std::string_view, std::string_view> kForms[] = {
        {"__dot__", "."}, {"__dash__", "-"}, {"__slash__", "/"}, {"__underscores__", "__"}};
    for (const auto& [form, plain] : kForms)
      for (size_t at; (at = name.find(form)) != std::string::npos;) name.replace(at, form.size(), plain);
    if (name.size() > 4 && name.starts_with("__") && name.ends_with("__")) name = name.substr(2, name.size() - 4);
    return name;
  }

  std::vector<Token> tokens_;
  size_t at_ = 0;
  int depth_ = 0;
};

}  // namespace

Result<std::unique_ptr<Node>> parse(std::string_view expression) {
  try {
    return Parser(Lexer(expression).all()).whole();
  } catch (const SyntaxError& e) {
    return fail(Code::kInvalid, e.message);
  }
}

}  // namespace twinspan::sandbox::cel
