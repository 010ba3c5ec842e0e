// When pods that another version of the operator made may be replaced, by spec.postgres.updates. Pure, but for the
// zone, which is read from the system's files.
#pragma once
#include <optional>
#include <string>

#include "controllers/cluster/kinds.hpp"
#include "core/clock.hpp"

namespace twinspan::controllers {

struct UpdateGate {
  bool open = true;                  // replicas' may be, now
  bool primary = true;               // and then the primary's
  std::string opens;                 // where it is shut, for people: "the window opens at …"
  std::optional<WallTime> opens_at;  // and when to look again
};

// `version` is this operator's, as on its pods. What it has begun in a window goes on after it.
UpdateGate update_gate(const CachedLink& link, const std::string& version, WallTime now);

// The value of the annotation that lets the primary's pod be replaced; nullptr: there is none. It asks for something
// where it is not the one in status.update.request.
const std::string* update_word(const CachedLink& link);

}  // namespace twinspan::controllers
