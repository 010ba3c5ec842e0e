#include "controllers/link/leftover_policies.hpp"

#include <nlohmann/json.hpp>

#include "controllers/cluster/kinds.hpp"
#include "controllers/cluster/names.hpp"
#include "core/log.hpp"

namespace twinspan::controllers {
namespace {

bool remove_in(kube::Client& client, const std::string& ns, const std::stop_token& stop) {
  kube::ListOptions options;
  options.label_selector = std::string(kLinkLabel);
  std::vector<std::pair<kube::Key, std::string>> found;
  const auto each = [&](Json&& object) {
    const Marks marks = marks_of(object);
    const Json& meta = object["metadata"];
    // A person's, or one that was handed over, stays, and so does a copy that took our labels along.
    if (marks.managed && !marks.owner.empty() && marks.handed_to.empty() &&
        text_of(meta, "name") == network_policy_name(text_of(member_of(meta, "labels"), kLinkLabel)))
      found.push_back({{text_of(meta, "namespace"), text_of(meta, "name")}, text_of(meta, "uid")});
  };
  const auto listed = client.list(kube::kNetworkPolicies, ns, options, each, stop);
  if (!listed && listed.error().code == Code::kDenied) return true;
  if (!listed) log::warn("NetworkPolicies not looked for", {{"namespace", ns}, {"error", listed.error().message}});
  bool whole = listed.has_value();
  for (const auto& [key, uid] : found) {
    kube::DeleteOptions only;
    only.uid = uid;
    const auto removed = client.remove(kube::kNetworkPolicies, key, only, stop);
    // Conflict: another one has taken its name since.
    if (removed || removed.error().code == Code::kNotFound) {
      log::info("NetworkPolicy removed", {{"policy", key.str()}});
      continue;
    }
    whole = false;
    log::warn("NetworkPolicy not removed", {{"policy", key.str()}, {"error", removed.error().message}});
  }
  return whole;
}

}  // namespace

bool remove_network_policies(kube::Client& client, const std::vector<std::string>& namespaces,
                             const std::stop_token& stop) {
  if (namespaces.empty()) return remove_in(client, "", stop);
  bool whole = true;
  for (const std::string& ns : namespaces) whole &= remove_in(client, ns, stop);
  return whole;
}

}  // namespace twinspan::controllers
