#include "worker/s3/direction.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "worker/s3/copy_record.hpp"
#include "worker/s3/failover_report.hpp"
#include "worker/s3/route_spec.hpp"

namespace twinspan::worker_s3 {
namespace {

api::ReplicationLink link(const Json& assignment = nullptr) {
  Json json = Json::parse(R"({
    "apiVersion": "twinspan.dev/v1alpha1", "kind": "ReplicationLink", "metadata": {"name": "backups", "namespace": "shop"},
    "spec": {"engine": "S3", "source": {"name": "sgp", "s3": {"endpoint": "https://sgp1.example", "bucket": "a-sgp"}},
             "targets": [{"name": "nyc", "s3": {"endpoint": "https://nyc3.example", "bucket": "a-nyc"}},
                         {"name": "fra", "s3": {"endpoint": "https://fra1.example", "bucket": "a-fra"}}]}})");
  if (!assignment.is_null()) json["status"]["assignment"] = assignment;
  return *api::parse_replication_link(json);
}

Json assignment(int epoch, const std::string& primary, const std::string& previous, const std::string& cause) {
  return {{"epoch", epoch}, {"primary", primary}, {"previous", previous}, {"cause", cause}};
}

std::string ways(const api::ReplicationLink& link) {
  std::string text;
  for (const RouteSpec& route : routes_of(link, Division{}, {0}))
    text += route.source.name + ">" + route.target.name + " ";
  return text;
}

TEST(Direction, FollowsTheAssignmentAndWithoutOneTheSpec) {
  EXPECT_EQ(ways(link()), "sgp>nyc sgp>fra ");
  EXPECT_EQ(ways(link(assignment(1, "sgp", "", "Initial"))), "sgp>nyc sgp>fra ");
  EXPECT_EQ(ways(link(assignment(2, "nyc", "sgp", "PrimaryUnreachable"))), "nyc>sgp nyc>fra ");
  EXPECT_EQ(ways(link(assignment(2, "ams", "sgp", "PrimaryUnreachable"))), "") << "an endpoint that is gone: nothing";
}

TEST(Direction, NothingIsCarriedByAnAssignmentThatCannotBeRead) {
  EXPECT_EQ(ways(link(assignment(2, "nyc", "sgp", "Drained"))), "");
  EXPECT_EQ(direction_of(link(assignment(2, "nyc", "sgp", "Drained"))), (Direction{2, "", false}));
}

TEST(Direction, TheFirstAssignmentChangesNothingThatRunsAndEveryLaterOneDoes) {
  EXPECT_EQ(routes_of(link(), Division{}, {0}), routes_of(link(assignment(1, "sgp", "", "Initial")), Division{}, {0}));
  EXPECT_NE(routes_of(link(), Division{}, {0}),
            routes_of(link(assignment(2, "sgp", "sgp", "Switchover")), Division{}, {0}));
}

TEST(CopyRecord, HoldsOnOnlyInItsOwnEpochAndInOneThatAsksTheSamePrimaryAgain) {
  const CopyRecord stored{"nyc", 4, true, true, "2026-11-21T09:00:00Z", std::chrono::milliseconds(5)};
  for (const auto& [direction, holds] : {std::pair{Direction{4, "nyc", false, false}, true},
                                         {Direction{5, "nyc", false, true}, true},
                                         {Direction{5, "nyc", false, false}, false},
                                         {Direction{6, "nyc", false, true}, false},
                                         {Direction{4, "fra", false, false}, false},
                                         {Direction{3, "nyc", false, true}, false}}) {
    const CopyRecord record = continued(stored, direction);
    EXPECT_EQ(record.reconciled, holds) << direction.epoch << direction.primary;
    EXPECT_EQ(!record.listed_at.empty(), holds);
    EXPECT_EQ(record.epoch, direction.epoch);
    EXPECT_EQ(record.primary, direction.primary);
  }
  EXPECT_TRUE(continued({}, Direction{}).reconciled) << "before anything ever moved there is nothing to reconcile";
}

TEST(MissingKeys, AreTheMostThatWasKnownSinceThePrimaryAnsweredLast) {
  MissingKeys missing;
  EXPECT_EQ(missing.count("nyc", 5, true), 5u);
  EXPECT_EQ(missing.count("nyc", 2, true), 2u) << "they have arrived";
  EXPECT_EQ(missing.count("nyc", 4, false), 4u);
  EXPECT_EQ(missing.count("nyc", 0, false), 4u) << "given up, not arrived";
  EXPECT_EQ(missing.count("nyc", std::nullopt, false), 4u);
  EXPECT_EQ(missing.count("nyc", 0, true), 0u);
  EXPECT_EQ(missing.count("fra", std::nullopt, false), std::nullopt);
  EXPECT_EQ(missing.count("fra", 0, false), 0u);
}

TEST(FailoverReport, CountsAsACopyOnlyWhatARunToItSays) {
  PlaceSeen sgp, nyc;
  sgp.name = "sgp";
  sgp.reach = Reach::kReachable;
  nyc.name = "nyc";
  MissingKeys missing;
  FlowReport report = failover_report({nyc, sgp}, {}, "sgp", 3, missing, WallTime{});
  EXPECT_EQ(report.adopted, Epoch{3});
  EXPECT_FALSE(report.places[0].complete_once || report.places[0].caught_up || report.places[0].missing);

  TargetSnapshot run;
  run.name = "nyc";
  run.engine.emplace().outstanding_keys = 2;
  run.record.listed_at = "2026-11-21T09:00:00Z";
  report = failover_report({nyc, sgp}, {run, run}, "sgp", 3, missing, WallTime{});
  EXPECT_EQ(report.places[0].missing, 4u) << "two runs that share the keys";
  EXPECT_TRUE(report.places[0].complete_once);
  EXPECT_FALSE(report.places[0].caught_up);
  TargetSnapshot late = run;
  late.record.listed_at.clear();
  report = failover_report({nyc, sgp}, {run, late}, "sgp", 3, missing, WallTime{});
  EXPECT_FALSE(report.places[0].complete_once);
  EXPECT_EQ(report.places[0].listed_at, "");
}

}  // namespace
}  // namespace twinspan::worker_s3
