// When what proves the backups is due: by a cron, and again after a failure, after pauses that grow. Pure.
#pragma once
#include <optional>
#include <string>

#include "api/types.hpp"
#include "core/clock.hpp"
#include "core/cron.hpp"

namespace twinspan::controllers {

struct ProofTimes {
  Cron cron;
  TimeZone zone;
};
// nullopt: it is not asked for, or not one that validate lets pass.
std::optional<ProofTimes> proof_times(const std::optional<std::string>& cron, const std::string& zone);

// The time that is to be served now; nullopt: none. `served`: the one that was served last, written anew where there
// was none or the clock was wrong: who asks owes nothing of before. What was missed while nobody looked counts once.
std::optional<WallTime> due_proof(const ProofTimes& times, std::optional<std::string>& served, bool failed,
                                  WallTime now);

inline WallTime time_or(const std::optional<std::string>& text, WallTime otherwise) {
  return parse_rfc3339(text.value_or("")).value_or(otherwise);
}

// The condition Verified, of both proofs. A failure stays told until a later one of its kind has ended.
void tell_verified(const api::BackupSchedule& schedule, api::BackupScheduleStatus& status, WallTime now);

}  // namespace twinspan::controllers
