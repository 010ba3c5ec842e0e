// What a policy allows, and where clients are sent: for links of every engine.
#pragma once

namespace twinspan {

enum class Mode {
  kRestartOnly,  // no policy: the primary is only ever given its own right again
  kManual,       // switchovers when asked; a dead primary waits for a person, or comes back by itself
  kDryRun,       // as Manual, and says what Automatic would have done
  kAutomatic,
};

enum class FailbackMode { kNever, kManual, kAutomatic };

enum class Routing { kUnknown, kWithdrawn, kTo };

}  // namespace twinspan
