#include "controllers/backup/test_decide.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "contract/restore_test.hpp"
#include "controllers/backup/proof_times.hpp"
#include "core/text.hpp"

namespace twinspan::controllers {
namespace {

using api::TestOutcome;
using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr minutes kMade{2};     // within that its pod is there
constexpr minutes kStarts{30};  // within that its container runs
constexpr hours kLongest{24};   // of the whole test; the pod's activeDeadlineSeconds is the same (test_render.hpp)
constexpr size_t kWordsMost = 2000;

api::TestAssignment order_of(const TestSeen& seen, const api::BackupScheduleStatus& status) {
  api::TestAssignment test;
  test.asked = to_rfc3339(seen.now);
  test.label = status.last->label;
  test.timeline = *status.timeline;
  if (const auto& wanted = seen.schedule->spec.verification->restore_test) {
    test.amcheck = wanted->amcheck;
    test.queries = wanted->queries;
    test.checks = wanted->checks;
  }
  return test;
}

bool can_begin(const TestSeen& seen, const api::BackupScheduleStatus& status) {
  return status.last && status.last->stanza == seen.stanza && status.timeline;
}

void begin(const TestSeen& seen, api::BackupScheduleStatus& status, TestLook& look) {
  look.assignment = order_of(seen, status);
  look.busy = true;
  status.verified->restored = TestOutcome::kRunning;
  status.verified->restored_label = look.assignment->label;
  status.verified->restored_message = fmt::format("since {}", look.assignment->asked);
}

void fail_test(api::VerifiedStatus& verified, TestLook& look, const std::string& why) {
  verified.restored = TestOutcome::kFailed;
  verified.restored_message = one_line(why, kWordsMost);
  verified.restored_seconds.reset();
  look.busy = true;
  look.events.push_back(
      {true, "RestoreTestFailed", fmt::format("backup {}: {}", verified.restored_label.value_or("?"), why)});
}

void take(const RestoreTestResult& result, const TestSeen& seen, api::BackupScheduleStatus& status, TestLook& look) {
  api::VerifiedStatus& verified = *status.verified;
  switch (result.outcome) {
    case RestoreTestResult::Outcome::kMoved:
      // Another one at once, of what the link is now; the pod of this one goes first.
      if (seen.in_force && can_begin(seen, status) && *status.timeline != seen.under_way->timeline)
        return begin(seen, status, look);
      return fail_test(verified, look, result.message);
    case RestoreTestResult::Outcome::kFailed: return fail_test(verified, look, result.message);
    case RestoreTestResult::Outcome::kPassed: break;
  }
  verified.restored = TestOutcome::kPassed;
  verified.restored_at = to_rfc3339(seen.now);
  verified.restored_seconds = result.seconds;
  verified.restored_message = one_line(result.message, kWordsMost);
  look.proven = seen.under_way->label;
  look.busy = true;
  look.events.push_back({false, "RestoreTestPassed", fmt::format("backup {}: {}", *look.proven, result.message)});
}

// Of a test that is under way. While it is, and until its end is written, the link's status names it.
void follow(const TestSeen& seen, api::BackupScheduleStatus& status, TestLook& look) {
  api::VerifiedStatus& verified = *status.verified;
  look.assignment = seen.under_way;
  look.busy = true;
  const auto waited = seen.now - time_or(seen.under_way->asked, seen.now);
  const auto give_up = [&](const std::string& why) { fail_test(verified, look, why); };
  const auto& pod = seen.pod;
  if (waited > kLongest) return give_up("it took longer than 24 hours");
  if (pod && pod->asked != seen.under_way->asked) {  // an earlier test's, on its way out
    if (waited > kStarts) give_up("the pod of an earlier test is still there");
    return;
  }
  if (!pod) {
    if (waited > kMade)
      give_up("its pod is not there: it could not be made, was removed, or its node is gone");
    else
      look.make_pod = true;
    return;
  }
  if (pod->terminating) return give_up("its pod is removed");
  if (pod->restarts > 0) return give_up("its container was started again");
  if (pod->ended) {
    const auto result = restore_test_result_of(pod->said);
    const bool its = result && result->asked == seen.under_way->asked &&
                     pod->succeeded == (result->outcome == RestoreTestResult::Outcome::kPassed);
    if (its) return take(*result, seen, status, look);
    return give_up("its pod ended without an answer" + (pod->trouble.empty() ? "" : ": " + pod->trouble) +
                   (pod->begun && pod->trouble.empty() ? ", or its image is older than this operator" : ""));
  }
  if (!pod->begun && waited > kStarts)
    give_up("its pod did not start within 30 minutes" + (pod->trouble.empty() ? "" : ": " + pod->trouble));
}

void choose(const TestSeen& seen, const ProofTimes& times, api::BackupScheduleStatus& status, TestLook& look) {
  api::VerifiedStatus& verified = *status.verified;
  const auto at = due_proof(times, verified.restored_due, verified.restored == TestOutcome::kFailed, seen.now);
  if (!at) return;
  if (seen.schedule->spec.suspend) {
    verified.restored_due = to_rfc3339(*at);
    return;
  }
  if (seen.expiring) return;
  if (!can_begin(seen, status)) {
    if (!verified.restored) verified.restored_message = "waits for a completed backup";
    return;
  }
  verified.restored_due = to_rfc3339(*at);
  begin(seen, status, look);
  look.events.push_back({false, "RestoreTestBegun", fmt::format("backup {}", look.assignment->label)});
}

}  // namespace

TestPod test_pod_of(const Json& pod) {
  TestPod out;
  const Json& meta = member_of(pod, "metadata");
  out.uid = text_of(meta, "uid");
  out.terminating = !text_of(meta, "deletionTimestamp").empty();
  const Json order = Json::parse(text_of(member_of(meta, "annotations"), kRestoreTestAnnotation), nullptr, false);
  out.asked = text_of(member_of(order, "test"), "asked");
  const Json& status = member_of(pod, "status");
  const std::string phase = text_of(status, "phase");
  out.ended = phase == "Succeeded" || phase == "Failed";
  out.succeeded = phase == "Succeeded";
  const auto note = [&](const std::string& reason, const std::string& message) {
    if (!out.trouble.empty() || reason.empty()) return;
    out.trouble = reason + (message.empty() ? "" : ": " + message);
  };
  for (const Json& one : member_of(status, "containerStatuses")) {
    const Json& state = member_of(one, "state");
    const Json& terminated = member_of(state, "terminated");
    out.begun = out.begun || !member_of(state, "running").is_null() || !terminated.is_null();
    out.restarts += integer_of(one, "restartCount");
    out.said += text_of(terminated, "message");
    if (const std::string reason = text_of(terminated, "reason"); reason != "Completed" && reason != "Error")
      note(reason, "");
    const Json& waiting = member_of(state, "waiting");
    if (const std::string reason = text_of(waiting, "reason");
        reason != "ContainerCreating" && reason != "PodInitializing")
      note(reason, text_of(waiting, "message"));
  }
  note(text_of(status, "reason"), text_of(status, "message"));
  for (const Json& one : member_of(status, "conditions"))
    if (text_of(one, "type") == "PodScheduled" && text_of(one, "status") == "False")
      note(text_of(one, "reason"), text_of(one, "message"));
  return out;
}

TestLook decide_test(const TestSeen& seen, api::BackupScheduleStatus& status) {
  TestLook look;
  const auto& wanted = seen.schedule->spec.verification;
  const auto timetable = proof_times(wanted ? wanted->schedule : std::nullopt, seen.schedule->spec.time_zone);
  if (!timetable && !status.verified && !seen.under_way) return look;
  if (!status.verified) status.verified.emplace();
  const bool running = status.verified->restored == TestOutcome::kRunning;
  if (seen.under_way && running) {
    if (timetable || !seen.in_force)
      follow(seen, status, look);
    else
      fail_test(*status.verified, look, "called off: spec.verification.schedule was taken away");
  } else if (running) {
    fail_test(*status.verified, look, "called off: the link's status names no test any more");
  } else if (seen.under_way) {
    look.busy = true;  // it is over, and its pod goes with what asked for it
  } else if (timetable && seen.in_force) {
    choose(seen, *timetable, status, look);
  }
  return look;
}

void note_proven(const std::string& label, const std::string& stanza, api::VerifiedLevel level, WallTime at,
                 std::map<std::string, api::BackupStatus>& backups) {
  for (auto& [name, status] : backups)
    if (status.label == label && status.stanza == stanza && (!status.verified || status.verified->level <= level))
      status.verified = {level, to_rfc3339(at)};
}

}  // namespace twinspan::controllers
