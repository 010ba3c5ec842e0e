#include "api/packed.hpp"

#include <gtest/gtest.h>

#include "api/types.hpp"

namespace twinspan::api {
namespace {

template <class T>
T there_and_back(const T& value) {
  return unpack<T>(pack(value));
}

TEST(Packed, ALinkComesBackAsItWas) {
  const auto link =
      parse_replication_link(Json::parse(R"({"apiVersion": "twinspan.dev/v1alpha1", "kind": "ReplicationLink",
    "metadata": {"name": "orders", "namespace": "shop", "uid": "u1", "resourceVersion": "42", "generation": 300,
                 "labels": {"team": "shop"}, "annotations": {"a": "", "b": "x"}, "finalizers": ["twinspan.dev/cleanup", "f"],
                 "creationTimestamp": "2026-01-01T00:00:00Z", "deletionTimestamp": "2026-01-02T00:00:00Z"},
    "spec": {"engine": "Postgres", "lagThreshold": {"seconds": 5, "bytes": 9007199254740993},
             "source": {"name": "east", "postgres": {"managed": {"storage": {"size": "20Gi"}, "parameters": {"work_mem": "8MB"},
                        "tolerations": [{"key": "db", "operator": "Exists"}],
                        "resources": {"requests": {"cpu": "250m", "memory": 1024}}}}},
             "targets": [{"name": "west", "from": "east", "postgres": {"managed": {"parameters": {}}}}],
             "postgres": {"durability": {"mode": "Sync", "replicas": 1}, "diverged": "Clone"}},
    "status": {"observedGeneration": 3, "primary": "east", "epoch": 7, "lag": "0.4s",
               "assignment": {"epoch": 7, "primary": "east", "previous": "west", "cause": "ProcessDied"},
               "conditions": [{"type": "Ready", "status": "False", "reason": "Replicating", "message": "ü",
                               "lastTransitionTime": "2026-01-01T00:00:00Z"}],
               "endpoints": [{"name": "west", "role": "Replica", "state": "Streaming", "lagBytes": 0, "lagSeconds": 0.4}]}})"));
  ASSERT_TRUE(link) << link.error().message;
  EXPECT_EQ(there_and_back(*link), *link);
  EXPECT_EQ(there_and_back(ReplicationLink()), ReplicationLink());
}

TEST(Packed, APolicyComesBackAsItWas) {
  const auto policy = parse_failover_policy(Json::parse(R"({"metadata": {"name": "p", "namespace": "shop"},
    "spec": {"linkRef": {"name": "orders"}, "mode": "Manual", "services": [{"name": "s", "selects": "Replicas"}]},
    "status": {"history": [{"epoch": 2, "from": "east", "to": "west", "reason": "LeaseExpired",
                            "detectedAt": "2026-01-01T00:00:00Z", "outcome": "Completed", "lostBytes": 0}]}})"));
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ(there_and_back(*policy), *policy);
}

TEST(Packed, NumbersOfEverySize) {
  for (const int64_t number : {int64_t{0}, int64_t{-1}, int64_t{63}, int64_t{64}, int64_t{-65}, int64_t{1} << 40,
                               std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::min()})
    EXPECT_EQ(there_and_back(number), number);
  for (const double number : {0.0, -0.5, 1e300}) EXPECT_EQ(there_and_back(number), number);
}

TEST(Packed, AbsentAndEmptyDiffer) {
  using Text = std::optional<std::string>;
  EXPECT_EQ(there_and_back(Text()), Text());
  EXPECT_EQ(there_and_back(Text("")), Text(""));
  EXPECT_EQ(there_and_back(Json()), Json());
  for (const char* text : {"{}", "[]", "\"\"", "0"}) EXPECT_EQ(there_and_back(Json::parse(text)), Json::parse(text));
}

TEST(Packed, TakesLessThanHalfOfTheText) {
  const auto status = parse_link_status(Json::parse(
      R"({"observedGeneration": 3, "primary": "east", "endpoints": [
          {"name": "east", "role": "Primary", "state": "Running", "pod": "orders-east-0", "timeline": 3, "version": "15.20"},
          {"name": "west", "role": "Replica", "state": "Streaming", "pod": "orders-west-0", "timeline": 3, "version": "15.20"}]})"));
  ASSERT_TRUE(status);
  EXPECT_LT(2 * pack(*status).size(), to_json(*status).dump().size());
}

}  // namespace
}  // namespace twinspan::api
