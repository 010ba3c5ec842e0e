// The endpoints of a link, source and targets alike.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "api/types.hpp"

namespace twinspan::api {

struct EndpointPlace {
  const Endpoint* endpoint;  // into the link
  std::string field;         // "spec.source", "spec.targets[0]"
};
std::vector<EndpointPlace> endpoint_places(const ReplicationLink& link);  // the source first

const Endpoint* find_endpoint(const LinkSpec& spec, std::string_view name);  // nullptr: the link has none of that name
std::string endpoint_list(const ReplicationLink& link);                      // "east, west", for people

}  // namespace twinspan::api
