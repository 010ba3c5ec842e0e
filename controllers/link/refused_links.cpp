#include "controllers/link/refused_links.hpp"

#include <fmt/format.h>

#include "controllers/link/link_status.hpp"
#include "controllers/link/verdict.hpp"

namespace twinspan::controllers {

LinkLook RefusedLinks::look(const LinkFacts& facts, const Cluster&, const WorkerReports&) const {
  const CachedLink& link = *facts.link;
  LinkLook look;
  look.seen.link = facts.link;
  look.seen.now = clock_.wall_now();
  look.seen.recall(facts.recalled);
  look.status = link.status;  // as whoever could wrote it
  look.status.observed_generation = link.metadata.generation;
  look.status.epoch = link.status.epoch.value_or(0);
  const std::string why = link.invalid
                              ? refused_message(link)
                              : fmt::format(
                                    "spec.engine: is {}, which this version of the operator does not have: install one "
                                    "that does, or delete the link",
                                    to_string(link.spec.engine));
  ConditionSet conditions(link, look.seen.now);
  const Verdict ready = no("InvalidSpec", why), stalled = yes("InvalidSpec", why);
  conditions.set("Ready", ready);
  conditions.set("Reconciling", reconciling_verdict(link, look.plan, ready, stalled));
  conditions.set("Stalled", stalled);
  look.status.conditions = conditions.take();
  return look;
}

}  // namespace twinspan::controllers
