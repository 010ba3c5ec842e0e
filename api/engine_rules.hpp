// What is right for links of each engine, and for their policies: validation's own table, in engine_rules.cpp.
#pragma once
#include <string>
#include <vector>

#include "api/types.hpp"
#include "api/validate.hpp"

namespace twinspan::api {

struct PodName {
  std::string field, name;  // the pod's, and what it follows from
  std::string of;           // for people
};

struct EngineRules {
  Engine engine;
  int64_t lag_seconds;    // spec.lagThreshold.seconds, where it is absent
  bool may_go_both_ways;  // spec.topology may be ActiveActive
  bool has_backups;       // a BackupSchedule may name a link of it
  bool fails_over;        // a FailoverPolicy may name a link of it: it has a PrimaryMover
  std::vector<PodName> (*pod_names)(const ReplicationLink& link);
  void (*check_link)(const ReplicationLink& link, std::vector<FieldError>& errors);
  // What a policy names for the clients of a link.
  void (*check_clients)(const FailoverPolicy& policy, const ReplicationLink& link, std::vector<FieldError>& errors);
  // What is allowed and unwise, each a sentence that begins with its field.
  void (*warn_link)(const ReplicationLink& link, std::vector<std::string>& warnings);
  void (*warn_policy)(const FailoverPolicy& policy, const ReplicationLink& link, std::vector<std::string>& warnings);
};

const EngineRules* engine_rules(Engine engine);  // nullptr: this version does not have it
std::vector<Engine> supported_engines();

}  // namespace twinspan::api
