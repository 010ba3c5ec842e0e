#include "operator/engines.hpp"

#include <fmt/format.h>

#include "api/engine_rules.hpp"
#include "controllers/kafka/kafka_links.hpp"
#include "controllers/postgres/postgres_links.hpp"
#include "controllers/postgres/postgres_mover.hpp"
#include "controllers/postgres/pretended_links.hpp"
#include "controllers/s3/s3_links.hpp"
#include "controllers/s3/s3_mover.hpp"

namespace twinspan {

using api::Engine;
using controllers::KafkaLinks, controllers::PostgresLinks, controllers::PostgresMover, controllers::PretendedLinks,
    controllers::S3Links, controllers::S3Mover;

controllers::WorkerReports::ProbeFactory make_probe_factory(const Clock& clock, bool pretend_busy) {
  if (!pretend_busy) return controllers::http_status_probe;
  return [&clock](const controllers::Target& target) { return controllers::pretended_probe(target, clock); };
}

controllers::LinkEngines make_link_engines(const LinkEngineNeeds& needs) {
  controllers::LinkEngines links;
  links.set(Engine::kPostgres, std::make_unique<PostgresLinks>(needs.clock, needs.render));
  links.set(Engine::kS3, std::make_unique<S3Links>(needs.clock, needs.render));
  links.set(Engine::kKafka, std::make_unique<KafkaLinks>(needs.clock, needs.render));
  if (needs.pretend_workers)
    for (const Engine engine : {Engine::kPostgres, Engine::kS3, Engine::kKafka})
      links.set(engine, std::make_unique<PretendedLinks>(needs.clock, needs.pretend_busy));
  return links;
}

controllers::PrimaryMovers make_primary_movers(const PrimaryMoverNeeds& needs) {
  controllers::PrimaryMovers movers;
  movers.set(Engine::kPostgres,
             std::make_unique<PostgresMover>(needs.client, needs.clock, needs.cluster, needs.caches, needs.reports));
  movers.set(Engine::kS3, std::make_unique<S3Mover>(needs.clock, needs.cluster, needs.caches, needs.reports));
  return movers;
}

Status check_complete(const controllers::LinkEngines& links, const controllers::PrimaryMovers& movers) {
  for (const Engine engine : api::supported_engines())
    for (const auto& [there, what] :
         {std::pair{links.find(engine) != nullptr, "LinkEngine"},
          {movers.find(engine) != nullptr || !api::engine_rules(engine)->fails_over, "PrimaryMover"}})
      if (!there)
        return fail(Code::kInternal, fmt::format("engine {}: links of it are valid, and operator/engines.cpp has no {} "
                                                 "for it: this build is not complete",
                                                 to_string(engine), what));
  return {};
}

}  // namespace twinspan
