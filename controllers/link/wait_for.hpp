// What keeps a link's objects from being as they should. Pure.
#pragma once
#include <string_view>

namespace twinspan::controllers {

enum class WaitFor {
  kNothing,
  kAuthority,         // the CA's Secret is damaged
  kCertificates,      // not issued yet
  kOwnerSecret,       // that the spec names
  kTrial,             // of a change
  kPodStart,          // created, and not there yet
  kPodStop,           // and then it is made anew
  kPodRemake,         // it ended
  kRollOut,           // of templates that changed
  kTurn,              // other links are renewed first
  kWindow,            // of spec.postgres.updates
  kSwitchover,        // or a word, before the primary's pod is replaced: spec.postgres.updates.primary is Supervised
  kSettledPrimary,    // before anything is replaced
  kReplica,           // that is behind, before the next is replaced
  kPolicy,            // the primary's data would be gone with its pod
  kPrimaryElsewhere,  // the spec names the primary no more
  kEndpointRemoval,
  kWorkersStart,
  kWorkersStop,
};

std::string_view to_string(WaitFor what);  // the reason of a condition, "PodStarting"; empty for kNothing
// It goes on only by a person's doing.
bool needs_person(WaitFor what);

}  // namespace twinspan::controllers
