// Whose turn it is to restart PostgreSQL for settings that need it. No effects; time is told.
#pragma once
#include <optional>
#include <string>

#include "core/clock.hpp"
#include "worker/postgres/desired.hpp"

namespace twinspan::worker {

// All members learn of such settings in the same moment. Replicas restart one after another, in the order of their
// names and only while all others stream, so that commits go on being confirmed; the primary comes last, since a
// replica must not have less than its primary. Whoever has waited too long goes without: another may be gone for good.
// Who tries them is the only one, and waits for nobody.
class RestartTurn {
 public:
  // Asked again and again while settings wait for a restart. `followed`: by the primary's own look, all its replicas
  // stream; replicas go by what the link's status says of the others.
  bool has(const Desired& desired, const std::string& primary, bool followed, BootTime now);
  void reset();  // nothing waits any more

 private:
  std::optional<BootTime> waits_since_, all_stream_since_;
};

}  // namespace twinspan::worker
