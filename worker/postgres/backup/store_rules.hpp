// What becomes of a file of the log that PostgreSQL wants to forget. Pure.
#pragma once
#include <string_view>

#include "backup/archive.hpp"

namespace twinspan::worker {

struct StoreView {
  bool link_known = false;
  bool ending = false;       // PostgreSQL is being stopped
  bool backed_up = false;    // the link's log goes to a repository
  bool ready = false;        // this agent can reach it
  bool archiver = false;     // this endpoint is named to store
  bool may_store = false;    // it is primary: it holds the lease, and accepts writes
  bool left_behind = false;  // a later timeline has all of the file that is the link's
  bool others = false;       // under its timeline's number another promotion's log is stored
};

enum class StoreStep {
  kForget,   // done: nobody wants it, or others have no need of it
  kEnd,      // PostgreSQL must not wait for it now
  kLetGo,    // it can never be stored: told as a gap, and forgotten
  kPush,     // store it
  kCompare,  // done as soon as the repository has it with the same bytes
  kWait,
};

// A member whose lease is gone stores nothing, whatever it was named: it may be an old primary that wakes, and
// pgBackRest would take the full segment of its own timeline.
inline StoreStep decide_store(const StoreView& view, std::string_view name) {
  if (view.ending) return StoreStep::kEnd;
  if (!view.link_known) return StoreStep::kWait;
  if (!view.backed_up) return StoreStep::kForget;
  if (view.left_behind) return StoreStep::kForget;
  if (view.archiver) {
    if (!view.ready || !view.may_store) return StoreStep::kWait;
    return view.others ? StoreStep::kLetGo : StoreStep::kPush;
  }
  if (!backup::is_segment(name) && !backup::is_history(name)) return StoreStep::kForget;
  return view.ready ? StoreStep::kCompare : StoreStep::kWait;
}

}  // namespace twinspan::worker
