#include "controllers/postgres/pretended_links.hpp"

#include "controllers/link/link_gatherer.hpp"
#include "controllers/link/link_status.hpp"
#include "controllers/postgres/postgres_gatherer.hpp"
#include "controllers/postgres/postgres_status.hpp"

namespace twinspan::controllers {

LinkLook PretendedLinks::look(const LinkFacts& facts, const Cluster&, const WorkerReports&) const {
  LinkLook look;
  look.seen = pretend_link(facts.link, clock_);
  look.status = next_status(look.seen, look.plan);
  return look;
}

}  // namespace twinspan::controllers
