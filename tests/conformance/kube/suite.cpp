#include "suite.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <random>

namespace twinspan::kube::conformance {
namespace {

Config config_under_test() {
  auto config = kubeconfig("", "");
  if (!config) {
    std::fprintf(stderr, "conformance: %s\n", config.error().message.c_str());
    std::exit(1);
  }
  return *config;
}

// A Widget has one field of each kind of rule the API server has to enforce.
Json widget_definition() {
  const Json spec = Json::parse(R"({
    "type": "object", "required": ["size"],
    "x-kubernetes-validations": [
      {"rule": "!has(self.max) || self.size <= self.max", "message": "size must not be larger than max", "fieldPath": ".size"}],
    "properties": {
      "size": {"type": "integer", "minimum": 1, "maximum": 100},
      "max": {"type": "integer"},
      "color": {"type": "string", "enum": ["Red", "Green"], "default": "Green"},
      "shape": {"type": "object", "default": {}, "properties": {"corners": {"type": "integer", "default": 4}}},
      "serial": {"type": "string", "maxLength": 20, "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "serial is immutable"}]},
      "parts": {"type": "array", "maxItems": 3, "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
        "items": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string", "pattern": "^[a-z]+$"}, "count": {"type": "integer"}}}},
      "extra": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}})");
  const Json status = Json::parse(
      R"({"type": "object", "default": {"seen": -1}, "properties": {"phase": {"type": "string"}, "seen": {"type": "integer", "format": "int64"}}})");
  const Json schema = {
      {"type", "object"}, {"required", {"spec"}}, {"properties", {{"spec", spec}, {"status", status}}}};
  const Json version = {{"name", "v1"},
                        {"served", true},
                        {"storage", true},
                        {"subresources", {{"status", Json::object()}}},
                        {"schema", {{"openAPIV3Schema", schema}}}};
  Json crd = {{"apiVersion", "apiextensions.k8s.io/v1"}, {"kind", "CustomResourceDefinition"}};
  crd["metadata"]["name"] = "widgets.conformance.twinspan.dev";
  crd["spec"] = {{"group", "conformance.twinspan.dev"}, {"scope", "Namespaced"}, {"versions", Json::array({version})}};
  crd["spec"]["names"] = {
      {"plural", "widgets"}, {"singular", "widget"}, {"kind", "Widget"}, {"listKind", "WidgetList"}};
  return crd;
}

}  // namespace

Client Suite::make_client() { return Client(config_under_test()); }

void Suite::SetUp() {
  static std::random_device random;
  ns = fmt::format("conformance-{:08x}", random());
  ASSERT_TRUE(
      ok(client.create(kNamespaces, {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", ns}}}})));
}

void Suite::TearDown() { (void)client.remove(kNamespaces, {"", ns}); }

Json Suite::config_map(const std::string& name, Json data) const {
  return {{"apiVersion", "v1"},
          {"kind", "ConfigMap"},
          {"metadata", {{"name", name}, {"namespace", ns}}},
          {"data", std::move(data)}};
}
Json Suite::widget(const std::string& name, Json spec) const {
  return {{"apiVersion", "conformance.twinspan.dev/v1"},
          {"kind", "Widget"},
          {"metadata", {{"name", name}, {"namespace", ns}}},
          {"spec", std::move(spec)}};
}
Json Suite::lease(const std::string& name, const std::string& holder) const {
  Json out = {
      {"apiVersion", "coordination.k8s.io/v1"}, {"kind", "Lease"}, {"metadata", {{"name", name}, {"namespace", ns}}}};
  out["spec"] = {{"holderIdentity", holder},
                 {"leaseDurationSeconds", 5},
                 {"leaseTransitions", 0},
                 {"renewTime", "2026-11-21T09:43:00.123456Z"}};
  return out;
}

std::string Suite::version(const Resource& resource, const std::string& name) {
  return client.get(resource, key(name)).value().at("metadata").at("resourceVersion");
}

std::vector<std::string> Suite::names(const Resource& resource, const ListOptions& options) {
  std::vector<std::string> out;
  const auto listed = client.list(resource, ns, options, [&](Json&& item) {
    EXPECT_EQ(item.value("apiVersion", ""), resource.api_version());
    EXPECT_EQ(item.value("kind", ""), resource.kind);
    out.push_back(item["metadata"]["name"]);
  });
  EXPECT_TRUE(ok(listed));
  EXPECT_FALSE(listed && listed->empty());
  return out;
}

void WidgetSuite::SetUp() {
  Suite::SetUp();
  static bool installed = false;
  if (!installed) {
    const auto made = client.create(kCustomResourceDefinitions, widget_definition());
    ASSERT_TRUE(made || made.error().code == Code::kAlreadyExists) << made.error().message;
    installed = true;
  }
  ASSERT_TRUE(eventually([&] {
    const auto crd = client.get(kCustomResourceDefinitions, {"", "widgets.conformance.twinspan.dev"});
    if (!crd || !crd->contains("status")) return false;
    for (const Json& condition : crd->at("status").value("conditions", Json::array()))
      if (condition["type"] == "Established" && condition["status"] == "True")
        return client.list(kWidgets, ns, {}, [](Json&&) {}).has_value();
    return false;
  }));
}

}  // namespace twinspan::kube::conformance

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (const char* path = std::getenv("KUBECONFIG"); !path || !*path) {
    std::fprintf(stderr,
                 "conformance: KUBECONFIG is not set. It must name the API server to test; its namespaces "
                 "conformance-* and the\n"
                 "CustomResourceDefinition widgets.conformance.twinspan.dev are written. Nothing was tested.\n");
    return 1;
  }
  return RUN_ALL_TESTS();
}
