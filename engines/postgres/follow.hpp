// An import that follows its source (method Logical): a publication and a slot there, a subscription here, which copies
// the rows and applies what is written meanwhile, until the cut. All three are called by one name (follow_name).
#pragma once
#include <functional>
#include <stop_token>
#include <string>

#include "core/result.hpp"
#include "engines/postgres/follow_rules.hpp"
#include "engines/postgres/import_source.hpp"
#include "engines/postgres/layout.hpp"

namespace twinspan::postgres {

struct Following {
  ImportSource source;
  std::string name;
  std::string database;  // here
};

struct FollowReport {
  enum class Stage { kRows, kStatistics, kFollowing, kCuttingOver, kFailing } stage = Stage::kRows;
  std::string message;
  FollowSeen seen;
};

// Called by the thread that calls follow().
struct FollowSteps {
  std::function<void(const FollowReport&)> told;  // about once a second
  std::function<bool()> cut_over;                 // whether it is asked for
  std::function<Status()> complete;               // all is here and nothing is applied any more: clients may be let in
};

// Whether the source can be followed, and this instance may follow: before anything is made on either side.
Status check_source(const Layout& layout, int port, const ImportSource& source, const std::stop_token& stop);
// Definitions are here, and nobody gets in. The files that `source` names have to stay for as long as it is followed.
Status subscribe(const Layout& layout, int port, const Following& following, const std::stop_token& stop);
// Until it is complete. An error leaves all as it is, and it may be called again; kGone: the source has dropped what
// was yet to come, and it has to begin anew.
Status follow(const Layout& layout, int port, const Following& following, const FollowSteps& steps,
              const std::stop_token& stop);
// Drops publication and slots at the source; nothing there is fine. `system`: identifier of the cluster here.
Status leave_source(const Following& following, const std::string& system, const std::stop_token& stop);

}  // namespace twinspan::postgres
