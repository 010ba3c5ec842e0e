// A model of agents, operators, an API server, clocks that drift and a network that delays, drops, duplicates and cuts
// one way. It runs the real lease rules and the real decisions. One seed is one run; the same seed is the same run.
#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "failover/decide.hpp"
#include "failover/member.hpp"

namespace twinspan::simulation {

using Micros = int64_t;

struct Options {
  bool synchronous = true;
  int members = 3;
  bool broken_fence = false;     // a holder goes on when its lease has run out: must be found
  bool broken_election = false;  // positions that are not frozen are compared: must be found
  Micros chaos = 40'000'000;     // faults happen for so long, then everything is mended
  Micros calm = 60'000'000;      // by the end of which a primary and all its replicas must be there
  bool trace = false;
};

struct Outcome {
  std::vector<std::string> violations;
  bool unsafe = false;  // a violation other than not recovering in time
  int failovers = 0;    // epochs beyond the first
  int64_t acknowledged = 0;
  std::vector<std::string> trace;
};

Outcome run(uint64_t seed, const Options& options);

}  // namespace twinspan::simulation
