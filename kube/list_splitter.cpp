#include "kube/list_splitter.hpp"

#include <nlohmann/json.hpp>

#include "kube/object_parser.hpp"

namespace twinspan::kube {
namespace {

// Where the next character of meaning stands: a quote or backslash inside a string, a quote or bracket outside.
size_t end_of_run(std::string_view text, size_t at, bool in_string) {
  if (in_string) {
    while (at < text.size() && text[at] != '"' && text[at] != '\\') ++at;
    return at;
  }
  for (; at < text.size(); ++at) switch (text[at]) {
      case '"':
      case '[':
      case ']':
      case '{':
      case '}': return at;
      default: break;
    }
  return at;
}

}  // namespace

bool ListSplitter::item_complete() {
  Json item = parse_object(item_);
  item_.clear();
  if (!item.is_object()) return !(bad_ = true);
  ++items_;
  each_(std::move(item));
  return true;
}

// Depth counts open braces and brackets: 1 inside the list object, 2 inside its `items`, 3 inside an item.
bool ListSplitter::take(char c) {
  std::string& out = in_items_ && depth_ >= 2 ? item_ : shell_;
  if (in_string_) {
    if (depth_ >= 3 || !in_items_) out += c;
    if (escaped_) {
      escaped_ = false;
    } else if (c == '\\') {
      escaped_ = true;
    } else if (c == '"') {
      in_string_ = false;
    }
    if (depth_ == 1 && in_string_) key_ += c;
    return true;
  }
  switch (c) {
    case '"':
      in_string_ = true;
      if (depth_ == 1) key_.clear();
      break;
    case '[':
      if (++depth_ == 2 && key_ == "items") {
        in_items_ = true;
        shell_ += '[';
        return true;
      }
      break;
    case '{': ++depth_; break;
    case ']':
    case '}':
      --depth_;
      if (depth_ < 0) return !(bad_ = true);
      if (in_items_ && depth_ == 1) {
        in_items_ = false;
        key_.clear();
        shell_ += ']';
        return true;
      }
      if (in_items_ && depth_ == 2) {
        item_ += c;
        return item_complete();
      }
      break;
    case ',':
      if (in_items_ && depth_ == 2) return true;  // between items
      break;
    default: break;
  }
  if (in_items_ && depth_ == 2) return true;  // white space between items
  out += c;
  return true;
}

bool ListSplitter::push(std::string_view chunk) {
  if (bad_) return false;
  for (size_t i = 0; i < chunk.size(); ++i) {
    // Fast path: inside an item everything up to the next character of meaning is copied at once.
    if (in_items_ && depth_ >= 3 && !escaped_) {
      const size_t end = end_of_run(chunk, i, in_string_);
      item_.append(chunk.substr(i, end - i));
      i = end;
      if (i == chunk.size()) break;
    }
    if (!take(chunk[i])) return false;
  }
  return true;
}

Result<Json> ListSplitter::finish() const {
  Json shell = bad_ || depth_ != 0 ? Json() : Json::parse(shell_, nullptr, false);
  if (!shell.is_object()) return fail(Code::kUnavailable, "the answer is no JSON list");
  return shell;
}

}  // namespace twinspan::kube
