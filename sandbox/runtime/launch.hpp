// From a container of a pod's spec to a process of this machine: program, arguments, environment. Pure.
#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "core/json.hpp"
#include "core/result.hpp"
#include "sandbox/runtime/container.hpp"

namespace twinspan::sandbox {

struct Mount {
  std::string container_path;
  std::filesystem::path host_path;
};

// Which program of this machine stands for an image. The first pattern (fnmatch(3)) that matches the image counts;
// an image `exec:/path` always is that program.
struct ImageProgram {
  std::string pattern;
  std::string program;
};
Result<std::string> program_of(const std::string& image, const std::vector<ImageProgram>& images);

struct PodPlace {
  std::string pod_ip, host_ip, node;
};

// Value of a key of a "Secret" or "ConfigMap" in the pod's namespace.
using KeyLookup =
    std::function<Result<std::string>(std::string_view kind, const std::string& name, const std::string& key)>;

// `$(NAME)` becomes the variable's value, `$$(NAME)` becomes `$(NAME)`, an unknown name stays (Kubernetes API:
// EnvVar.value).
std::string expand_variables(std::string_view text, const std::map<std::string, std::string>& variables);
// Every mount path in `text` becomes the host's folder: where nothing but a separator (start, one of `= : , " '` or a
// space) stands before and an end, a slash or a separator after it. The longest mount path counts; what was replaced is
// not looked at again.
std::string rewrite_paths(std::string_view text, const std::vector<Mount>& mounts);
// Downward API: metadata.name, .namespace, .uid, .labels['k'], .annotations['k'], spec.nodeName,
// spec.serviceAccountName, status.podIP, status.hostIP.
Result<std::string> field_value(const Json& pod, const PodPlace& place, const std::string& field_path);

// Work folder, log file and account are the caller's to add.
Result<Launch> plan_launch(const Json& pod, const Json& container, const std::vector<Mount>& mounts,
                           const std::vector<ImageProgram>& images, const PodPlace& place, const KeyLookup& lookup);

}  // namespace twinspan::sandbox
