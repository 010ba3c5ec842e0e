// Writes a link's status where it differs, as often as the difference is worth it (link_status.hpp, Urgency). Any
// thread.
#pragma once
#include <map>
#include <optional>
#include <stop_token>
#include <vector>

#include "controllers/cluster/cluster.hpp"
#include "controllers/link/link_plan.hpp"
#include "controllers/link/link_status.hpp"
#include "core/guarded.hpp"
#include "kube/client.hpp"
#include "kube/controller.hpp"
#include "kube/events.hpp"

namespace twinspan::controllers {

class StatusWriter {
 public:
  struct Written {
    bool done = false;                                 // the API has it now
    std::optional<std::chrono::milliseconds> put_off;  // there is something to write, in so long
  };

  StatusWriter(kube::Client& client, Cluster& cluster, const Clock& clock)
      : client_(client), cluster_(cluster), clock_(clock) {}
  // What `plan` still has to change in the link itself builds on the version that the write made.
  Result<Written> write(const CachedLink& link, const api::LinkStatus& after, LinkPlan& plan,
                        const std::stop_token& stop);
  // Writes back what was accepted where the status has lost it. True: done, the link has to be looked at anew.
  Result<bool> restore_acceptance(const CachedLink& link, const std::stop_token& stop);
  // The rows of the last look where the API has older numbers; nullopt: it has them.
  std::optional<std::vector<api::EndpointStatus>> newer(const kube::Key& link) const;
  void forget(const kube::Key& link);

 private:
  struct Told {
    StatusPace pace;
    std::optional<std::vector<api::EndpointStatus>> put_off;
  };
  std::chrono::milliseconds put_off(const kube::Key& link, Urgency urgency, const api::LinkStatus& after);  // 0: now
  void settled(const kube::Key& link);

  kube::Client& client_;
  Cluster& cluster_;
  const Clock& clock_;
  mutable Mutex mutex_;
  std::map<kube::Key, Told> told_ GUARDED_BY(mutex_);  // of links that had something to write in this term
};

// When the link is looked at again by itself.
kube::Requeue next_look(const LinkPlan& plan, const StatusWriter::Written& written);
// An Event for each new reason why the link waits for a person.
void tell_of_stalling(kube::EventRecorder& events, const CachedLink& before, const api::LinkStatus& after);

}  // namespace twinspan::controllers
