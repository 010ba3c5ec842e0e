// A model of agents, operators, an API server, clocks that drift and a network that delays, drops, duplicates and cuts
// one way. It runs the real lease rules, the real decisions and PostgreSQL's own rule of who can follow whom. One seed
// is one run; the same seed is the same run.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "failover/log/decide.hpp"
#include "faults.hpp"
#include "network.hpp"

namespace twinspan::simulation {

struct Options {
  bool synchronous = true;
  int members = 3;
  Mode mode = Mode::kAutomatic;
  Faults allowed = Faults().set();
  std::optional<Fault> always;  // in every seed, beside those that it draws
  Mistake mistake = Mistake::kNone;
  Micros chaos = 40 * kSecond;  // faults happen for so long, then everything is mended
  Micros calm = 60 * kSecond;   // by the end of which a primary and all its replicas must be there
  bool trace = false;
};

struct Outcome {
  std::vector<std::string> violations;
  bool unsafe = false;  // a violation other than not recovering in time
  int failovers = 0;    // changes of who accepts writes
  int restored = 0;     // times that restored data came to accept writes
  int64_t acknowledged = 0;
  Faults happened;
  std::vector<std::string> trace;
};

Outcome run(uint64_t seed, const Options& options);

}  // namespace twinspan::simulation
