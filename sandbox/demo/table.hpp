// Tables as `kubectl get` shows them, from the API server's own Table answers.
#pragma once
#include <string>

#include "core/json.hpp"
#include "core/result.hpp"
#include "kube/config.hpp"
#include "kube/resource.hpp"
#include "sandbox/demo/cluster.hpp"
#include "sandbox/demo/progress.hpp"

namespace twinspan::sandbox {

// A meta.k8s.io/v1 Table as text: columns of priority 0, three spaces between. Pure.
std::string render_table(const Json& table);
Result<std::string> get_table(const kube::Config& api, const kube::Resource& resource, const std::string& ns);
// Behind the command that shows it.
void print_table(DemoCluster& cluster, Progress& progress, const kube::Resource& resource, const std::string& ns);

}  // namespace twinspan::sandbox
