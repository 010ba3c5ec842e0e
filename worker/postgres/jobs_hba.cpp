// People's lines of pg_hba.conf: in force once PostgreSQL found them right (worker/jobs.hpp).
#include "engines/postgres/hba.hpp"
#include "worker/postgres/jobs.hpp"

namespace twinspan::worker {

// Those of a spec that is not to be believed are not asked for.
HbaKeeper::Lines Jobs::asked_hba(const Desired& desired) const {
  return desired.keep_parameters ? hba_.in_force().value_or(HbaKeeper::Lines{}) : desired.hba;
}

// Of a database that runs.
Status Jobs::judge_hba(const Desired& desired, const std::stop_token& stop) {
  const HbaKeeper::Lines asked = asked_hba(desired);
  if (!hba_.is_unjudged(asked)) return {};
  if (asked.empty()) return hba_.judged(asked, {});
  auto session = connect(desired, stop);
  if (!session) return std::unexpected(session.error());
  auto faults = postgres::judge_hba(*session, c_.layout, asked, kLocalConnect, stop);
  if (!faults) return std::unexpected(faults.error());
  return hba_.judged(asked, std::move(*faults));
}

}  // namespace twinspan::worker
