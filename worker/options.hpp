// The command line of a worker pod (ARCHITECTURE.md, "Worker pod contract").
#pragma once
#include <expected>
#include <string>

#include "engines/postgres/layout.hpp"
#include "failover/lease.hpp"

namespace twinspan::worker {

struct Options {
  std::string ns, link, endpoint;
  std::string pod_name, pod_uid, address;
  postgres::Layout layout;
  std::string owner_dir;
  int postgres_port = 5432;  // the same on every member
  int status_port = 8443;
  int health_port = 8080;
  LeaseTiming lease;
  std::string log_level = "info";
};

// A fifth of the time is left for fencing and for clocks that drift apart.
LeaseTiming lease_timing(std::chrono::milliseconds duration, std::chrono::milliseconds renew);

// The options, or the exit code where the program has to end (--help, a wrong flag): everything is said already.
std::expected<Options, int> parse_options(int argc, const char* const* argv);

}  // namespace twinspan::worker
