// The data that a Restore in place has replaced, put back by the annotation twinspan.dev/bring-back; and what it and
// the Restore itself ask of a link before they touch it. Pure.
#pragma once
#include <string>

#include "controllers/backup/restore_decide.hpp"

namespace twinspan::controllers {

// In status.broughtBack.
inline constexpr const char* kBringingBack = "Replacing";
inline constexpr const char* kBroughtBack = "Completed";

// What has failed stays so until the annotation was taken away: a word of long ago must not replace data later.
void bring_back(const RestoreSeen& seen, RestoreLook& look);

bool is_told(const RestoreSeen& seen);         // what the agent says is of this very Restore
bool is_ordered(const RestoreSeen& seen);      // so is what the link's agents are told
std::string at_work(const RestoreSeen& seen);  // another Restore, that this one waits for; empty: none
std::string not_now(const RestoreSeen& seen);  // why nothing may be begun on the link; empty: it may

}  // namespace twinspan::controllers
