// How a Restore in place of a link's data goes on. The primary's agent fetches and recovers beside the data while the
// link goes on; only what is reported to lie there whole may take their place, by a change of primary of its own. So
// nothing that fails before has touched anything. Pure; whoever carries it out writes the Restore's status first.
//
// What status.restore of the link orders is named NAME@UID: an order, and what was prepared for it, is never another
// Restore's of the same name. A stale order would replace data that nobody gave up: it is taken away as soon as it is
// done, failed, or its Restore is gone.
#pragma once
#include <string>

#include "controllers/backup/restore_decide.hpp"

namespace twinspan::controllers {

RestoreLook decide_in_place(const RestoreSeen& seen);

std::string order_name(const api::Restore& restore);
std::string restore_of_order(const std::string& order);  // the Restore's name
// Whether what the link is ordered is what this Restore wants of this very link. nullptr: there is no such Restore.
bool is_wanted(const api::RestoreAssignment& order, const api::ReplicationLink& link, const api::Restore* restore);

}  // namespace twinspan::controllers
