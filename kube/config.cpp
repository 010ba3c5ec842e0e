// In-cluster configuration, and which configuration is the default.
#include "kube/config.hpp"

#include <cstdlib>

#include "core/file.hpp"

namespace twinspan::kube {
namespace {

constexpr const char* kAccount = "/var/run/secrets/kubernetes.io/serviceaccount";

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value ? value : "";
}

}  // namespace

Result<Config> in_cluster_config() {
  const std::string host = environment("KUBERNETES_SERVICE_HOST"), port = environment("KUBERNETES_SERVICE_PORT");
  if (host.empty() || port.empty())
    return fail(Code::kUnavailable,
                "not in a cluster: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set");
  Config config;
  const bool ipv6 = host.find(':') != std::string::npos;
  config.server = "https://" + (ipv6 ? "[" + host + "]" : host) + ":" + port;
  config.token_file = std::string(kAccount) + "/token";
  if (auto token = read_file(config.token_file); !token) return std::unexpected(token.error());
  auto ca = read_file(std::string(kAccount) + "/ca.crt");
  if (!ca) return std::unexpected(ca.error());
  config.ca_pem = *ca;
  if (auto ns = read_file(std::string(kAccount) + "/namespace"); ns && !ns->empty()) config.default_namespace = *ns;
  return config;
}

Result<Config> default_config() {
  if (!environment("KUBECONFIG").empty()) return kubeconfig("", "");
  if (!environment("KUBERNETES_SERVICE_HOST").empty()) return in_cluster_config();
  return kubeconfig("", "");
}

}  // namespace twinspan::kube
