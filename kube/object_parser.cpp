#include "kube/object_parser.hpp"

#include <array>
#include <charconv>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "kube/object.hpp"

namespace twinspan::kube {
namespace {

constexpr std::string_view kMetadata = "metadata", kObject = "object", kUnread = "managedFields";
constexpr int kDeepest = 1000;  // the parser recurses; nothing the API server stores nests a tenth as deep

// What a value is, as far as it matters to what is read of it.
enum class Part { kOutermost, kEventObject, kMeta, kOther };

// Characters that end a run of plain ones inside a string: the quote, a backslash, what JSON forbids, and what UTF-8
// makes of more than one byte.
constexpr auto kPlain = [] {
  std::array<bool, 256> plain{};
  for (int c = 0x20; c < 0x80; ++c) plain[static_cast<size_t>(c)] = c != '"' && c != '\\';
  return plain;
}();
bool is_plain(char c) { return kPlain[static_cast<unsigned char>(c)]; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

// The bytes of the UTF-8 character at `at` (RFC 3629: nothing overlong, no surrogates); 0: it is none.
size_t utf8_length(const char* at, const char* end) {
  const auto byte = [&](size_t i) { return at + i < end ? static_cast<unsigned char>(at[i]) : 0u; };
  const unsigned first = byte(0), second = byte(1);
  const auto follows = [&](size_t i) { return (byte(i) & 0xc0) == 0x80; };
  if (first >= 0xc2 && first <= 0xdf) return follows(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const bool fits = second >= (first == 0xe0 ? 0xa0u : 0x80u) && second <= (first == 0xed ? 0x9fu : 0xbfu);
    return fits && follows(2) ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool fits = second >= (first == 0xf0 ? 0x90u : 0x80u) && second <= (first == 0xf4 ? 0x8fu : 0xbfu);
    return fits && follows(2) && follows(3) ? 4 : 0;
  }
  return 0;
}

void append_utf8(std::string& out, unsigned point) {
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xc0 | point >> 6);
    out += static_cast<char>(0x80 | (point & 0x3f));
  } else if (point < 0x10000) {
    out += static_cast<char>(0xe0 | point >> 12);
    out += static_cast<char>(0x80 | (point >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (point & 0x3f));
  } else {
    out += static_cast<char>(0xf0 | point >> 18);
    out += static_cast<char>(0x80 | (point >> 12 & 0x3f));
    out += static_cast<char>(0x80 | (point >> 6 & 0x3f));
    out += static_cast<char>(0x80 | (point & 0x3f));
  }
}

// Where the parser stands in the text. Every step returns false where the text is no JSON.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : at_(text.data()), end_(text.data() + text.size()) {}

  bool at_end() {
    skip_space();
    return at_ == end_;
  }
  // The next character of meaning; 0 at the end.
  char peek() {
    skip_space();
    return at_ < end_ ? *at_ : '\0';
  }
  bool take(char c) {
    if (peek() != c || at_ == end_) return false;
    ++at_;
    return true;
  }
  bool word(std::string_view wanted) {
    if (static_cast<size_t>(end_ - at_) < wanted.size() || std::string_view(at_, wanted.size()) != wanted) return false;
    at_ += wanted.size();
    return true;
  }

  // Of a string that needs no decoding: the characters themselves; otherwise they are decoded into `scratch`.
  bool string(std::string_view& out, std::string& scratch) {
    if (!take('"')) return false;
    const char* begin = at_;
    if (!run()) return false;
    if (*at_ == '"') {
      out = {begin, static_cast<size_t>(at_ - begin)};
      ++at_;
      return true;
    }
    scratch.assign(begin, at_);
    while (*at_ != '"') {
      ++at_;
      if (!escape(scratch)) return false;
      begin = at_;
      if (!run()) return false;
      scratch.append(begin, at_);
    }
    ++at_;
    out = scratch;
    return true;
  }

  bool number(Json& out) {
    const char* const begin = at_;
    const bool negative = at_ < end_ && *at_ == '-';
    if (negative) ++at_;
    if (at_ == end_ || !is_digit(*at_)) return false;
    if (*at_++ != '0') digits();
    bool whole = true;
    if (at_ < end_ && *at_ == '.') {
      whole = false;
      ++at_;
      if (!digits()) return false;
    }
    if (at_ < end_ && (*at_ == 'e' || *at_ == 'E')) {
      whole = false;
      ++at_;
      if (at_ < end_ && (*at_ == '+' || *at_ == '-')) ++at_;
      if (!digits()) return false;
    }
    const auto read = [&](auto value) {
      if (std::from_chars(begin, at_, value).ec != std::errc()) return false;
      out = value;
      return true;
    };
    if (whole && (negative ? read(int64_t{}) : read(uint64_t{}))) return true;
    return read(double{});
  }

  // Passes over an object, an array or a string by its brackets and quotes alone.
  bool skip_value() {
    const char first = peek();
    if (first == '"') return skip_string();
    if (first != '{' && first != '[') {
      while (at_ < end_ && *at_ != ',' && *at_ != '}' && *at_ != ']') ++at_;
      return at_ < end_;
    }
    size_t depth = 0;
    while (at_ < end_) {
      const char c = *at_;
      if (c == '"') {
        if (!skip_string()) return false;
        continue;
      }
      ++at_;
      if (c == '{' || c == '[') ++depth;
      if ((c == '}' || c == ']') && --depth == 0) return true;
    }
    return false;
  }

 private:
  void skip_space() {
    while (at_ < end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }
  bool digits() {
    const char* const begin = at_;
    while (at_ < end_ && is_digit(*at_)) ++at_;
    return at_ > begin;
  }
  // Up to the quote or backslash that ends a run of characters which stand for themselves.
  bool run() {
    while (at_ < end_) {
      if (is_plain(*at_)) {
        ++at_;
      } else if (*at_ == '"' || *at_ == '\\') {
        return true;
      } else if (const size_t length = utf8_length(at_, end_); length > 0) {
        at_ += length;
      } else {
        return false;
      }
    }
    return false;
  }
  bool skip_string() {
    const char* at = at_ + 1;
    while (at < end_ && *at != '"') at += *at == '\\' ? 2 : 1;
    at_ = at < end_ ? at + 1 : end_;
    return at < end_;
  }
  bool hexadecimal(unsigned& out) {
    if (end_ - at_ < 4) return false;
    const auto [end, error] = std::from_chars(at_, at_ + 4, out, 16);
    at_ += 4;
    return error == std::errc() && end == at_;
  }
  bool escape(std::string& out) {  // behind the backslash
    if (at_ == end_) return false;
    switch (*at_++) {
      case '"': out += '"'; return true;
      case '\\': out += '\\'; return true;
      case '/': out += '/'; return true;
      case 'b': out += '\b'; return true;
      case 'f': out += '\f'; return true;
      case 'n': out += '\n'; return true;
      case 'r': out += '\r'; return true;
      case 't': out += '\t'; return true;
      case 'u': break;
      default: return false;
    }
    unsigned point = 0, low = 0;
    if (!hexadecimal(point)) return false;
    if (point >= 0xdc00 && point <= 0xdfff) return false;
    if (point >= 0xd800 && point <= 0xdbff) {  // the first of a pair
      if (!word("\\u") || !hexadecimal(low) || low < 0xdc00 || low > 0xdfff) return false;
      point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
    }
    append_utf8(out, point);
    return true;
  }

  const char* at_;
  const char* const end_;
};

// The library's own parser looks at every character several times and can't pass over a part: three quarters of what an
// object cost.
class Builder {
 public:
  explicit Builder(std::string_view text) : text_(text) {}

  bool whole(Json& out) { return value(out, Part::kOutermost, 0) && text_.at_end(); }

 private:
  bool value(Json& out, Part part, int depth) {
    if (depth > kDeepest) return false;
    switch (text_.peek()) {
      case '{': return object(out, part, depth);
      case '[': return array(out, depth);
      case '"': {
        std::string_view text;
        if (!text_.string(text, scratch_)) return false;
        out = Json::string_t(text);
        return true;
      }
      case 't': out = true; return text_.word("true");
      case 'f': out = false; return text_.word("false");
      case 'n': out = nullptr; return text_.word("null");
      default: return text_.number(out);
    }
  }

  bool object(Json& out, Part part, int depth) {
    out = Json::object();
    auto& members = out.get_ref<Json::object_t&>();
    text_.take('{');
    if (text_.take('}')) return true;
    do {
      std::string_view key;
      if (!text_.string(key, scratch_)) return false;
      const Part inner = part_of(key, part);
      const bool unread = part == Part::kMeta && key == kUnread;
      if (unread) {
        if (!text_.take(':') || !text_.skip_value()) return false;
        continue;
      }
      // The API server writes members in the order of their names.
      Json& member = members.emplace_hint(members.end(), Json::string_t(key), nullptr)->second;
      if (!text_.take(':') || !value(member, inner, depth + 1)) return false;
    } while (text_.take(','));
    return text_.take('}');
  }

  static Part part_of(std::string_view key, Part of) {
    if (of == Part::kOutermost && key == kObject) return Part::kEventObject;
    if ((of == Part::kOutermost || of == Part::kEventObject) && key == kMetadata) return Part::kMeta;
    return Part::kOther;
  }

  bool array(Json& out, int depth) {
    out = Json::array();
    auto& items = out.get_ref<Json::array_t&>();
    text_.take('[');
    if (text_.take(']')) return true;
    do {
      if (!value(items.emplace_back(), Part::kOther, depth + 1)) return false;
    } while (text_.take(','));
    return text_.take(']');
  }

  Cursor text_;
  std::string scratch_;
};

// Reads what identifies an object and its version, and passes over all else.
class HeadReader {
 public:
  explicit HeadReader(std::string_view text) : text_(text) {}

  // The members of `part`; those of metadata and of the object in an event likewise.
  bool read(Part part, ObjectHead& out) {
    if (!text_.take('{')) return false;
    if (text_.take('}')) return true;
    do {
      std::string_view key;
      if (!text_.string(key, scratch_) || !text_.take(':')) return false;
      if (!member(part, key, out)) return false;
    } while (text_.take(','));
    return text_.take('}');
  }

 private:
  bool member(Part part, std::string_view key, ObjectHead& out) {
    if (part == Part::kOutermost && key == kObject) return read(Part::kEventObject, out);
    if (part != Part::kMeta && key == kMetadata) return read(Part::kMeta, out);
    std::string* const wanted = part == Part::kOutermost && key == "type"         ? &out.event
                                : part == Part::kMeta && key == "name"            ? &out.key.name
                                : part == Part::kMeta && key == "namespace"       ? &out.key.ns
                                : part == Part::kMeta && key == "resourceVersion" ? &out.version
                                                                                  : nullptr;
    if (!wanted) return text_.skip_value();
    std::string_view text;
    if (!text_.string(text, scratch_)) return false;
    *wanted = text;
    return true;
  }

  Cursor text_;
  std::string scratch_;
};

}  // namespace

Json parse_object(std::string_view text) {
  Json out;
  if (!Builder(text).whole(out)) return Json(Json::value_t::discarded);
  return out;
}

std::optional<ObjectHead> head_of(std::string_view text) {
  ObjectHead head;
  if (!HeadReader(text).read(Part::kOutermost, head) || head.key.name.empty()) return std::nullopt;
  return head;
}

}  // namespace twinspan::kube
