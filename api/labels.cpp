#include "api/labels.hpp"

#include <algorithm>

#include "api/patterns.hpp"
#include "core/text.hpp"

namespace twinspan::api {
namespace {

using Map = std::map<std::string, std::string>;
using Errors = std::vector<FieldError>;

constexpr size_t kNameMost = 63, kSubdomainMost = 253;
// The API server takes 256 KiB of all annotations together; ours and others' are among them.
constexpr size_t kAnnotationsBytesMost = 192 << 10;

// Letters, digits, '-', '_' and '.', the first and the last one a letter or a digit.
bool is_name(std::string_view text) {
  const auto plain = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); };
  return !text.empty() && text.size() <= kNameMost && plain(text.front()) && plain(text.back()) &&
         std::all_of(text.begin(), text.end(), [&](char c) { return plain(c) || c == '-' || c == '_' || c == '.'; });
}

std::string place(const MapField& field, const std::string& key) { return field(key) + "[" + key + "]"; }

void refuse_ours(const Map& added, std::string_view prefix, const MapField& field, Errors& errors) {
  for (const auto& [key, value] : added)
    if (key.starts_with(prefix))
      errors.push_back(
          {place(field, key), "keys below " + std::string(prefix) + " belong to Twinspan, choose another"});
}

}  // namespace

bool is_dns_subdomain(std::string_view text) {
  if (text.size() > kSubdomainMost) return false;
  for (size_t dot = 0; dot != std::string_view::npos;) {
    dot = text.find('.');
    if (!is_dns_label(text.substr(0, dot))) return false;
    if (dot != std::string_view::npos) text.remove_prefix(dot + 1);
  }
  return true;
}

bool is_qualified_name(std::string_view text) {
  const size_t slash = text.find('/');
  if (slash == std::string_view::npos) return is_name(text);
  return is_dns_subdomain(text.substr(0, slash)) && is_name(text.substr(slash + 1));
}

bool is_label_value(std::string_view text) { return text.empty() || is_name(text); }

void check_added_labels(const Map& labels, const MapField& field, Errors& errors) {
  for (const char* prefix : {"twinspan.dev/", "app.kubernetes.io/"}) refuse_ours(labels, prefix, field, errors);
  for (const auto& [key, value] : labels) {
    const std::string at = place(field, key);
    if (!is_qualified_name(key)) errors.push_back({at, "the key must be " + std::string(kQualifiedName)});
    if (!is_label_value(value)) errors.push_back({at, "is \"" + value + "\", must be " + std::string(kLabelValue)});
  }
}

void check_added_annotations(const Map& annotations, const MapField& field, Errors& errors) {
  refuse_ours(annotations, "twinspan.dev/", field, errors);
  size_t bytes = 0;
  for (const auto& [key, value] : annotations) {
    bytes += key.size() + value.size();
    // Their prefix may be written in capitals.
    if (!is_qualified_name(to_lower(key)))
      errors.push_back({place(field, key), "the key must be one such as team or example.com/team"});
  }
  if (bytes > kAnnotationsBytesMost)
    errors.push_back({field(""), "are " + std::to_string(bytes) + " bytes together, must be at most " +
                                     std::to_string(kAnnotationsBytesMost)});
}

}  // namespace twinspan::api
