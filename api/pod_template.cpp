#include "api/pod_template.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "api/labels.hpp"

namespace twinspan::api {
namespace {

Json value_of(const std::map<std::string, std::string>& map, const std::string& key) {
  const auto found = map.find(key);
  return found == map.end() ? Json() : Json(found->second);
}

Json variable(const PodTemplate& added, const std::string& name) {
  for (const EnvVariable& one : added.env)
    if (one.name == name) return one.value;
  return nullptr;
}

}  // namespace

bool is_reserved_variable(std::string_view name) {
  constexpr std::array<std::string_view, 4> kPrefixes{"TWINSPAN_", "PG", "LD_", "KUBERNETES_"};
  // The downward API's (pod_parts.hpp), what the agent sets for PostgreSQL and its programs, and where those look for
  // programs and files of their user.
  constexpr std::array<std::string_view, 8> kNames{"POD_NAME", "POD_UID", "POD_IP", "KUBECONFIG",
                                                   "LC_ALL",   "TZ",      "PATH",   "HOME"};
  return std::any_of(kPrefixes.begin(), kPrefixes.end(), [&](auto prefix) { return name.starts_with(prefix); }) ||
         std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

void check_pod_template(const PodTemplate& added, const PodTemplateField& field, std::vector<FieldError>& errors) {
  const auto place = [&](auto part) { return field(part) + ".podTemplate"; };
  check_added_labels(
      added.labels,
      [&](const std::string& key) {
        return place([&](const PodTemplate& one) { return value_of(one.labels, key); }) + ".labels";
      },
      errors);
  check_added_annotations(
      added.annotations,
      [&](const std::string& key) {
        return place([&](const PodTemplate& one) {
                 return key.empty() ? Json(one.annotations) : value_of(one.annotations, key);
               }) +
               ".annotations";
      },
      errors);
  if (added.priority_class_name && !is_dns_subdomain(*added.priority_class_name))
    errors.push_back({place([](const PodTemplate& one) { return Json(one.priority_class_name.value_or("")); }) +
                          ".priorityClassName",
                      "is \"" + *added.priority_class_name + "\", must be the name of a PriorityClass"});
  for (const EnvVariable& one : added.env) {
    const auto at = [&] {
      return place([&](const PodTemplate& other) { return variable(other, one.name); }) + ".env[" + one.name + "]";
    };
    if (is_reserved_variable(one.name))
      errors.push_back({at(), "the agent or PostgreSQL acts upon this variable: it can't be set, leave it out"});
    if (one.value.find('\0') != std::string::npos) errors.push_back({at(), "holds a byte 0, which no variable can"});
  }
}

}  // namespace twinspan::api
