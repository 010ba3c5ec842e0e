#include "controllers/backup/read_decide.hpp"

#include <fmt/format.h>

#include "controllers/backup/proof_times.hpp"
#include "core/text.hpp"

namespace twinspan::controllers {
namespace {

using api::TestOutcome;

constexpr std::chrono::hours kLongest{24};
constexpr size_t kWordsMost = 2000;

void fail_read(api::VerifiedStatus& verified, ReadLook& look, const std::string& why) {
  verified.read = TestOutcome::kFailed;
  verified.read_message = one_line(why, kWordsMost);
  look.busy = true;
  look.events.push_back({true, "ReadFailed", why});
}

void follow(const ReadSeen& seen, api::VerifiedStatus& verified, ReadLook& look) {
  look.assignment = seen.under_way;
  if (seen.now - time_or(seen.under_way->asked, seen.now) > kLongest)
    return fail_read(verified, look, "it took longer than 24 hours");
  if (!seen.said || seen.said->asked != seen.under_way->asked) return;
  switch (seen.said->outcome) {
    case BackupReport::Read::Outcome::kRunning: return;
    case BackupReport::Read::Outcome::kFailed:
      look.proven = seen.said->whole;
      return fail_read(verified, look, seen.said->message);
    case BackupReport::Read::Outcome::kPassed: break;
  }
  verified.read = TestOutcome::kPassed;
  verified.read_at = to_rfc3339(seen.now);
  verified.read_message = one_line(seen.said->message, kWordsMost);
  look.proven = seen.said->whole;
  look.busy = true;
  look.events.push_back({false, "ReadPassed", seen.said->message});
}

void choose(const ReadSeen& seen, const ProofTimes& times, api::VerifiedStatus& verified, ReadLook& look) {
  const auto at = due_proof(times, verified.read_due, verified.read == TestOutcome::kFailed, seen.now);
  if (!at || seen.expiring) return;
  verified.read_due = to_rfc3339(*at);
  if (seen.schedule->spec.suspend) return;
  look.assignment.emplace().asked = to_rfc3339(seen.now);
  look.busy = true;
  verified.read = TestOutcome::kRunning;
  verified.read_message = fmt::format("since {}", look.assignment->asked);
}

}  // namespace

ReadLook decide_read(const ReadSeen& seen, api::BackupScheduleStatus& status) {
  ReadLook look;
  const auto& wanted = seen.schedule->spec.verification;
  const auto times = proof_times(wanted ? wanted->read_back : std::nullopt, seen.schedule->spec.time_zone);
  if (!times && !status.verified && !seen.under_way) return look;
  if (!status.verified) status.verified.emplace();
  api::VerifiedStatus& verified = *status.verified;
  const bool running = verified.read == TestOutcome::kRunning;
  if (seen.under_way && running) {
    if (times || !seen.in_force)
      follow(seen, verified, look);
    else
      fail_read(verified, look, "called off: spec.verification.readBack was taken away");
  } else if (running) {
    fail_read(verified, look, "called off: the link's status names it no more");
  } else if (seen.under_way) {
    look.busy = true;  // it is over
  } else if (times && seen.in_force) {
    choose(seen, *times, verified, look);
  }
  return look;
}

}  // namespace twinspan::controllers
