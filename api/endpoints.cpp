#include "api/endpoints.hpp"

namespace twinspan::api {

std::vector<EndpointPlace> endpoint_places(const ReplicationLink& link) {
  std::vector<EndpointPlace> all{{&link.spec.source, "spec.source"}};
  for (size_t i = 0; i < link.spec.targets.size(); ++i)
    all.push_back({&link.spec.targets[i], "spec.targets[" + std::to_string(i) + "]"});
  return all;
}

const Endpoint* find_endpoint(const LinkSpec& spec, std::string_view name) {
  if (spec.source.name == name) return &spec.source;
  for (const Endpoint& target : spec.targets)
    if (target.name == name) return &target;
  return nullptr;
}

std::string endpoint_list(const ReplicationLink& link) {
  std::string text = link.spec.source.name;
  for (const Endpoint& target : link.spec.targets) text += ", " + target.name;
  return text;
}

}  // namespace twinspan::api
