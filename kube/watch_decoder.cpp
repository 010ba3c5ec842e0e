#include "kube/watch_decoder.hpp"

#include <nlohmann/json.hpp>

#include "kube/api_error.hpp"
#include "kube/object_parser.hpp"

namespace twinspan::kube {

bool WatchDecoder::push(std::string_view chunk) {
  while (!chunk.empty()) {
    const size_t end = chunk.find('\n');
    if (end == chunk.npos) {
      begun_.append(chunk);
      return true;
    }
    bool more;
    if (begun_.empty()) {
      more = line(chunk.substr(0, end));
    } else {
      begun_.append(chunk.substr(0, end));
      more = line(begun_);
      begun_.clear();
      if (begun_.capacity() > 256 * 1024) begun_.shrink_to_fit();
    }
    if (!more) return false;
    chunk.remove_prefix(end + 1);
  }
  return true;
}

bool WatchDecoder::line(std::string_view text) {
  if (text.find_first_not_of(" \r\t") == text.npos) return true;
  if (known_)
    if (const auto head = head_of(text); head && (head->event == "ADDED" || head->event == "MODIFIED") && known_(*head))
      return true;
  Json event = parse_object(text);
  const auto type = event.is_object() ? event.find("type") : event.end();
  const auto object = event.is_object() ? event.find("object") : event.end();
  if (!event.is_object() || type == event.end() || !type->is_string() || object == event.end() ||
      !object->is_object()) {
    error_ = fail(Code::kUnavailable, "watch: a line that is no event").error();
    return false;
  }
  const std::string& name = type->get_ref<const std::string&>();
  if (name == "ERROR") {
    error_ = error_of_status(*object);
    return false;
  }
  Json value = std::move(*object);
  if (name == "ADDED") {
    each_(WatchType::kAdded, std::move(value));
  } else if (name == "MODIFIED") {
    each_(WatchType::kModified, std::move(value));
  } else if (name == "DELETED") {
    each_(WatchType::kDeleted, std::move(value));
  } else if (name == "BOOKMARK") {
    each_(WatchType::kBookmark, std::move(value));
  }
  return true;  // kinds of events that come later are passed over
}

}  // namespace twinspan::kube
