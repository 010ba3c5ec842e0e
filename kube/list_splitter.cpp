#include "kube/list_splitter.hpp"

#include <array>
#include <nlohmann/json.hpp>

#include "kube/object_parser.hpp"

namespace twinspan::kube {
namespace {

// Outside of strings: what opens or closes something.
constexpr auto kMatters = [] {
  std::array<bool, 256> matters{};
  for (const unsigned char c : {'"', '{', '}', '[', ']'}) matters[c] = true;
  return matters;
}();

}  // namespace

bool ListSplitter::item_complete() {
  ++items_;
  if (known_)
    if (const auto head = head_of(item_); head && known_(*head)) {
      item_.clear();
      return true;
    }
  Json item = parse_object(item_);
  item_.clear();
  if (!item.is_object()) return !(bad_ = true);
  each_(std::move(item));
  return true;
}

// Depth counts open braces and brackets: 1 inside the list object, 2 inside its `items`, 3 inside an item.
bool ListSplitter::take(char c) {
  std::string& out = in_items_ && depth_ >= 2 ? item_ : shell_;
  if (in_string_) {
    if (!in_items_) out += c;
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

// Inside an item: where it ends in `text`, or the end of that. Nothing but brackets and strings matters there.
size_t ListSplitter::end_inside(std::string_view text) {
  const char *at = text.data(), *const end = at + text.size();
  while (at < end && depth_ > 2) {
    if (escaped_) {
      escaped_ = false;
      ++at;
      continue;
    }
    if (in_string_) {
      while (at < end && *at != '"' && *at != '\\') ++at;
      if (at == end) break;
      if (*at++ == '"')
        in_string_ = false;
      else
        escaped_ = true;
      continue;
    }
    while (at < end && !kMatters[static_cast<unsigned char>(*at)]) ++at;
    if (at == end) break;
    switch (*at++) {
      case '"': in_string_ = true; break;
      case '{':
      case '[': ++depth_; break;
      default: --depth_; break;
    }
  }
  return static_cast<size_t>(at - text.data());
}

bool ListSplitter::push(std::string_view chunk) {
  if (bad_) return false;
  while (!chunk.empty()) {
    size_t taken = 1;
    if (in_items_ && depth_ > 2) {
      taken = end_inside(chunk);
      item_.append(chunk.substr(0, taken));
      if (depth_ == 2 && !item_complete()) return false;
    } else if (!take(chunk.front())) {
      return false;
    }
    chunk.remove_prefix(taken);
  }
  return true;
}

Result<Json> ListSplitter::finish() const {
  Json shell = bad_ || depth_ != 0 ? Json() : Json::parse(shell_, nullptr, false);
  if (!shell.is_object()) return fail(Code::kUnavailable, "the answer is no JSON list");
  return shell;
}

}  // namespace twinspan::kube
