// From an endpoint of the spec and what is mounted for it to a client of its bucket.
#pragma once
#include <memory>
#include <string>

#include "api/types.hpp"
#include "core/clock.hpp"
#include "s3/client.hpp"

namespace twinspan::worker_s3 {

// As client_config(), but for `tries` and `timeout`.
struct Patience {
  int tries = s3::ClientConfig{}.tries;
  std::chrono::milliseconds timeout = s3::ClientConfig{}.timeout;
};

// What its server's certificate has to come from, as it is mounted now (PEM). Empty: the system's authorities.
Result<std::string> authority_of(const api::Endpoint& endpoint, const std::string& s3_dir);

// `s3_dir`: where ENDPOINT/credentials and ENDPOINT/ca are mounted. kDenied: a file is missing.
Result<std::unique_ptr<s3::Client>> connect(const api::Endpoint& endpoint, const std::string& s3_dir,
                                            int64_t objects_at_once, const Clock& clock, Patience patience = {});

}  // namespace twinspan::worker_s3
