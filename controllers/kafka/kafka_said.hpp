// What the worker of a Kafka link says (GET /status, `details`). Pure. What it doesn't tell is not known: absent, never
// counted as 0.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "controllers/kafka/kafka_seen.hpp"

namespace twinspan::controllers {

struct KafkaSaid {
  const MemberReport* report = nullptr;          // nullptr: not heard, or not lately
  std::string why_not{};                         // for people; where not heard
  std::vector<api::EndpointStatus> endpoints{};  // as it says
  std::optional<api::KafkaStatus> kafka{};
  int64_t groups_moved = 0;    // at the target, by somebody else; among all, and not those of `kafka` alone
  int64_t groups_waiting = 0;  // to be in sync, as records are carried
  std::string groups_wait{};   // why the last look at groups was not whole; for people
  std::optional<std::pair<std::string, std::string>> stalled{};  // reason and message: it can't go on at all
};

KafkaSaid said_by_worker(const KafkaSeen& seen);

// Which partitions are not carried on until somebody has done something, and why, for people; empty: none.
std::string halted_message(const api::KafkaStatus& kafka);
// One that is not carried at the moment and passes by itself, such as for want of a leader; empty: none.
std::string waiting_message(const api::KafkaStatus& kafka);

}  // namespace twinspan::controllers
