// How an endpoint is reached, with what its Secrets hold right now.
#pragma once
#include <string>

#include "api/types.hpp"
#include "core/result.hpp"
#include "kafka/access.hpp"

namespace twinspan::worker_kafka {

struct MountedAccess {
  api::KafkaEndpoint endpoint;
  std::string ca_pem, certificate_pem, key_pem, user, password;
  bool operator==(const MountedAccess&) const = default;
};

// kDenied: a Secret or a key of it is not there; names which. `kafka_dir`: --kafka-dir.
Result<MountedAccess> mounted_access(const api::Endpoint& endpoint, const std::string& kafka_dir);

Result<kafka::Access> access_of(const MountedAccess& mounted);

}  // namespace twinspan::worker_kafka
