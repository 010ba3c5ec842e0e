// Which replica becomes primary. Pure. Only members that can be shown to lose nothing beyond the bound are considered.
#pragma once
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "failover/log/reason.hpp"
#include "failover/report.hpp"
#include "failover/types.hpp"

namespace twinspan {

struct DurabilityRule {
  bool synchronous = false;  // Sync: a commit was acknowledged only after `replicas` replicas had flushed it
  int replicas = 1;
};

struct Candidate {
  std::string name;
  std::optional<MemberReport> report;  // nullopt: it can't be heard; what it holds is not known
};

struct ElectionInput {
  std::vector<Candidate> replicas;  // every replica the link names, heard or not
  bool primary_among_them = false;  // the old primary can't be told apart, or is one of them
  EpochHistory epochs{};            // that wrote the old primary's data; empty: not known
  EpochHistory latest{};            // that wrote the latest data anybody told of, where `epochs` is not known
  Epoch epoch;                      // of the old primary: data whose epoch is not known are taken to be of it
  DurabilityRule durability;
  Epoch unpromoted;  // an epoch from which on nobody is known to have accepted writes, whoever prepared to; 0: none
  std::optional<Position> final_position;      // where the old primary's log ended, if it stopped cleanly
  std::optional<Position> primary_last_known;  // the last flushed position it reported: the least it had
  uint64_t max_lag_bytes = 0;
  std::vector<std::string> prefer;    // names, best first
  std::vector<std::string> excluded;  // tried already in this change
};

struct Elected {
  std::string name;
  std::optional<uint64_t>
      lost_bytes;  // against what the old primary is known to have had; nullopt: not known. 0 in Sync
};
struct Refused {
  LogReason reason = LogReason::kNone;
  std::string message;  // with names and numbers
};
using ElectionResult = std::variant<Elected, Refused>;

ElectionResult elect(const ElectionInput& input);

}  // namespace twinspan
