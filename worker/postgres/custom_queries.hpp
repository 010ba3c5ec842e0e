// Asks people's queries for metrics, one after another on a thread of its own: what one of them does holds up nothing
// else of the agent.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "api/types.hpp"
#include "core/clock.hpp"
#include "core/guarded.hpp"
#include "core/role_thread.hpp"
#include "core/wait.hpp"
#include "engines/postgres/custom_query.hpp"
#include "failover/log/member.hpp"
#include "worker/postgres/desired.hpp"

namespace twinspan::worker {

struct CustomAnswer {
  api::CustomQuery query;
  std::vector<postgres::CustomRow> rows;
  std::string error;  // empty: it was answered
};

// Whether an instance is one of those that ask. A primary that is only being opened is neither. Pure.
bool is_asked(api::AskedInstances instances, ProcessState process, bool writable);
// How long a query rests after it took so long: one that is slow takes a fifth of the time at most. Pure.
std::chrono::nanoseconds rest_of(const api::CustomQuery& query, std::chrono::nanoseconds took);

class CustomQueries {
 public:
  struct Standing {
    std::shared_ptr<const Desired> desired;  // nullptr: the link is not known yet
    ProcessState process = ProcessState::kStopped;
    bool writable = false;
    uint64_t life = 0;  // of the database
  };

  CustomQueries(const postgres::Layout& layout, int port, const Clock& clock, std::function<Standing()> standing);
  void start();
  void stop();
  void poke() { wake_.raise(); }  // the link changed; any thread

  // Of every query that this instance asks and has asked. Any thread.
  std::vector<CustomAnswer> answers() const;

 private:
  void run(const std::stop_token& stop);
  // Asks the one that is due first; answers how long to wait until the next look.
  std::chrono::nanoseconds look(const std::stop_token& stop);
  void forget_all_but(const std::vector<api::CustomQuery>& wanted);
  void ask(const api::CustomQuery& query, const std::stop_token& stop);
  void ensure_role(const Standing& now, const std::stop_token& stop);

  const postgres::Layout layout_;
  const int port_;
  const Clock& clock_;
  const std::function<Standing()> standing_;
  std::map<std::string, BootTime> due_;  // by name
  uint64_t role_life_ = 0;               // the life of the database in which the role was seen to
  mutable Mutex mutex_;
  std::map<std::string, CustomAnswer> answers_ GUARDED_BY(mutex_);
  Signal wake_;
  RoleThread thread_{"custom-queries"};
};

}  // namespace twinspan::worker
