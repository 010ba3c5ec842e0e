#include "worker/obeyed_link.hpp"

#include "api/accepted.hpp"
#include "api/validate.hpp"

namespace twinspan::worker {

kube::ReflectorOptions only(const kube::Key& key) {
  kube::ReflectorOptions options;
  options.ns = key.ns;
  options.field_selector = "metadata.name=" + key.name;
  return options;
}

Result<api::ReplicationLink> read_obeyed(const Json& json) {
  auto link = api::parse_obeyed_link(json);
  if (!link) return std::unexpected(link.error());
  return std::move(static_cast<api::ReplicationLink&>(*link));
}

bool may_be_obeyed(const api::ReplicationLink& link) { return link.status.accepted || api::validate(link).empty(); }

ServersConfig servers_config(const PodOptions& options, const std::string& tls_dir) {
  return {options.address,      options.status_port,  options.health_port,
          tls_dir + "/tls.crt", tls_dir + "/tls.key", tls_dir + "/ca.crt"};
}

}  // namespace twinspan::worker
