#include "sandbox/runtime/launch.hpp"

#include <fmt/format.h>
#include <fnmatch.h>
#include <unistd.h>

namespace twinspan::sandbox {
namespace {

using Variables = std::map<std::string, std::string>;

bool is_separator(char c) { return std::string_view("=:,\"' ").find(c) != std::string_view::npos; }

// Where `command` alone names a program, it is looked for beside the image's own, as several of ours are in one image,
// and where a shell would.
std::string on_path(const std::string& command, const std::string& own) {
  if (command.find('/') != std::string::npos) return command;
  for (const std::string& folder : {std::filesystem::path(own).parent_path().string(), std::string("/usr/local/bin"),
                                    std::string("/usr/bin"), std::string("/bin"), std::string("/usr/sbin")})
    if (const std::string path = fmt::format("{}/{}", folder, command); access(path.c_str(), X_OK) == 0) return path;
  return command;
}

Result<std::string> value_of(const Json& variable, const Json& pod, const PodPlace& place, const KeyLookup& lookup,
                             const Variables& known) {
  const Json from = variable.value("valueFrom", Json::object());
  if (from.contains("fieldRef")) return field_value(pod, place, from["fieldRef"].value("fieldPath", ""));
  for (const auto& [field, kind] : {std::pair{"secretKeyRef", "Secret"}, std::pair{"configMapKeyRef", "ConfigMap"}})
    if (from.contains(field)) {
      const Json& reference = from[field];
      auto found = lookup(kind, reference.value("name", ""), reference.value("key", ""));
      if (!found && reference.value("optional", false)) return std::string();
      return found;
    }
  if (from.contains("resourceFieldRef")) return std::string("0");
  return expand_variables(variable.value("value", ""), known);
}

}  // namespace

Result<std::string> program_of(const std::string& image, const std::vector<ImageProgram>& images) {
  constexpr std::string_view kExec = "exec:";
  if (image.starts_with(kExec)) return image.substr(kExec.size());
  for (const ImageProgram& candidate : images)
    if (fnmatch(candidate.pattern.c_str(), image.c_str(), 0) == 0) return candidate.program;
  return fail(Code::kNotFound,
              fmt::format("image {}: the sandbox runs programs of this machine, and none stands for it", image));
}

std::string expand_variables(std::string_view text, const Variables& variables) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    if (text[at] != '$' || at + 1 == text.size()) {
      out += text[at++];
      continue;
    }
    if (text[at + 1] == '$') {
      out += '$';
      at += 2;
      continue;
    }
    const size_t end = text[at + 1] == '(' ? text.find(')', at) : std::string_view::npos;
    if (end == std::string_view::npos) {
      out += text[at++];
      continue;
    }
    const auto found = variables.find(std::string(text.substr(at + 2, end - at - 2)));
    out += found == variables.end() ? std::string(text.substr(at, end - at + 1)) : found->second;
    at = end + 1;
  }
  return out;
}

std::string rewrite_paths(std::string_view text, const std::vector<Mount>& mounts) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const Mount* best = nullptr;
    if (text[at] == '/' && (at == 0 || is_separator(text[at - 1])))
      for (const Mount& mount : mounts) {
        const std::string& path = mount.container_path;
        if (!text.substr(at).starts_with(path)) continue;
        const size_t end = at + path.size();
        if (end < text.size() && text[end] != '/' && !is_separator(text[end])) continue;
        if (best == nullptr || path.size() > best->container_path.size()) best = &mount;
      }
    if (best == nullptr) {
      out += text[at++];
    } else {
      out += best->host_path.string();
      at += best->container_path.size();
    }
  }
  return out;
}

Result<std::string> field_value(const Json& pod, const PodPlace& place, const std::string& field_path) {
  const Json& metadata = pod.at("metadata");
  for (const std::string_view field : {"name", "namespace", "uid"})
    if (field_path == fmt::format("metadata.{}", field)) return metadata.value(field, "");
  for (const std::string_view map : {"labels", "annotations"}) {
    const std::string prefix = fmt::format("metadata.{}['", map);
    if (field_path.starts_with(prefix) && field_path.ends_with("']"))
      return metadata.value(map, Json::object())
          .value(field_path.substr(prefix.size(), field_path.size() - prefix.size() - 2), "");
  }
  if (field_path == "spec.nodeName") return place.node;
  if (field_path == "spec.serviceAccountName") return pod.at("spec").value("serviceAccountName", "default");
  if (field_path == "status.podIP" || field_path == "status.podIPs") return place.pod_ip;
  if (field_path == "status.hostIP") return place.host_ip;
  return fail(Code::kInvalid, fmt::format("fieldPath {}: not known to the sandbox", field_path));
}

Result<Launch> plan_launch(const Json& pod, const Json& container, const std::vector<Mount>& mounts,
                           const std::vector<ImageProgram>& images, const PodPlace& place, const KeyLookup& lookup) {
  const std::string image = container.value("image", "");
  auto program = program_of(image, images);
  if (!program) return std::unexpected(program.error());

  Launch launch;
  Variables declared;  // as the manifest says them, for expansion; the process sees them rewritten
  for (const Json& variable : container.value("env", Json::array())) {
    auto value = value_of(variable, pod, place, lookup, declared);
    if (!value) return std::unexpected(value.error());
    declared[variable.value("name", "")] = *value;
  }
  launch.env = {{"PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"},
                {"HOSTNAME", pod.at("metadata").value("name", "")},
                {"LANG", "C.UTF-8"}};
  for (const auto& [name, value] : declared) launch.env[name] = rewrite_paths(value, mounts);

  std::vector<std::string> arguments;
  for (const char* field : {"command", "args"})
    for (const Json& argument : container.value(field, Json::array()))
      arguments.push_back(rewrite_paths(expand_variables(argument.get<std::string>(), declared), mounts));
  launch.program = *program;
  if (container.value("command", Json::array()).empty()) {
    arguments.insert(arguments.begin(), *program);
  } else if (std::filesystem::path(arguments.front()).filename() != std::filesystem::path(*program).filename()) {
    launch.program = on_path(arguments.front(), *program);  // another program than the image's own
  }
  launch.argv = std::move(arguments);
  return launch;
}

}  // namespace twinspan::sandbox
