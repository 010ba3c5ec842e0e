#include "kube/resource.hpp"

#include "net/http.hpp"

namespace twinspan::kube {

std::string Resource::api_version() const {
  return group.empty() ? std::string(version) : std::string(group) + "/" + std::string(version);
}

std::string Resource::path(std::string_view ns, std::string_view name) const {
  std::string out = (group.empty() ? "/api/" : "/apis/") + api_version();
  if (namespaced && !ns.empty()) out += "/namespaces/" + net::percent_encode(ns);
  out += "/" + std::string(plural);
  if (!name.empty()) out += "/" + net::percent_encode(name);
  return out;
}

}  // namespace twinspan::kube
