// Who calls, and what they may do: client certificates and tokens, Roles and ClusterRoles (RBAC).
#pragma once
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "core/json.hpp"
#include "sandbox/api/store.hpp"

namespace twinspan::sandbox {

struct User {
  std::string name;
  std::string uid;
  std::vector<std::string> groups;
  bool in_group(const std::string& group) const;
};

inline constexpr const char* kAdminName = "sandbox-admin";

struct AccessRequest {
  std::string verb, group, resource, subresource, ns, name;
  std::string path;  // set: a path outside the API's resources
};

// Any thread may call any method.
class Access {
 public:
  explicit Access(const Store& store) : store_(store) {}

  // A token that is good for as long as this server and its ServiceAccount live.
  std::string issue_token(const std::string& ns, const std::string& service_account);
  std::optional<User> by_token(const std::string& token) const;
  static User by_certificate(const std::string& common_name);
  static User admin();

  bool allowed(const User& user, const AccessRequest& request) const;

 private:
  bool rules_allow(const Json& rules, const AccessRequest& request) const;

  const Store& store_;
  mutable std::mutex mutex_;
  std::map<std::string, kube::Key> tokens_;  // by token
};

}  // namespace twinspan::sandbox
