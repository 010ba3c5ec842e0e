#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "api/conditions.hpp"
#include "controllers/postgres/failover_rules.hpp"
#include "controllers/postgres/story.hpp"

namespace twinspan::controllers {
namespace {

using std::chrono::milliseconds;

const WallTime kStart{std::chrono::hours(500'000)};

api::FailoverPolicy policy() {
  api::FailoverPolicy made;
  made.metadata.name = "orders";
  made.metadata.ns = "shop";
  made.metadata.uid = "u";
  made.metadata.generation = 3;
  made.spec.link_ref.name = "orders";
  api::PolicyService rw, ro;
  rw.name = "orders-rw";
  rw.selects = api::Selects::kPrimary;
  ro.name = "orders-ro";
  ro.selects = api::Selects::kReplicas;
  made.spec.services = {rw, ro};
  return made;
}

FailoverSeen with_lease(const std::string& holder, int64_t epoch, bool promoted) {
  FailoverSeen seen;
  seen.lease.emplace();
  seen.lease->holder_endpoint = holder;
  seen.lease->epoch = {epoch};
  seen.lease->promoted = promoted;
  return seen;
}

RoutingSeen routed(const std::string& to) { return {to.empty() ? Routing::kWithdrawn : Routing::kTo, to, true, {}}; }

Decision at_step(Step step, const std::string& to) {
  Decision decision;
  decision.current = Transition{step, {2}, "east", to, Cause::kProcessDied, {}, std::nullopt};
  if (!to.empty()) decision.current->lost_bytes = 0;
  decision.reason = step == Step::kFencing     ? LogReason::kFencing
                    : step == Step::kElecting  ? LogReason::kLagUnknown
                    : step == Step::kPromoting ? LogReason::kPromoting
                                               : LogReason::kRerouting;
  decision.message = "because";
  return decision;
}

// A failover from the first sign to its record: every time is set once, in order, and the columns say it in short.
TEST(FailoverStory, TellsAFailoverFromTheFirstSignToItsRecord) {
  api::FailoverPolicy object = policy();
  const auto tell = [&](int at_ms, const FailoverSeen& seen, const Decision& decision, const std::string& to) {
    const api::PolicyStatus before = object.status;
    object.status = next_status(object, seen, decision, routed(to), kStart, kStart + milliseconds(at_ms));
    return postgres_events_of(before, object.status);
  };
  FailoverSeen released = with_lease("", 1, true);
  auto events = tell(5, released, at_step(Step::kElecting, ""), "east");
  ASSERT_TRUE(object.status.current);
  EXPECT_EQ(object.status.current->step, "Electing");
  EXPECT_EQ(object.status.current->detected_at, to_rfc3339_micro(kStart));
  EXPECT_FALSE(object.status.current->elected_at);
  EXPECT_EQ(object.status.possible, "Unknown");
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.front().reason, "FailoverStarted");
  EXPECT_TRUE(events.front().warning);

  tell(30, released, at_step(Step::kPromoting, "west"), "east");
  EXPECT_EQ(object.status.current->elected_at, to_rfc3339_micro(kStart + milliseconds(30)));
  tell(40, with_lease("west", 2, false), at_step(Step::kPromoting, "west"), "east");
  EXPECT_FALSE(object.status.current->promoted_at);
  tell(200, with_lease("west", 2, true), at_step(Step::kRerouting, "west"), "east");
  tell(220, with_lease("west", 2, true), at_step(Step::kRerouting, "west"), "west");
  EXPECT_EQ(object.status.current->promoted_at, to_rfc3339_micro(kStart + milliseconds(200)));

  Decision done;
  done.ended = Ending::kCompleted;
  done.reason = LogReason::kCompleted;
  events = tell(240, with_lease("west", 2, true), done, "west");
  EXPECT_FALSE(object.status.current);
  ASSERT_EQ(object.status.history.size(), 1u);
  const api::FailoverRecord& record = object.status.history.front();
  EXPECT_EQ(record.from, "east");
  EXPECT_EQ(record.to, "west");
  EXPECT_EQ(record.reason, "ProcessDied");
  EXPECT_EQ(record.recovery_milliseconds, 240);
  EXPECT_EQ(record.lost_bytes, 0);
  EXPECT_EQ(object.status.took, "240 ms");
  EXPECT_EQ(object.status.lost, "0 B");
  ASSERT_FALSE(events.empty());
  EXPECT_EQ(events.front().reason, "FailoverCompleted");
  EXPECT_EQ(events.front().message, "east -> west in 240 ms, lost 0 B");
}

TEST(FailoverStory, KeepsTenRecordsNewestFirst) {
  api::FailoverPolicy object = policy();
  for (int i = 1; i <= 12; ++i) {
    object.status.current.emplace();
    object.status.current->epoch = i;
    Decision done;
    done.ended = Ending::kCompleted;
    object.status =
        next_status(object, with_lease("west", i, true), done, routed("west"), kStart, kStart + milliseconds(i));
  }
  ASSERT_EQ(object.status.history.size(), 10u);
  EXPECT_EQ(object.status.history.front().epoch, 12);
  EXPECT_EQ(object.status.history.back().epoch, 3);
}

TEST(FailoverStory, LossThatWasNotMeasuredIsNotZero) {
  api::FailoverPolicy object = policy();
  object.status.current.emplace();
  object.status.current->epoch = 2;
  object.status.current->from = "east";
  object.status.current->cause = "LeaseExpired";
  Decision done;
  done.ended = Ending::kCompleted;
  const api::PolicyStatus status =
      next_status(object, with_lease("west", 2, true), done, routed("west"), kStart, kStart);
  EXPECT_FALSE(status.history.front().lost_bytes);
  EXPECT_FALSE(status.lost);
}

TEST(FailoverStory, ReadyOnlyWhenServicesPointAtASettledPrimary) {
  for (bool promoted : {false, true})
    for (const char* to : {"", "east", "west"})
      for (bool changing : {false, true}) {
        Decision decision;
        decision.reason = LogReason::kReplicaReady;
        decision.possible = true;
        if (changing) decision = at_step(Step::kFencing, "");
        const api::PolicyStatus status = next_status(
            policy(), with_lease("east", 1, promoted), decision,
            [&] {
              RoutingSeen routing = routed(to);
              routing.services.resize(1);
              return routing;
            }(),
            kStart, kStart);
        EXPECT_EQ(api::is_true(status.conditions, "Ready"), promoted && !changing && std::string(to) == "east");
        EXPECT_EQ(api::find_condition(status.conditions, "Reconciling") != nullptr, changing);
        for (const api::Condition& one : status.conditions) EXPECT_EQ(one.observed_generation, 3);
      }
}

TEST(FailoverStory, DesiredPrimaryCountsAsReachedOnlyOnceItIsPrimary) {
  api::FailoverPolicy object = policy();
  object.spec.desired_primary = "west";
  const auto status_with = [&](const std::string& primary) {
    return next_status(object, with_lease(primary, 2, true), {}, routed(primary), kStart, kStart);
  };
  EXPECT_FALSE(status_with("east").desired_reached);
  object.status = status_with("west");
  EXPECT_EQ(object.status.desired_reached, "west");
  EXPECT_EQ(status_with("east").desired_reached, "west") << "failed away: still reached once";
  object.spec.desired_primary = "";
  EXPECT_FALSE(status_with("east").desired_reached);
}

TEST(FailoverStory, TransitionSurvivesTheStatus) {
  api::FailoverPolicy object = policy();
  Decision decision = at_step(Step::kPromoting, "west");
  decision.current->excluded = {"north"};
  object.status = next_status(object, with_lease("", 1, true), decision, routed("east"), kStart, kStart);
  EXPECT_EQ(*transition_of(object.status), decision.current);
}

}  // namespace
}  // namespace twinspan::controllers
