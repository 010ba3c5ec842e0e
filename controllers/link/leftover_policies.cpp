#include "controllers/link/leftover_policies.hpp"

#include <nlohmann/json.hpp>

#include "controllers/cluster/kinds.hpp"
#include "controllers/cluster/names.hpp"
#include "core/log.hpp"

namespace twinspan::controllers {
namespace {

void remove_in(kube::Client& client, const std::string& ns, const std::stop_token& stop) {
  kube::ListOptions options;
  options.label_selector = std::string(kLinkLabel);
  std::vector<std::pair<kube::Key, std::string>> found;
  const auto each = [&](Json&& object) {
    const Marks marks = marks_of(object);
    const Json& meta = object["metadata"];
    // A person's, or one that was handed over, stays.
    if (marks.managed && !marks.owner.empty() && marks.handed_to.empty())
      found.push_back({{text_of(meta, "namespace"), text_of(meta, "name")}, text_of(meta, "uid")});
  };
  const auto listed = client.list(kube::kNetworkPolicies, ns, options, each, stop);
  if (!listed && listed.error().code != Code::kDenied)
    log::warn("NetworkPolicies not looked for", {{"namespace", ns}, {"error", listed.error().message}});
  for (const auto& [key, uid] : found) {
    kube::DeleteOptions only;
    only.uid = uid;
    const auto removed = client.remove(kube::kNetworkPolicies, key, only, stop);
    if (removed || removed.error().code == Code::kNotFound)
      log::info("NetworkPolicy removed", {{"policy", key.str()}});
    else
      log::warn("NetworkPolicy not removed", {{"policy", key.str()}, {"error", removed.error().message}});
  }
}

}  // namespace

void remove_network_policies(kube::Client& client, const std::vector<std::string>& namespaces,
                             const std::stop_token& stop) {
  if (namespaces.empty()) return remove_in(client, "", stop);
  for (const std::string& ns : namespaces) remove_in(client, ns, stop);
}

}  // namespace twinspan::controllers
