#include "api/patterns.hpp"

#include "core/clock.hpp"

namespace twinspan::api {

namespace {

constexpr std::string_view kLower = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kUpper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
constexpr std::string_view kDigits = "0123456789";

bool is_in(char c, std::string_view set) { return set.find(c) != std::string_view::npos; }
bool is_lower(char c) { return is_in(c, kLower); }
bool is_digit(char c) { return is_in(c, kDigits); }
bool is_letter(char c) { return is_lower(c) || is_in(c, kUpper); }
bool is_alphanumeric(char c) { return is_lower(c) || is_digit(c); }

// Begins and ends with a lower-case letter or digit; in between the characters of `extra` may stand too.
bool is_name(std::string_view text, std::string_view extra) {
  return !text.empty() && is_alphanumeric(text.front()) && is_alphanumeric(text.back()) &&
         std::all_of(text.begin(), text.end(), [extra](char c) { return is_alphanumeric(c) || is_in(c, extra); });
}

}  // namespace

bool is_dns_label(std::string_view text) { return is_name(text, "-"); }
bool is_dns_label_or_empty(std::string_view text) { return text.empty() || is_dns_label(text); }
bool is_service_name(std::string_view text) { return is_dns_label(text) && is_lower(text.front()); }
bool is_object_name(std::string_view text) { return is_name(text, "-."); }

bool is_sql_name(std::string_view text) {
  return !text.empty() && !is_digit(text.front()) &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_alphanumeric(c) || c == '_'; });
}

bool is_word(std::string_view text) {
  const auto plain = [](char c) { return is_letter(c) || is_digit(c); };
  return !text.empty() && plain(text.front()) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return plain(c) || is_in(c, "-_.@"); });
}

bool is_variable_name(std::string_view text) {
  return !text.empty() && !is_digit(text.front()) &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_letter(c) || is_digit(c) || c == '_'; });
}

bool is_log_position(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return false;
  const auto hex = [](std::string_view part) {
    return !part.empty() && part.size() <= 8 &&
           std::all_of(part.begin(), part.end(), [](char c) { return is_digit(c) || is_in(c, "abcdefABCDEF"); });
  };
  return hex(text.substr(0, slash)) && hex(text.substr(slash + 1));
}

bool is_transaction_number(std::string_view text) {
  return !text.empty() && text.size() <= 19 && text.front() != '0' && std::all_of(text.begin(), text.end(), is_digit);
}

bool is_size(std::string_view text) {
  const auto digits = [&text] {
    size_t count = 0;
    for (; !text.empty() && is_digit(text.front()); ++count) text.remove_prefix(1);
    return count;
  };
  if (digits() == 0) return false;
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    if (digits() == 0) return false;
  }
  if (text.empty()) return true;
  if (text.size() == 1) return is_in(text[0], "kMGTPE");
  return text.size() == 2 && is_in(text[0], "KMGTPE") && text[1] == 'i';
}

bool is_origin(std::string_view text) {
  for (const std::string_view scheme : {"https://", "http://"}) {
    if (!text.starts_with(scheme)) continue;
    text.remove_prefix(scheme.size());
    return !text.empty() && std::all_of(text.begin(), text.end(),
                                        [](char c) { return is_letter(c) || is_digit(c) || is_in(c, ".:_[]-"); });
  }
  return false;
}

bool is_broker(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return false;
  std::string_view host = text.substr(0, colon);
  const std::string_view port = text.substr(colon + 1);
  if (port.empty() || port.size() > 5 || port.front() == '0' || !std::all_of(port.begin(), port.end(), is_digit))
    return false;
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    return !host.empty() && std::all_of(host.begin(), host.end(), [](char c) {
      return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || c == ':' || c == '.';
    });
  }
  return !host.empty() && (is_letter(host.front()) || is_digit(host.front())) && is_topic_part(host);
}

bool is_topic_part(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return is_letter(c) || is_digit(c) || is_in(c, "._-"); });
}

bool is_reason(std::string_view text) {
  const auto inner = [](char c) { return is_letter(c) || is_digit(c) || c == '_'; };
  return !text.empty() && is_letter(text.front()) && inner(text.back()) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return inner(c) || c == ',' || c == ':'; });
}

bool is_date_time(std::string_view text) { return parse_rfc3339(text).has_value(); }

}  // namespace twinspan::api
