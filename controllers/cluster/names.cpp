#include "controllers/cluster/names.hpp"

namespace twinspan::controllers {

std::string owner_secret_name(const api::ReplicationLink& link) {
  const auto& reference = link.spec.postgres.owner_secret_ref;
  return reference ? reference->name : link.metadata.name + "-owner";
}

kube::Key key_of(const api::ObjectMeta& meta) { return {meta.ns, meta.name}; }

}  // namespace twinspan::controllers
