#include "controllers/backup/proof_times.hpp"

#include <algorithm>

#include "api/conditions.hpp"

namespace twinspan::controllers {
namespace {

using api::TestOutcome;
using std::chrono::hours;

constexpr std::chrono::minutes kAgainFirst{30};
constexpr hours kCorrected{3};  // a clock that was set back by more than that was wrong before
constexpr hours kFarthest{24 * 366 * 9};

// The last time in (after, until] that the schedule names; nullopt: none.
std::optional<WallTime> last_between(const ProofTimes& times, WallTime after, WallTime until) {
  std::optional<WallTime> last;
  // Looked for in stretches that double, backwards: few times lie in the first that has any.
  for (hours back{1};; back *= 2) {
    const WallTime from = std::max(after, until - back);
    for (auto at = next_after(times.cron, from, times.zone); at && *at <= until;
         at = next_after(times.cron, *at, times.zone))
      last = *at;
    if (last || from == after || back > kFarthest) return last;
  }
}

// Twice as long after the time that it was due at as what failed was, and so on.
WallTime again_at(const ProofTimes& times, WallTime served) {
  const WallTime due = last_between(times, WallTime{}, served).value_or(served);
  return due + std::max<WallTime::duration>(kAgainFirst, 2 * (served - due));
}

// While one runs, what was told of the one before.
std::optional<bool> passed(const std::optional<TestOutcome>& outcome, const std::optional<std::string>& passed_at,
                           const api::Condition* told, const char* failure) {
  if (outcome == TestOutcome::kPassed) return true;
  if (outcome == TestOutcome::kFailed) return false;
  if (outcome == TestOutcome::kRunning && told && told->reason == failure) return false;
  return passed_at ? std::optional(true) : std::nullopt;
}

}  // namespace

std::optional<ProofTimes> proof_times(const std::optional<std::string>& cron, const std::string& zone) {
  if (!cron) return std::nullopt;
  auto parsed = parse_cron(*cron);
  auto loaded = load_zone(zone);
  if (!parsed || !loaded) return std::nullopt;
  return ProofTimes{*parsed, std::move(*loaded)};
}

std::optional<WallTime> due_proof(const ProofTimes& times, std::optional<std::string>& served, bool failed,
                                  WallTime now) {
  if (!served || time_or(served, now) > now + kCorrected) served = to_rfc3339(now);
  const WallTime since = time_or(served, now);
  if (const auto at = last_between(times, since, now)) return at;
  if (failed && now >= again_at(times, since)) return now;
  return std::nullopt;
}

void tell_verified(const api::BackupSchedule& schedule, api::BackupScheduleStatus& status, WallTime now) {
  const auto& wanted = schedule.spec.verification;
  if (!wanted || (!wanted->schedule && !wanted->read_back)) {
    api::remove_condition(status.conditions, "Verified");
    return;
  }
  const api::VerifiedStatus its = status.verified.value_or(api::VerifiedStatus{});
  const api::Condition* told = api::find_condition(status.conditions, "Verified");
  const auto restored =
      wanted->schedule ? passed(its.restored, its.restored_at, told, "RestoreTestFailed") : std::nullopt;
  const auto read = wanted->read_back ? passed(its.read, its.read_at, told, "ReadFailed") : std::nullopt;
  api::Condition verified;
  verified.type = "Verified";
  const auto say = [&](const std::optional<TestOutcome>& outcome, const std::optional<std::string>& message, bool holds,
                       const char* reason) {
    verified.status = holds ? api::ConditionStatus::kTrue : api::ConditionStatus::kFalse;
    verified.reason = reason;
    // What runs has no word yet.
    const bool kept = outcome == TestOutcome::kRunning && told && told->reason == reason;
    verified.message = kept                               ? told->message
                       : outcome == TestOutcome::kRunning ? "it did, the last time"
                                                          : message.value_or("");
  };
  if (restored == false)
    say(its.restored, its.restored_message, false, "RestoreTestFailed");
  else if (read == false)
    say(its.read, its.read_message, false, "ReadFailed");
  else if (restored)
    say(its.restored, its.restored_message, true, "RestoreTestPassed");
  else if (read)
    say(its.read, its.read_message, true, "ReadPassed");
  else
    verified = {"Verified", api::ConditionStatus::kUnknown, std::nullopt, "", "NotTested", "nothing was proven yet"};
  api::set_condition(status.conditions, verified, schedule.metadata.generation, now);
}

}  // namespace twinspan::controllers
