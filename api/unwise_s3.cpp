#include <fmt/format.h>

#include "api/endpoints.hpp"
#include "api/validate_s3.hpp"

namespace twinspan::api {

void warn_s3(const ReplicationLink& link, std::vector<std::string>& out) {
  for (const EndpointPlace& place : endpoint_places(link))
    if (place.endpoint->s3 && place.endpoint->s3->endpoint.starts_with("http://"))
      out.push_back(fmt::format("{}.s3.endpoint: {} is without TLS: objects can be read on their way", place.field,
                                place.endpoint->s3->endpoint));
}

void warn_s3_policy(const FailoverPolicy&, const ReplicationLink&, std::vector<std::string>&) {}

}  // namespace twinspan::api
