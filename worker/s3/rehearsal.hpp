// A rehearsal of the way: an object of its own key is written to the primary, awaited at every target, and removed.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/clock.hpp"
#include "core/guarded.hpp"
#include "core/role_thread.hpp"
#include "engines/s3/settings.hpp"
#include "failover/flow/drill.hpp"
#include "worker/s3/route_spec.hpp"

namespace twinspan::worker_s3 {

// Below the link's prefix, always the same: one that a crash has left behind is removed by the next rehearsal.
std::string rehearsal_key(const std::string& ns, const std::string& link);

struct RehearsalTarget {
  std::string endpoint;
  s3::Side side;
};
struct RehearsalTimes {
  std::chrono::milliseconds patience{60000};
  // A copy that was under way when the object was removed may come after the removal: then one looks again.
  std::chrono::milliseconds late{2000};
};
// Writes `body`, waits until each target gives it back or `patience` is over, removes it everywhere. Only objects that
// are this rehearsal's key are touched.
std::vector<Arrival> rehearse(const std::string& key, const std::string& body, const s3::Side& primary,
                              const std::vector<RehearsalTarget>& targets, RehearsalTimes times, const Clock& clock,
                              const std::stop_token& stop);

// The one that is asked for, in a thread of its own. One thread calls apply.
class Rehearsals {
 public:
  Rehearsals(std::string s3_dir, const Clock& clock, std::function<void()> changed)
      : s3_dir_(std::move(s3_dir)), clock_(clock), changed_(std::move(changed)) {}

  // `routes`: of the rehearsal's key only; none where it is another worker's, or nothing may be written.
  void apply(const api::ReplicationLink& link, const std::vector<RouteSpec>& routes);
  std::optional<RehearsalReport> report() const;

 private:
  void run(const std::vector<RouteSpec>& routes, const std::string& requested_at, const std::stop_token& stop);

  const std::string s3_dir_;
  const Clock& clock_;
  const std::function<void()> changed_;
  mutable Mutex mutex_;
  std::optional<RehearsalReport> report_ GUARDED_BY(mutex_);
  RoleThread thread_{"rehearsal"};
};

}  // namespace twinspan::worker_s3
