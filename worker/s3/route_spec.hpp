// What a link says of one source, one target and one share of the keys. Pure.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "api/types.hpp"
#include "engines/s3/settings.hpp"
#include "s3/client.hpp"
#include "worker/s3/direction.hpp"
#include "worker/s3/shares.hpp"

namespace twinspan::worker_s3 {

// Where two are equal, what runs goes on: another epoch begins anew.
struct RouteSpec {
  std::string link, ns;
  api::Endpoint source, target;
  api::S3Settings settings;
  api::Topology topology = api::Topology::kActivePassive;
  Direction direction{};
  s3::Share share{};
  bool operator==(const RouteSpec&) const = default;
};

// What names the state of one target of a link in its bucket: two targets may be prefixes of one bucket.
std::string state_name(const std::string& ns, const std::string& link, const std::string& target);
// kUnavailable: several workers are wanted, and the operator has not divided the keys yet.
Result<Division> division_of(const api::ReplicationLink& link);
// One for each target and share: from the primary, as the assignment says, to every other endpoint. None where the
// primary is none of the link's.
std::vector<RouteSpec> routes_of(const api::ReplicationLink& link, const Division& division,
                                 const std::set<int>& shares);
s3::Settings engine_settings(const RouteSpec& spec);
s3::ClientConfig client_config(const api::S3Endpoint& endpoint, std::string ca_pem, int64_t objects_at_once);

}  // namespace twinspan::worker_s3
