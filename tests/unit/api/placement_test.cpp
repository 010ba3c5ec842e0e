// Where pods may run: each rule by what it allows and what it refuses, with the field.
#include <gtest/gtest.h>

#include "api/validate_placement.hpp"
#include "manifest.hpp"

namespace twinspan::api {
namespace {

// Whom judging names. A spec that holds it is read all the same: whoever runs by it goes on.
std::string refused(const char* placement) {
  const auto managed = parse_managed_postgres(Json::parse(placement));
  if (!managed) return managed.error().message;
  std::vector<FieldError> errors;
  check_placement(
      {managed->node_selector, managed->affinity, managed->tolerations, managed->topology_spread_constraints},
      [](const auto&) { return "m"; }, errors);
  std::string out;
  for (const FieldError& error : errors) {
    EXPECT_FALSE(error.message.empty());
    out += (out.empty() ? "" : " ") + error.field;
  }
  return out;
}

std::string of_node(const std::string& requirement) {
  return refused((R"({"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution":
    {"nodeSelectorTerms": [{"matchExpressions": [)" +
                  requirement + "]}]}}}}")
                     .c_str());
}

std::string of_pods(const std::string& term) {
  return refused(
      (R"({"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [)" + term + "]}}}")
          .c_str());
}

constexpr const char* kNode =
    "m.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0].matchExpressions[0]";
constexpr const char* kPods = "m.affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution[0]";

TEST(Placement, IsKeptAsItWasWritten) {
  const Json json = Json::parse(R"({"affinity": {"podAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
    {"weight": 5, "podAffinityTerm": {"topologyKey": "zone"}}]}}, "tolerations": [{"operator": "Exists"}]})");
  const auto managed = parse_managed_postgres(json);
  ASSERT_TRUE(managed) << managed.error().message;
  EXPECT_EQ(managed->affinity, json["affinity"]) << "what people left out is not filled in: the pod's hash is of it";
  EXPECT_EQ(managed->tolerations.at(0), json["tolerations"][0]);
}

TEST(Placement, NodesAreComparedAsTheOperatorSays) {
  for (const char* good :
       {R"({"key": "disk", "operator": "In", "values": ["ssd", "nvme"]})", R"({"key": "a/b", "operator": "Exists"})",
        R"({"key": "disk", "operator": "NotIn", "values": ["hdd"]})", R"({"key": "disk", "operator": "DoesNotExist"})",
        R"({"key": "cores", "operator": "Gt", "values": ["7"]})", R"({"key": "c", "operator": "Lt", "values": ["-1"]})",
        R"({"key": "disk", "operator": "Exists", "values": []})"})
    EXPECT_EQ(of_node(good), "") << good;
  for (const char* bad :
       {R"({"key": "disk", "operator": "In"})", R"({"key": "disk", "operator": "NotIn"})",
        R"({"key": "disk", "operator": "Exists", "values": ["a"]})",
        R"({"key": "cores", "operator": "Gt", "values": ["7", "8"]})", R"({"key": "cores", "operator": "Gt"})",
        R"({"key": "cores", "operator": "Lt", "values": ["7a"]})"})
    EXPECT_EQ(of_node(bad), std::string(kNode) + ".values") << bad;
  EXPECT_EQ(of_node(R"({"key": "a b", "operator": "Exists"})"), std::string(kNode) + ".key");
  EXPECT_EQ(of_node(R"({"operator": "Exists"})"), std::string(kNode) + ".key") << "the schema's own rules, too";
}

TEST(Placement, FieldsOfNodesAreTheirNamesOnly) {
  const auto of = [](const std::string& requirement) {
    return refused((R"({"affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [
      {"weight": 1, "preference": {"matchFields": [)" +
                    requirement + "]}}]}}}")
                       .c_str());
  };
  const std::string at =
      "m.affinity.nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].preference.matchFields[0]";
  EXPECT_EQ(of(R"({"key": "metadata.name", "operator": "In", "values": ["node-1.example"]})"), "");
  EXPECT_EQ(of(R"({"key": "spec.name", "operator": "In", "values": ["a"]})"), at + ".key");
  EXPECT_EQ(of(R"({"key": "metadata.name", "operator": "Exists", "values": ["a"]})"), at + ".operator");
  EXPECT_EQ(of(R"({"key": "metadata.name", "operator": "In", "values": ["a", "b"]})"), at + ".values");
}

TEST(Placement, PodsAreChosenByLabelsThatCanBe) {
  for (const char* good :
       {R"({"topologyKey": "kubernetes.io/hostname"})",
        R"({"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "shop"}}, "namespaces": ["shop"],
            "matchLabelKeys": ["version"], "mismatchLabelKeys": ["tenant"]})",
        R"({"topologyKey": "zone", "namespaceSelector": {}, "labelSelector": {"matchExpressions": [
            {"key": "app", "operator": "In", "values": ["a", ""]}, {"key": "b", "operator": "Exists"}]}})"})
    EXPECT_EQ(of_pods(good), "") << good;
  for (const auto& [bad, field] : std::vector<std::pair<const char*, const char*>>{
           {R"({"topologyKey": "a b"})", ".topologyKey"},
           {R"({"topologyKey": "z", "namespaces": ["Shop"]})", ".namespaces[0]"},
           {R"({"topologyKey": "z", "labelSelector": {"matchLabels": {"a b": "c"}}})",
            ".labelSelector.matchLabels[a b]"},
           {R"({"topologyKey": "z", "namespaceSelector": {"matchLabels": {"a": "-"}}})",
            ".namespaceSelector.matchLabels[a]"},
           {R"({"topologyKey": "z", "labelSelector": {"matchExpressions": [{"key": "a", "operator": "In"}]}})",
            ".labelSelector.matchExpressions[0].values"},
           {R"({"topologyKey": "z", "labelSelector": {"matchExpressions": [
               {"key": "a", "operator": "In", "values": ["b c"]}]}})",
            ".labelSelector.matchExpressions[0].values[0]"},
           {R"({"topologyKey": "z", "matchLabelKeys": ["a"]})", ".matchLabelKeys"},
           {R"({"topologyKey": "z", "labelSelector": {}, "matchLabelKeys": ["a"], "mismatchLabelKeys": ["a"]})",
            ".mismatchLabelKeys[0]"}})
    EXPECT_EQ(of_pods(bad), std::string(kPods) + field) << bad;
}

TEST(Placement, TolerationsAreThoseOfAPod) {
  for (const char* good :
       {R"({"operator": "Exists"})", R"({"key": "db", "operator": "Exists"})", R"({"key": "db", "value": "a"})",
        R"({"key": "db", "operator": "Equal", "value": ""})", R"({"key": "", "operator": "Exists"})",
        R"({"key": "db", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 0})"})
    EXPECT_EQ(refused((std::string(R"({"tolerations": [)") + good + "]}").c_str()), "") << good;
  for (const auto& [bad, field] : std::vector<std::pair<const char*, const char*>>{
           {R"({"value": "a"})", "operator"},
           {R"({"key": "", "operator": "Equal"})", "operator"},
           {R"({"key": "a b", "operator": "Exists"})", "key"},
           {R"({"key": "db", "value": "a b"})", "value"},
           {R"({"key": "db", "operator": "Exists", "value": "a"})", "value"},
           {R"({"key": "db", "operator": "Exists", "tolerationSeconds": 5})", "tolerationSeconds"}})
    EXPECT_EQ(refused((std::string(R"({"tolerations": [)") + bad + "]}").c_str()),
              "m.tolerations[0]." + std::string(field))
        << bad;
  EXPECT_EQ(refused(R"({"tolerations": [{"key": "db", "effect": "Never"}]})"), "m.tolerations[0].effect");
}

TEST(Placement, SpreadIsThatOfAPod) {
  constexpr const char* kBegin = R"({"topologySpreadConstraints": [{"maxSkew": 1, "topologyKey": "zone")";
  const auto of = [&](const std::string& rest) { return refused((kBegin + rest + "]}").c_str()); };
  const std::string at = "m.topologySpreadConstraints[0].";
  EXPECT_EQ(of(R"(, "whenUnsatisfiable": "DoNotSchedule", "minDomains": 2})"), "");
  EXPECT_EQ(of(R"(, "whenUnsatisfiable": "ScheduleAnyway", "minDomains": 2})"), at + "minDomains");
  EXPECT_EQ(of(R"(, "whenUnsatisfiable": "DoNotSchedule", "matchLabelKeys": ["a"]})"), at + "matchLabelKeys");
  EXPECT_EQ(of(R"(, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {"matchLabels": {"a": "-"}}})"),
            at + "labelSelector.matchLabels[a]");
  EXPECT_EQ(of(R"(, "whenUnsatisfiable": "Never"})"), at + "whenUnsatisfiable");
  EXPECT_EQ(of("}"), at + "whenUnsatisfiable");
  EXPECT_EQ(of(R"(, "whenUnsatisfiable": "DoNotSchedule"}, {"maxSkew": 2, "topologyKey": "zone",
                   "whenUnsatisfiable": "DoNotSchedule"})"),
            "m.topologySpreadConstraints[1]");
  EXPECT_EQ(of(R"(, "whenUnsatisfiable": "DoNotSchedule"}, {"maxSkew": 2, "topologyKey": "zone",
                   "whenUnsatisfiable": "ScheduleAnyway"})"),
            "");
}

}  // namespace
}  // namespace twinspan::api
