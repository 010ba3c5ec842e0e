#include "sandbox/api/table_builtin.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <nlohmann/json.hpp>

#include "sandbox/api/table.hpp"

namespace twinspan::sandbox {
namespace {

using Cells = std::vector<Json>;

Json at(const Json& object, std::string_view pointer, Json fallback = nullptr) {
  const Json::json_pointer path{std::string(pointer)};
  return object.contains(path) && !object[path].is_null() ? object[path] : fallback;
}
std::string text(const Json& object, std::string_view pointer, const char* fallback = "<none>") {
  const Json found = at(object, pointer);
  if (found.is_null() || found == "") return fallback;
  return found.is_string() ? found.get<std::string>() : found.dump();
}
std::string age(const Json& object, WallTime now) {
  return age_of(text(object, "/metadata/creationTimestamp", ""), now);
}
std::string joined(const std::vector<std::string>& parts, const char* fallback = "<none>") {
  return parts.empty() ? fallback : fmt::format("{}", fmt::join(parts, ","));
}
std::string labels_of(const Json& object, std::string_view pointer) {
  std::vector<std::string> parts;
  const Json labels = at(object, pointer, Json::object());
  for (const auto& [name, value] : labels.items())
    parts.push_back(name + "=" + (value.is_string() ? value.get<std::string>() : value.dump()));
  return joined(parts);
}

Cells pod(const Json& object, WallTime now) {
  const Json statuses = at(object, "/status/containerStatuses", Json::array());
  size_t ready = 0;
  int64_t restarts = 0;
  std::string status = text(object, "/status/reason", text(object, "/status/phase", "Pending").c_str());
  for (const Json& each : statuses) {
    if (each.value("ready", false)) ++ready;
    restarts += each.value("restartCount", int64_t{0});
    for (const char* state : {"waiting", "terminated"})
      if (const std::string reason = text(each, fmt::format("/state/{}/reason", state), ""); !reason.empty())
        status = reason;
  }
  if (object["metadata"].contains("deletionTimestamp")) status = "Terminating";
  return {fmt::format("{}/{}", ready, at(object, "/spec/containers", Json::array()).size()),
          status,
          std::to_string(restarts),
          age(object, now),
          text(object, "/status/podIP"),
          text(object, "/spec/nodeName"),
          text(object, "/status/nominatedNodeName"),
          "<none>"};
}

Cells service(const Json& object, WallTime now) {
  std::vector<std::string> ports;
  for (const Json& port : at(object, "/spec/ports", Json::array())) {
    std::string shown = std::to_string(port.value("port", 0));
    if (port.contains("nodePort")) shown += fmt::format(":{}", port["nodePort"].get<int>());
    ports.push_back(shown + "/" + port.value("protocol", "TCP"));
  }
  return {text(object, "/spec/type", "ClusterIP"),
          text(object, "/spec/clusterIP"),
          text(object, "/spec/externalName"),
          joined(ports),
          age(object, now),
          labels_of(object, "/spec/selector")};
}

Cells claim(const Json& object, WallTime now) {
  std::vector<std::string> modes;
  static const std::map<std::string, std::string> kShort = {
      {"ReadWriteOnce", "RWO"}, {"ReadOnlyMany", "ROX"}, {"ReadWriteMany", "RWX"}, {"ReadWriteOncePod", "RWOP"}};
  const bool bound = !text(object, "/spec/volumeName", "").empty();
  for (const Json& mode : at(object, "/status/accessModes", Json::array()))
    if (const auto found = kShort.find(mode); found != kShort.end()) modes.push_back(found->second);
  return {object["metadata"].contains("deletionTimestamp") ? "Terminating" : text(object, "/status/phase", "Pending"),
          text(object, "/spec/volumeName", ""),
          bound ? text(object, "/status/capacity/storage", "") : "",
          joined(modes, ""),
          text(object, "/spec/storageClassName", ""),
          "<unset>",
          age(object, now),
          text(object, "/spec/volumeMode")};
}

Cells event(const Json& object, WallTime now) {
  const std::string last =
      text(object, "/lastTimestamp",
           text(object, "/eventTime", text(object, "/metadata/creationTimestamp", "").c_str()).c_str());
  const std::string first = text(object, "/firstTimestamp", last.c_str());
  std::string kind = text(object, "/involvedObject/kind", "");
  for (char& c : kind) c = static_cast<char>(tolower(c));
  return {age_of(last, now),
          text(object, "/type", ""),
          text(object, "/reason", ""),
          kind + "/" + text(object, "/involvedObject/name", ""),
          text(object, "/involvedObject/fieldPath", ""),
          text(object, "/source/component", text(object, "/reportingComponent", "").c_str()),
          text(object, "/message", ""),
          age_of(first, now),
          text(object, "/count", "1"),
          text(object, "/metadata/name", "")};
}

Cells endpoint_slice(const Json& object, WallTime now) {
  std::vector<std::string> ports, addresses;
  for (const Json& port : at(object, "/ports", Json::array())) ports.push_back(std::to_string(port.value("port", 0)));
  for (const Json& endpoint : at(object, "/endpoints", Json::array()))
    for (const Json& address : endpoint.value("addresses", Json::array())) addresses.push_back(address);
  return {text(object, "/addressType", ""), joined(ports, "<unset>"), joined(addresses, "<unset>"), age(object, now)};
}

Cells endpoints(const Json& object, WallTime now) {
  std::vector<std::string> shown;
  for (const Json& subset : at(object, "/subsets", Json::array()))
    for (const Json& address : subset.value("addresses", Json::array()))
      for (const Json& port : subset.value("ports", Json::array()))
        shown.push_back(fmt::format("{}:{}", address.value("ip", ""), port.value("port", 0)));
  return {joined(shown), age(object, now)};
}

Cells node(const Json& object, WallTime now) {
  std::string status = "Unknown";
  for (const Json& condition : at(object, "/status/conditions", Json::array()))
    if (condition.value("type", "") == "Ready") status = condition.value("status", "") == "True" ? "Ready" : "NotReady";
  if (at(object, "/spec/unschedulable") == true) status += ",SchedulingDisabled";
  return {status, "<none>", age(object, now), text(object, "/status/nodeInfo/kubeletVersion", ""),
          text(object, "/status/addresses/0/address")};
}

Cells workload(const Json& object, WallTime now) {
  return {fmt::format("{}/{}", text(object, "/status/readyReplicas", "0"), text(object, "/spec/replicas", "0")),
          age(object, now)};
}

size_t entries(const Json& object, std::initializer_list<const char*> parts) {
  size_t out = 0;
  for (const char* part : parts) out += at(object, part, Json::object()).size();
  return out;
}

}  // namespace

const BuiltinTable* builtin_table(const std::string& plural) {
  const BuiltinColumn age_column{"Age", "string", false};
  static const auto* const tables = new std::map<std::string, BuiltinTable>{
      {"pods",
       {{{"Ready", "string"},
         {"Status", "string"},
         {"Restarts", "string"},
         age_column,
         {"IP", "string", true},
         {"Node", "string", true},
         {"Nominated Node", "string", true},
         {"Readiness Gates", "string", true}},
        pod}},
      {"services",
       {{{"Type", "string"},
         {"Cluster-IP", "string"},
         {"External-IP", "string"},
         {"Port(s)", "string"},
         age_column,
         {"Selector", "string", true}},
        service}},
      {"secrets",
       {{{"Type", "string"}, {"Data", "integer"}, age_column},
        [](const Json& object, WallTime now) {
          return Cells{text(object, "/type", ""), entries(object, {"/data"}), age(object, now)};
        }}},
      {"configmaps",
       {{{"Data", "integer"}, age_column},
        [](const Json& object, WallTime now) {
          return Cells{entries(object, {"/data", "/binaryData"}), age(object, now)};
        }}},
      {"serviceaccounts",
       {{{"Secrets", "integer"}, age_column},
        [](const Json& object, WallTime now) {
          return Cells{at(object, "/secrets", Json::array()).size(), age(object, now)};
        }}},
      {"namespaces",
       {{{"Status", "string"}, age_column},
        [](const Json& object, WallTime now) {
          return Cells{text(object, "/status/phase", ""), age(object, now)};
        }}},
      {"leases",
       {{{"Holder", "string"}, age_column},
        [](const Json& object, WallTime now) {
          return Cells{text(object, "/spec/holderIdentity", ""), age(object, now)};
        }}},
      {"persistentvolumeclaims",
       {{{"Status", "string"},
         {"Volume", "string"},
         {"Capacity", "string"},
         {"Access Modes", "string"},
         {"StorageClass", "string"},
         {"VolumeAttributesClass", "string"},
         age_column,
         {"VolumeMode", "string", true}},
        claim}},
      {"events",
       {{{"Last Seen", "string"},
         {"Type", "string"},
         {"Reason", "string"},
         {"Object", "string"},
         {"Subobject", "string", true},
         {"Source", "string", true},
         {"Message", "string"},
         {"First Seen", "string", true},
         {"Count", "string", true},
         {"Name", "string", true}},
        event}},
      {"endpointslices",
       {{{"AddressType", "string"}, {"Ports", "string"}, {"Endpoints", "string"}, age_column}, endpoint_slice}},
      {"endpoints", {{{"Endpoints", "string"}, age_column}, endpoints}},
      {"nodes",
       {{{"Status", "string"}, {"Roles", "string"}, age_column, {"Version", "string"}, {"Internal-IP", "string", true}},
        node}},
      {"deployments", {{{"Ready", "string"}, age_column}, workload}},
      {"statefulsets", {{{"Ready", "string"}, age_column}, workload}},
      {"poddisruptionbudgets",
       {{{"Min Available", "string"}, {"Max Unavailable", "string"}, {"Allowed Disruptions", "integer"}, age_column},
        [](const Json& object, WallTime now) {
          return Cells{text(object, "/spec/minAvailable", "N/A"), text(object, "/spec/maxUnavailable", "N/A"),
                       at(object, "/status/disruptionsAllowed", 0), age(object, now)};
        }}},
      {"customresourcedefinitions",
       {{{"Created At", "date"}},
        [](const Json& object, WallTime) { return Cells{text(object, "/metadata/creationTimestamp", "")}; }}},
      {"rolebindings",
       {{{"Role", "string"}, age_column},
        [](const Json& object, WallTime now) {
          return Cells{text(object, "/roleRef/kind", "") + "/" + text(object, "/roleRef/name", ""), age(object, now)};
        }}},
      {"clusterrolebindings",
       {{{"Role", "string"}, age_column},
        [](const Json& object, WallTime now) {
          return Cells{text(object, "/roleRef/kind", "") + "/" + text(object, "/roleRef/name", ""), age(object, now)};
        }}},
  };
  const auto found = tables->find(plural);
  return found == tables->end() ? nullptr : &found->second;
}

}  // namespace twinspan::sandbox
