// A pod's status from what its containers do. Pure.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/json.hpp"
#include "sandbox/runtime/container.hpp"
#include "sandbox/runtime/launch.hpp"

namespace twinspan::sandbox {

struct ContainerRecord {
  enum class Phase { kWaiting, kRunning, kTerminated };
  std::string name, image, id;
  Phase phase = Phase::kWaiting;
  std::string reason = "ContainerCreating", message;  // while waiting
  WallTime started_at;                                // of the newest run
  Exit exit;                                          // once terminated
  struct Run {
    std::string id;
    WallTime started_at;
    Exit exit;
  };
  std::optional<Run> last;  // the run before
  int restarts = 0;
  bool started = false, ready = false;  // probes
  bool over = false;                    // terminated and never to be started again
};

struct PodRecord {
  PodPlace place;
  WallTime started_at;
  std::vector<ContainerRecord> init_containers, containers;
};

// The whole status. Conditions keep their lastTransitionTime from `before` (the pod's present status) where they did
// not change; conditions of others stay.
Json pod_status(const Json& pod, const PodRecord& record, WallTime now);

// How long to wait before restart number `restarts` of a container (0: the first, at once): base, doubling up to the
// limit.
std::chrono::milliseconds restart_delay(int restarts, std::chrono::milliseconds base, std::chrono::milliseconds limit);

}  // namespace twinspan::sandbox
