// What links of every engine have, from the caches and from the workers' reports. Writes nothing, asks nobody.
#pragma once
#include "controllers/cluster/cluster.hpp"
#include "controllers/link/link_seen.hpp"
#include "controllers/reports/worker_reports.hpp"
#include "core/clock.hpp"

namespace twinspan::controllers {

// CA, account, role, binding, budget, NetworkPolicy. `seen.link` is set.
void gather_common(LinkSeen& seen, const Cluster& cluster, const Clock& clock);
MemberView view_of(const std::optional<Seen>& seen, BootTime now);
// Of a pod that can't be asked nothing is about to be heard: what was known before does not stand for it.
MemberView view_of(const std::optional<Seen>& seen, const Pod* pod, BootTime now);
bool may_be_asked(const Pod* pod);  // nullptr: there is none

}  // namespace twinspan::controllers
