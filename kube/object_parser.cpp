#include "kube/object_parser.hpp"

#include <array>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace twinspan::kube {
namespace {

constexpr std::string_view kMetadata = "metadata", kEventObject = "object", kUnread = "managedFields";

// Called by nlohmann's parser with one token after the other; false would end it. Its own builder of values can't pass
// over a part.
class Builder {
 public:
  bool null() { return put(nullptr); }
  bool boolean(bool value) { return put(value); }
  bool number_integer(Json::number_integer_t value) { return put(value); }
  bool number_unsigned(Json::number_unsigned_t value) { return put(value); }
  bool number_float(Json::number_float_t value, const std::string&) { return put(value); }
  bool string(std::string& value) { return put(std::move(value)); }
  bool binary(Json::binary_t&) { return false; }  // JSON has none
  bool start_object(size_t) { return open(Json::value_t::object); }
  bool start_array(size_t) { return open(Json::value_t::array); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(std::string& name) {
    if (unread_depth_ > 0) return true;
    Frame& frame = open_.back();
    if (frame.is_metadata && name == kUnread) {
      unread_ = true;
      return true;
    }
    frame.key_is_metadata = name == kMetadata;
    frame.key_is_event_object = open_.size() == 1 && name == kEventObject;
    member_ = &(*frame.value)[std::move(name)];
    return true;
  }
  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception&) { return false; }

  Json take() { return std::move(root_); }

 private:
  struct Frame {
    Json* value;
    bool holds_metadata;  // the object, not something inside it
    bool is_metadata;
    bool key_is_metadata = false, key_is_event_object = false;  // of the last key
  };

  template <class Value>
  bool put(Value&& value) {
    if (!passed_over()) place(std::forward<Value>(value));
    return true;
  }

  bool open(Json::value_t type) {
    if (unread_ || unread_depth_ > 0) {
      unread_ = false;
      ++unread_depth_;
      return true;
    }
    const bool outermost = open_.empty();
    const bool holds = type == Json::value_t::object && (outermost || open_.back().key_is_event_object);
    const bool metadata = !outermost && open_.back().holds_metadata && open_.back().key_is_metadata;
    Json* value = place(Json(type));
    open_.push_back({value, holds, metadata});
    return true;
  }

  bool close() {
    if (unread_depth_ > 0)
      --unread_depth_;
    else
      open_.pop_back();
    return true;
  }

  // A scalar inside of what is not read.
  bool passed_over() { return unread_depth_ > 0 || std::exchange(unread_, false); }

  template <class Value>
  Json* place(Value&& value) {
    if (open_.empty()) {
      root_ = std::forward<Value>(value);
      return &root_;
    }
    Json& parent = *open_.back().value;
    if (parent.is_array()) {
      parent.push_back(std::forward<Value>(value));
      return &parent.back();
    }
    *member_ = std::forward<Value>(value);
    return member_;
  }

  Json root_;
  std::vector<Frame> open_;
  Json* member_ = nullptr;  // the value of the last key
  bool unread_ = false;     // the next value is not read
  size_t unread_depth_ = 0;
};

// The end of the string that begins at `at`, behind its quote; text.size() where it has none.
size_t behind_string(std::string_view text, size_t at) {
  for (++at; at < text.size(); ++at) {
    if (text[at] == '"') return at + 1;
    if (text[at] == '\\') ++at;
  }
  return text.size();
}

// The end of the object or array that begins at `at`.
size_t behind_value(std::string_view text, size_t at) {
  size_t depth = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"') {
      at = behind_string(text, at);
      continue;
    }
    ++at;
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && --depth == 0) return at;
  }
  return text.size();
}

// Whether the key that begins at `at` is one of metadata of the outermost object, or of the object in a watch event.
bool is_in_metadata(std::string_view text, size_t at) {
  struct Opened {
    std::string_view key;
    char bracket = 0;
  };
  std::array<Opened, 3> opened;
  size_t depth = 0, i = 0;
  std::string_view last;
  while (i < at) {
    const char c = text[i];
    if (c == '"') {
      const size_t end = behind_string(text, i);
      last = text.substr(i, end - i);
      i = end;
      continue;
    }
    ++i;
    if (c == '{' || c == '[') {
      if (depth < opened.size()) opened[depth] = {last, c};
      ++depth;
    } else if (c == '}' || c == ']') {
      if (depth-- == 0) return false;
    }
  }
  if (i != at || (depth != 2 && depth != 3)) return false;
  for (size_t level = 0; level < depth; ++level)
    if (opened[level].bracket != '{') return false;
  return opened[depth - 1].key == "\"metadata\"" && (depth == 2 || opened[1].key == "\"object\"");
}

// Cuts what the builder would pass over, before it is taken apart character by character: as the API server writes
// it, compact. Any other way of writing it is left to the builder.
std::optional<std::string> without_unread(std::string_view text) {
  constexpr std::string_view kBegin = "\"managedFields\":[";
  const void* const found = memmem(text.data(), text.size(), kBegin.data(), kBegin.size());
  if (!found) return std::nullopt;
  size_t begin = static_cast<size_t>(static_cast<const char*>(found) - text.data());
  if (!is_in_metadata(text, begin)) return std::nullopt;
  size_t end = behind_value(text, begin + kBegin.size() - 1);
  if (end < text.size() && text[end] == ',')
    ++end;
  else if (begin > 0 && text[begin - 1] == ',')
    --begin;
  std::string out;
  out.reserve(text.size() - (end - begin));
  return out.append(text.substr(0, begin)).append(text.substr(end));
}

}  // namespace

Json parse_object(std::string_view text) {
  const std::optional<std::string> shortened = without_unread(text);
  Builder builder;
  if (!Json::sax_parse(shortened ? std::string_view(*shortened) : text, &builder))
    return Json(Json::value_t::discarded);
  return builder.take();
}

}  // namespace twinspan::kube
