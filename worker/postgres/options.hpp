// The command line of a worker pod (ARCHITECTURE.md, "Worker pod contract").
#pragma once
#include <expected>
#include <string>

#include "engines/postgres/layout.hpp"
#include "failover/lease.hpp"
#include "worker/pod_options.hpp"

namespace twinspan::worker {

struct Options : PodOptions {
  std::string endpoint;
  postgres::Layout layout;
  std::string owner_dir;
  int postgres_port = 5432;  // the same on every member
  LeaseTiming lease;
};

// A fifth of the time is left for fencing and for clocks that drift apart.
LeaseTiming lease_timing(std::chrono::milliseconds duration, std::chrono::milliseconds renew);

// The options, or the exit code where the program has to end (--help, a wrong flag): everything is said already.
std::expected<Options, int> parse_options(int argc, const char* const* argv);

}  // namespace twinspan::worker
