// The engines of this operator: one row for each. Nothing else of it knows which there are.
#pragma once
#include "controllers/link/engine.hpp"
#include "controllers/link/render.hpp"
#include "controllers/policy/primary_mover.hpp"
#include "core/clock.hpp"
#include "core/result.hpp"

namespace twinspan {

struct LinkEngineNeeds {
  const Clock& clock;
  controllers::RenderConfig render;
  bool pretend_workers = false, pretend_busy = false;  // benchmarks of the operator alone
};

// How workers are asked.
controllers::WorkerReports::ProbeFactory make_probe_factory(const Clock& clock, bool pretend_busy);
controllers::LinkEngines make_link_engines(const LinkEngineNeeds& needs);

struct PrimaryMoverNeeds {
  kube::Client& client;
  const Clock& clock;
  controllers::Cluster& cluster;
  const controllers::FailoverCaches& caches;
  const controllers::WorkerReports& reports;
};
controllers::PrimaryMovers make_primary_movers(const PrimaryMoverNeeds& needs);

// Every engine whose links are valid has its rows, a PrimaryMover where policies may name them; else the operator must
// not start: it would accept what it never carries out.
Status check_complete(const controllers::LinkEngines& links, const controllers::PrimaryMovers& movers);

}  // namespace twinspan
