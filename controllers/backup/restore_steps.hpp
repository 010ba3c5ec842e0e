// What a Restore into a new link and one in place have in common. Pure.
#pragma once
#include <optional>
#include <string>

#include "controllers/backup/restore_decide.hpp"
#include "controllers/backup/restore_origin.hpp"

namespace twinspan::controllers {

RestoreLook failed(RestoreLook look, std::string message);
RestoreLook waits(RestoreLook look, std::string message);

// Why the spec can't be carried out, whatever else there is; empty: nothing speaks against it.
std::string refused_spec(const RestoreSeen& seen);
// Why the timeline that would be followed may not be the one that is written now; empty: it is.
std::string unsure_timeline(const RestoreSeen& seen, const RestoreOrigin& origin);
api::RestoreAssignment assignment_of(const RestoreSeen& seen, const RestoreOrigin& origin,
                                     const api::RestoreStatus& status);
// What the agent says of the plan, and how far it came.
void note(const BackupReport::Restored& said, api::RestoreStatus& status);
// The data are in their place: Completed once the link is Ready.
RestoreLook attach(const api::ReplicationLink& link, RestoreLook look, WallTime now);

}  // namespace twinspan::controllers
