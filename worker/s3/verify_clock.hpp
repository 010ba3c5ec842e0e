// When a verification is due: by the annotation on the link, or by the schedule. Pure but for what it remembers.
#pragma once
#include <optional>
#include <string>

#include "api/types.hpp"
#include "contract/names.hpp"
#include "core/clock.hpp"

namespace twinspan::worker_s3 {

class VerifyClock {
 public:
  // True where verifications are to be begun now (again, where they ended without a result). `finished_at`: when the
  // earliest of the targets' last results came; nullopt: one has none.
  bool due(const api::ReplicationLink& link, WallTime now, std::optional<WallTime> finished_at);
  // There are runs that did not hear of the last request: where the link's status has no answer to it yet, it is asked
  // for again.
  void runs_changed();
  // The annotation's value that the last results answer; empty: none.
  const std::string& answered() const { return answered_; }

 private:
  bool asked_anew(const api::ReplicationLink& link, WallTime now);

  std::string schedule_;
  std::optional<WallTime> next_;  // by the schedule
  std::string request_;           // that is being answered
  std::string answered_;
  std::optional<WallTime> asked_at_, begun_at_;  // of what is not answered yet
};

}  // namespace twinspan::worker_s3
