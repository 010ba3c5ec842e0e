#include "controllers/link/wait_for.hpp"

#include "failover/names.hpp"

namespace twinspan::controllers {
namespace {

constexpr Names<WaitFor, 19> kReasons{{{WaitFor::kNothing, ""},
                                       {WaitFor::kAuthority, "AuthorityDamaged"},
                                       {WaitFor::kCertificates, "Preparing"},
                                       {WaitFor::kOwnerSecret, "OwnerSecretMissing"},
                                       {WaitFor::kTrial, "ChangeOnTrial"},
                                       {WaitFor::kPodStart, "PodStarting"},
                                       {WaitFor::kPodStop, "PodStopping"},
                                       {WaitFor::kPodRemake, "PodFailed"},
                                       {WaitFor::kRollOut, "RollingOut"},
                                       {WaitFor::kTurn, "WaitsForTurn"},
                                       {WaitFor::kWindow, "WaitsForWindow"},
                                       {WaitFor::kSwitchover, "WaitsForSwitchover"},
                                       {WaitFor::kSettledPrimary, "PrimaryMoving"},
                                       {WaitFor::kReplica, "ReplicaBehind"},
                                       {WaitFor::kPolicy, "PrimaryIsEphemeral"},
                                       {WaitFor::kPrimaryElsewhere, "PrimaryRemoved"},
                                       {WaitFor::kEndpointRemoval, "EndpointRemoving"},
                                       {WaitFor::kWorkersStart, "WorkersStarting"},
                                       {WaitFor::kWorkersStop, "WorkersStopping"}}};

}  // namespace

std::string_view to_string(WaitFor what) { return name_of(kReasons, what); }

// An owner Secret is waited for in conditions of its own.
bool needs_person(WaitFor what) {
  return what == WaitFor::kAuthority || what == WaitFor::kPrimaryElsewhere || what == WaitFor::kPolicy;
}

}  // namespace twinspan::controllers
