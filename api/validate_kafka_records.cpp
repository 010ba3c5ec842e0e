#include "api/kafka_topics.hpp"
#include "api/validate_kafka.hpp"
#include "core/clock.hpp"

namespace twinspan::api {
namespace {

using Errors = std::vector<FieldError>;

constexpr size_t kPatternMost = 1024;
constexpr std::string_view kReserved = "twinspan-";
// What is put in the place of ${NAME} (engines/kafka/rules.hpp).
constexpr std::string_view kVariables[] = {"now", "source", "topic", "partition", "offset"};

std::string at(const std::string& list, size_t index) { return list + "[" + std::to_string(index) + "]"; }
std::string in(const std::string& map, const std::string& key) { return map + "[" + key + "]"; }

void check_filter(const KafkaFilter& filter, Errors& errors) {
  const std::string field = "spec.kafka.filter";
  check_patterns(filter.include_patterns, field + ".includePatterns", errors);
  check_patterns(filter.exclude_patterns, field + ".excludePatterns", errors);
  if (filter.headers.contains("")) errors.push_back({field + ".headers", "has a header without a name, leave it out"});
  if (!filter.min_timestamp) return;
  if (const auto time = parse_rfc3339(*filter.min_timestamp); !time)
    errors.push_back({field + ".minTimestamp",
                      "is \"" + *filter.min_timestamp + "\", must be a date and time such as 2026-01-31T12:00:00Z"});
}

void check_name(const std::string& name, const std::string& field, Errors& errors) {
  if (name.empty())
    errors.push_back({field, "is a header without a name, leave it out"});
  else if (name.starts_with(kReserved))
    errors.push_back({field, "\"" + name + "\" begins with twinspan-: such headers are Twinspan's own"});
}

// What is wrong with the variables of a value; empty: nothing.
std::string variable_trouble(const std::string& value) {
  for (size_t begin = value.find("${"); begin != std::string::npos; begin = value.find("${", begin + 2)) {
    const size_t end = value.find('}', begin);
    if (end == std::string::npos) return "\"${\" has no \"}\" behind it";
    const std::string name = value.substr(begin + 2, end - begin - 2);
    if (std::find(std::begin(kVariables), std::end(kVariables), name) == std::end(kVariables))
      return "${" + name + "} means nothing: ${now}, ${source}, ${topic}, ${partition} and ${offset} do";
  }
  return "";
}

void check_transform(const KafkaTransform& transform, Errors& errors) {
  const std::string field = "spec.kafka.transform";
  for (const auto& [name, value] : transform.add_headers) {
    check_name(name, in(field + ".addHeaders", name), errors);
    if (const std::string trouble = variable_trouble(value); !trouble.empty())
      errors.push_back({in(field + ".addHeaders", name), "is \"" + value + "\": " + trouble});
  }
  for (size_t i = 0; i < transform.remove_headers.size(); ++i) {
    const std::string& name = transform.remove_headers[i];
    check_name(name, at(field + ".removeHeaders", i), errors);
    if (transform.add_headers.contains(name))
      errors.push_back(
          {at(field + ".removeHeaders", i),
           "\"" + name + "\" is added by addHeaders, which replaces it anyway: name it in one of the two"});
    if (transform.map_headers.contains(name))
      errors.push_back({at(field + ".removeHeaders", i),
                        "\"" + name + "\" is mapped by mapHeaders, for nothing: name it in one of the two"});
  }
  for (const auto& [name, values] : transform.map_headers) check_name(name, in(field + ".mapHeaders", name), errors);
}

}  // namespace

void check_patterns(const std::vector<std::string>& patterns, const std::string& field,
                    std::vector<FieldError>& errors) {
  for (size_t i = 0; i < patterns.size(); ++i) {
    if (patterns[i].empty())
      errors.push_back({at(field, i), "is empty, must be a pattern, or a name"});
    else if (patterns[i].size() > kPatternMost)
      errors.push_back({at(field, i), "has " + std::to_string(patterns[i].size()) + " characters, " +
                                          std::to_string(kPatternMost) + " are allowed"});
    else if (const std::string trouble = pattern_trouble(patterns[i]); !trouble.empty())
      errors.push_back({at(field, i), "is \"" + patterns[i] + "\", must be a pattern (RE2): " + trouble});
  }
}

void check_kafka_records(const KafkaSettings& settings, Errors& errors) {
  if (settings.filter) check_filter(*settings.filter, errors);
  if (settings.transform) check_transform(*settings.transform, errors);
}

}  // namespace twinspan::api
