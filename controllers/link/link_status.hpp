// What the status of a link of any engine says alike, and how a difference is written. Pure.
#pragma once
#include <optional>
#include <string>

#include "controllers/link/link_plan.hpp"
#include "controllers/link/link_seen.hpp"

namespace twinspan::controllers {

// Why there is no report of a member, for people.
std::string why_unheard(const EndpointSeen& member, const std::string& pod);

// As the status shows it, so that noise is no difference.
double rounded_lag(double seconds);
// "0.4s", "12s".
std::string lag_text(double seconds);

// How soon a difference is worth a write: at once what people and programs act upon, at most once a second what they
// read along (messages), and now and then what are only numbers that move with the work (positions, lag, progress, also
// within messages): metrics have them.
enum class Urgency { kNone, kLazy, kSoon, kNow };
Urgency urgency_of(const api::LinkStatus& before, const api::LinkStatus& after);

// When a link's status may be written. Numbers are shown soon where they move for a moment, and less and less often,
// every kPauseMost in the end, where they go on moving: ten thousand busy links would leave the API server no time.
class StatusPace {
 public:
  static constexpr std::chrono::milliseconds kPauseLeast{2000}, kPauseMost{30000};
  // How long a write has to wait still; 0: it may be made.
  std::chrono::milliseconds wait(Urgency urgency, BootTime now) const;
  void wrote(Urgency urgency, BootTime now);

 private:
  std::chrono::milliseconds pause_of(Urgency urgency) const;

  std::optional<BootTime> written_at_;
  std::chrono::milliseconds pause_ = kPauseLeast;  // from the last write of numbers to the next
};

// What is accepted after this look: the newest spec where it is right, else what was.
std::optional<api::AcceptedSpec> next_accepted(const CachedLink& link);

// The merge patch that turns the link's status into `after`, without those two, with the resourceVersion as its
// precondition.
Json status_patch(const CachedLink& link, const api::LinkStatus& after);

}  // namespace twinspan::controllers
