#include "api/engine_rules.hpp"

#include "api/validate_kafka.hpp"
#include "api/validate_postgres.hpp"
#include "api/validate_s3.hpp"

namespace twinspan::api {
namespace {

constexpr EngineRules kRules[] = {
    {Engine::kPostgres, 1, false, true, true, postgres_pod_names, check_postgres, check_postgres_clients, warn_postgres,
     warn_postgres_policy},
    {Engine::kS3, 300, true, false, true, s3_pod_names, check_s3, check_s3_clients, warn_s3, warn_s3_policy},
    {Engine::kKafka, 60, false, false, false, kafka_pod_names, check_kafka, check_kafka_clients, warn_kafka,
     warn_kafka_policy},
};

}  // namespace

const EngineRules* engine_rules(Engine engine) {
  for (const EngineRules& rules : kRules)
    if (rules.engine == engine) return &rules;
  return nullptr;
}

std::vector<Engine> supported_engines() {
  std::vector<Engine> all;
  for (const EngineRules& rules : kRules) all.push_back(rules.engine);
  return all;
}

}  // namespace twinspan::api
