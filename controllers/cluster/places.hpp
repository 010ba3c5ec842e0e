// Where links read and write, as far as their specs tell: links that share such a place may be at odds. Pure.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "api/types.hpp"
#include "kube/resource.hpp"

namespace twinspan::controllers {

// "https://s3.example/bucket": what two places must share to overlap at all.
std::string bucket_of(const api::S3Endpoint& endpoint);
// "kafka.shop:9092": a broker as `ns` knows it, in lower case. A name without a dot is a Service of that namespace.
std::string broker_of(std::string_view ns, std::string_view broker);
// Of a link, each with what it is first: buckets and brokers.
std::vector<kube::Key> places_of(const api::ReplicationLink& link);

// Who was there first. Names decide where the times are the same.
bool is_older(const api::ReplicationLink& a, const api::ReplicationLink& b);

struct TakenPlace {
  std::string endpoint;  // of the link that has to give way
  std::string message;
};

}  // namespace twinspan::controllers
