#include "sandbox/api/access.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "sandbox/api/registry.hpp"

namespace twinspan::sandbox {
namespace {
constexpr const char* kRbac = "rbac.authorization.k8s.io";

bool lists(const Json& rule, const char* field, const std::string& wanted) {
  const auto found = rule.find(field);
  if (found == rule.end() || !found->is_array()) return false;
  return std::any_of(found->begin(), found->end(), [&](const Json& each) { return each == "*" || each == wanted; });
}

bool is_subject(const Json& subject, const User& user, const std::string& binding_ns) {
  const std::string kind = subject.value("kind", ""), name = subject.value("name", "");
  if (kind == "User") return name == user.name;
  if (kind == "Group") return user.in_group(name);
  if (kind == "ServiceAccount")
    return user.name == fmt::format("system:serviceaccount:{}:{}", subject.value("namespace", binding_ns), name);
  return false;
}

bool names_user(const Json& binding, const User& user, const std::string& ns) {
  const auto subjects = binding.find("subjects");
  return subjects != binding.end() && subjects->is_array() &&
         std::any_of(subjects->begin(), subjects->end(),
                     [&](const Json& subject) { return is_subject(subject, user, ns); });
}
}  // namespace

bool User::in_group(const std::string& group) const {
  return std::find(groups.begin(), groups.end(), group) != groups.end();
}

User Access::admin() { return {kAdminName, "", {"system:masters", "system:authenticated"}}; }

User Access::by_certificate(const std::string& common_name) {
  if (common_name == kAdminName) return admin();
  return {common_name, "", {"system:authenticated"}};
}

std::string Access::issue_token(const std::string& ns, const std::string& service_account) {
  std::string token = "sandbox-" + random_uid() + random_uid();
  std::lock_guard lock(mutex_);
  tokens_[token] = {ns, service_account};
  return token;
}

std::optional<User> Access::by_token(const std::string& token) const {
  kube::Key key;
  {
    std::lock_guard lock(mutex_);
    const auto found = tokens_.find(token);
    if (found == tokens_.end()) return std::nullopt;
    key = found->second;
  }
  const Object account = store_.find({"", "serviceaccounts"}, key);
  if (!account) return std::nullopt;
  return User{fmt::format("system:serviceaccount:{}:{}", key.ns, key.name),
              (*account)["metadata"].value("uid", ""),
              {"system:serviceaccounts", "system:serviceaccounts:" + key.ns, "system:authenticated"}};
}

bool Access::rules_allow(const Json& rules, const AccessRequest& request) const {
  if (!rules.is_array()) return false;
  const std::string resource =
      request.subresource.empty() ? request.resource : request.resource + "/" + request.subresource;
  for (const Json& rule : rules) {
    if (!lists(rule, "verbs", request.verb)) continue;
    if (!request.path.empty()) {
      for (const Json& url : rule.value("nonResourceURLs", Json::array())) {
        const std::string pattern = url;
        if (pattern == request.path ||
            (pattern.ends_with('*') && request.path.starts_with(pattern.substr(0, pattern.size() - 1))))
          return true;
      }
      continue;
    }
    if (!lists(rule, "apiGroups", request.group)) continue;
    if (!lists(rule, "resources", resource) &&
        !(!request.subresource.empty() && lists(rule, "resources", "*/" + request.subresource)))
      continue;
    const Json names = rule.value("resourceNames", Json::array());
    if (!names.empty() && std::find(names.begin(), names.end(), request.name) == names.end()) continue;
    return true;
  }
  return false;
}

bool Access::allowed(const User& user, const AccessRequest& request) const {
  if (user.in_group("system:masters")) return true;
  if (!request.path.empty() && request.verb == "get") {  // system:discovery
    for (const char* open : {"/api", "/apis", "/openapi", "/version", "/healthz", "/livez", "/readyz"})
      if (request.path == open || request.path.starts_with(std::string(open) + "/")) return true;
  }
  if (request.verb == "create" && (request.resource.starts_with("selfsubject"))) return true;  // system:basic-user
  const auto role_allows = [&](const Json& binding, const std::string& ns) {
    const Json reference = binding.value("roleRef", Json::object());
    const bool cluster = reference.value("kind", "") == "ClusterRole";
    const Object role =
        store_.find({kRbac, cluster ? "clusterroles" : "roles"}, {cluster ? "" : ns, reference.value("name", "")});
    return role && rules_allow(role->value("rules", Json::array()), request);
  };
  const auto cluster_wide = store_.list({kRbac, "clusterrolebindings"}, "");
  for (const auto& [key, binding] : cluster_wide->items)
    if (names_user(*binding, user, "") && role_allows(*binding, "")) return true;
  if (request.ns.empty()) return false;
  const auto local = store_.list({kRbac, "rolebindings"}, request.ns);
  for (const auto& [key, binding] : local->items)
    if (names_user(*binding, user, request.ns) && role_allows(*binding, request.ns)) return true;
  return false;
}

}  // namespace twinspan::sandbox
