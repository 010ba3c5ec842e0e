// One question to one agent.
#pragma once
#include <memory>
#include <stop_token>
#include <string>

#include "core/result.hpp"
#include "failover/report.hpp"
#include "net/http.hpp"

namespace twinspan::controllers {

// Where an agent answers, and by which right we ask.
struct Target {
  std::string address;                        // pod IP
  std::string pod_name;                       // the name its certificate must carry
  std::string pod_uid;                        // another uid is another member, whatever its address
  std::shared_ptr<const net::ClientTls> tls;  // CA bundle and client certificate, one value for all members of a link
  int port = 8443;
};

class StatusProbe {
 public:
  virtual ~StatusProbe() = default;
  // Blocks for a second at most. One thread at a time.
  virtual Result<MemberReport> ask(std::stop_token stop) = 0;
};

// GET https://ADDRESS:8443/status on a kept connection.
std::unique_ptr<StatusProbe> http_status_probe(const Target& target);

}  // namespace twinspan::controllers
