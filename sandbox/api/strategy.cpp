#include "sandbox/api/strategy.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <regex>

#include "core/base64.hpp"

namespace twinspan::sandbox {
namespace {

void set_if_absent(Json& object, const char* name, Json value) {
  if (!object.contains(name) || object[name].is_null() || object[name] == "") object[name] = std::move(value);
}

void default_container(Json& container) {
  if (!container.is_object()) return;
  const std::string image = container.value("image", "");
  const size_t colon = image.rfind(':');
  const bool latest =
      colon == std::string::npos || image.find('/', colon) != std::string::npos || image.substr(colon) == ":latest";
  set_if_absent(container, "imagePullPolicy", latest ? "Always" : "IfNotPresent");
  set_if_absent(container, "terminationMessagePath", "/dev/termination-log");
  set_if_absent(container, "terminationMessagePolicy", "File");
  set_if_absent(container, "resources", Json::object());
  for (const char* name : {"livenessProbe", "readinessProbe", "startupProbe"}) {
    const auto probe = container.find(name);
    if (probe == container.end() || !probe->is_object()) continue;
    set_if_absent(*probe, "timeoutSeconds", 1);
    set_if_absent(*probe, "periodSeconds", 10);
    set_if_absent(*probe, "successThreshold", 1);
    set_if_absent(*probe, "failureThreshold", 3);
    if (probe->contains("httpGet")) {
      set_if_absent((*probe)["httpGet"], "path", "/");
      set_if_absent((*probe)["httpGet"], "scheme", "HTTP");
    }
  }
  if (const auto env = container.find("env"); env != container.end() && env->is_array()) {
    for (Json& each : *env)
      if (each.contains("valueFrom") && each["valueFrom"].contains("fieldRef"))
        set_if_absent(each["valueFrom"]["fieldRef"], "apiVersion", "v1");
  }
}

void default_pod_spec(Json& spec) {
  if (!spec.is_object()) return;
  set_if_absent(spec, "restartPolicy", "Always");
  set_if_absent(spec, "dnsPolicy", "ClusterFirst");
  set_if_absent(spec, "schedulerName", "default-scheduler");
  set_if_absent(spec, "terminationGracePeriodSeconds", 30);
  set_if_absent(spec, "securityContext", Json::object());
  set_if_absent(spec, "enableServiceLinks", true);
  if (spec.contains("serviceAccountName")) spec["serviceAccount"] = spec["serviceAccountName"];
  for (const char* name : {"initContainers", "containers"})
    if (spec.contains(name) && spec[name].is_array())
      for (Json& container : spec[name]) default_container(container);
  if (const auto volumes = spec.find("volumes"); volumes != spec.end() && volumes->is_array()) {
    for (Json& volume : *volumes) {
      if (volume.size() == 1 && volume.contains("name")) volume["emptyDir"] = Json::object();
      for (const char* kind : {"secret", "configMap", "projected", "downwardAPI"})
        if (volume.contains(kind) && volume[kind].is_object()) set_if_absent(volume[kind], "defaultMode", 420);
    }
  }
}

void default_service(Json& spec) {
  set_if_absent(spec, "type", "ClusterIP");
  set_if_absent(spec, "sessionAffinity", "None");
  if (spec["type"] != "ExternalName") {
    set_if_absent(spec, "internalTrafficPolicy", "Cluster");
    set_if_absent(spec, "ipFamilies", {"IPv4"});
    set_if_absent(spec, "ipFamilyPolicy", "SingleStack");
  }
  if (const auto ports = spec.find("ports"); ports != spec.end() && ports->is_array()) {
    for (Json& port : *ports) {
      if (!port.is_object()) continue;
      set_if_absent(port, "protocol", "TCP");
      if (port.contains("port")) set_if_absent(port, "targetPort", port["port"]);
    }
  }
}

bool is_label_key(const std::string& key) {
  static const std::regex kKey(
      "^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$");
  return std::regex_match(key, kKey);
}

Json at_path(const Json& object, std::string_view pointer) {
  const Json::json_pointer path{std::string(pointer)};
  return object.contains(path) ? object[path] : Json();
}

void require_immutable(const Json& object, const Json* old_object, const char* pointer, const char* field,
                       Causes& causes) {
  if (!old_object) return;
  const Json now = at_path(object, pointer);
  if (now != at_path(*old_object, pointer)) causes.push_back(invalid_value(field, now, "field is immutable"));
}

void validate_pod(const Json& object, const Json* old_object, Causes& causes) {
  const Json& spec = object["spec"];
  if (spec.value("containers", Json::array()).empty()) causes.push_back(required_value("spec.containers"));
  std::set<std::string> names;
  for (const char* list : {"initContainers", "containers"}) {
    if (!spec.contains(list)) continue;
    for (size_t i = 0; i < spec[list].size(); ++i) {
      const Json& container = spec[list][i];
      const std::string path = fmt::format("spec.{}[{}]", list, i), name = container.value("name", "");
      if (!name.empty() && !is_dns_label(name))
        causes.push_back(invalid_value(path + ".name", name,
                                       "a lowercase RFC 1123 label must consist of lower case alphanumeric characters "
                                       "or '-', and must start and end with an alphanumeric character"));
      if (!name.empty() && !names.insert(name).second) causes.push_back(duplicate_value(path + ".name", name));
      if (container.value("image", "").empty()) causes.push_back(required_value(path + ".image"));
      const Json mounts = container.value("volumeMounts", Json::array());
      for (size_t m = 0; m < mounts.size(); ++m) {
        const std::string wanted = mounts[m].value("name", "");
        const Json volumes = spec.value("volumes", Json::array());
        if (std::none_of(volumes.begin(), volumes.end(),
                         [&](const Json& volume) { return volume.value("name", "") == wanted; }))
          causes.push_back({"FieldValueNotFound", fmt::format("Not found: {}", Json(wanted).dump()),
                            fmt::format("{}.volumeMounts[{}].name", path, m)});
      }
    }
  }
  if (!old_object) return;
  // Only images, activeDeadlineSeconds, tolerations (grown) and a shorter grace period may change; nodeName once, by
  // binding.
  const auto fixed = [](Json copy) {
    for (const char* name :
         {"activeDeadlineSeconds", "tolerations", "terminationGracePeriodSeconds", "schedulingGates"})
      copy.erase(name);
    for (const char* list : {"initContainers", "containers"})
      if (copy.contains(list))
        for (Json& container : copy[list]) container.erase("image"), container.erase("imagePullPolicy");
    return copy;
  };
  Json before = fixed((*old_object)["spec"]);
  if (!before.contains("nodeName") && spec.contains("nodeName")) before["nodeName"] = spec["nodeName"];
  if (fixed(spec) != before)
    causes.push_back(forbidden_value(
        "spec",
        "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
        "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
        "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"));
}

void validate_service(const Json& object, const Json* old_object, Causes& causes) {
  const Json& spec = object["spec"];
  const bool headless = spec.value("clusterIP", "") == "None";
  if (spec.value("type", "") == "ExternalName") {
    if (spec.value("externalName", "").empty()) causes.push_back(required_value("spec.externalName"));
    return;
  }
  const Json ports = spec.value("ports", Json::array());
  if (ports.empty() && !headless) causes.push_back(required_value("spec.ports"));
  for (size_t i = 0; i < ports.size(); ++i) {
    const std::string path = fmt::format("spec.ports[{}]", i);
    const int64_t number = ports[i].value("port", 0);
    if (number < 1 || number > 65535)
      causes.push_back(invalid_value(path + ".port", number, "must be between 1 and 65535, inclusive"));
    if (ports.size() > 1 && ports[i].value("name", "").empty()) causes.push_back(required_value(path + ".name"));
  }
  if (old_object) {
    const Json before = at_path(*old_object, "/spec/clusterIP"), now = at_path(object, "/spec/clusterIP");
    if (before.is_string() && before != "" && now != before)
      causes.push_back(invalid_value("spec.clusterIPs[0]", now.is_null() ? Json::array() : Json::array({now}),
                                     "may not change once set"));
  }
}

void validate_lease(const Json& object, Causes& causes) {
  const Json spec = object.value("spec", Json::object());
  if (const auto seconds = spec.find("leaseDurationSeconds");
      seconds != spec.end() && seconds->is_number() && seconds->get<int64_t>() <= 0)
    causes.push_back(invalid_value("spec.leaseDurationSeconds", *seconds, "must be greater than 0"));
  if (const auto count = spec.find("leaseTransitions");
      count != spec.end() && count->is_number() && count->get<int64_t>() < 0)
    causes.push_back(invalid_value("spec.leaseTransitions", *count, "must be greater than or equal to 0"));
}

void validate_claim(const Json& object, const Json* old_object, Causes& causes) {
  const Json& spec = object["spec"];
  if (spec.value("accessModes", Json::array()).empty())
    causes.push_back(required_value("spec.accessModes", "at least 1 access mode is required"));
  if (at_path(object, "/spec/resources/requests/storage").is_null())
    causes.push_back(required_value("spec.resources[storage]"));
  if (!old_object) return;
  const auto fixed = [](Json copy) {
    copy.erase("resources");
    copy.erase("volumeAttributesClassName");
    return copy;
  };
  Json before = fixed((*old_object)["spec"]);
  for (const char* late : {"volumeName", "storageClassName"})
    if (!before.contains(late) && spec.contains(late)) before[late] = spec[late];
  if (fixed(spec) != before)
    causes.push_back(forbidden_value(
        "spec",
        "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"));
}

void validate_workload(const Json& object, const Json* old_object, const char* kind, Causes& causes) {
  const Json selector = at_path(object, "/spec/selector/matchLabels");
  const Json labels = at_path(object, "/spec/template/metadata/labels");
  if (at_path(object, "/spec/selector").is_null()) causes.push_back(required_value("spec.selector"));
  if (selector.is_object()) {
    for (const auto& [name, value] : selector.items())
      if (!labels.is_object() || labels.value(name, Json()) != value) {
        causes.push_back(invalid_value("spec.template.metadata.labels", labels.is_null() ? Json::object() : labels,
                                       "`selector` does not match template `labels`"));
        break;
      }
  }
  if (std::string_view(kind) != "ReplicaSet" || old_object)
    require_immutable(object, old_object, "/spec/selector", "spec.selector", causes);
}

}  // namespace

bool is_dns_label(const std::string& text) {
  static const std::regex kLabel("^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$");
  return std::regex_match(text, kLabel);
}

bool is_dns_subdomain(const std::string& text) {
  static const std::regex kName("^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$");
  return text.size() <= 253 && std::regex_match(text, kName);
}

void default_builtin(const Kind& kind, Json& object) {
  if (kind.custom) return;
  const std::string& plural = kind.plural;
  if (plural == "secrets") {
    if (const auto plain = object.find("stringData"); plain != object.end() && plain->is_object()) {
      for (const auto& [name, value] : plain->items())
        if (value.is_string()) object["data"][name] = base64_encode(value.get<std::string>());
      object.erase("stringData");
    }
    set_if_absent(object, "type", "Opaque");
    return;
  }
  if (plural == "namespaces") {
    set_if_absent(object["metadata"]["labels"], "kubernetes.io/metadata.name", object["metadata"].value("name", ""));
    return;
  }
  const auto found = object.find("spec");
  if (found == object.end() || !found->is_object()) return;
  Json& spec = *found;
  if (plural == "pods") default_pod_spec(spec);
  if (plural == "services") default_service(spec);
  if (plural == "persistentvolumeclaims") set_if_absent(spec, "volumeMode", "Filesystem");
  if (plural == "persistentvolumes") {
    set_if_absent(spec, "volumeMode", "Filesystem");
    set_if_absent(spec, "persistentVolumeReclaimPolicy", "Retain");
  }
  if (plural == "deployments" || plural == "statefulsets" || plural == "replicasets") {
    set_if_absent(spec, "replicas", 1);
    if (spec.contains("template") && spec["template"].contains("spec")) default_pod_spec(spec["template"]["spec"]);
    if (plural == "statefulsets") set_if_absent(spec, "podManagementPolicy", "OrderedReady");
    if (plural == "deployments") {
      set_if_absent(spec, "strategy",
                    {{"type", "RollingUpdate"}, {"rollingUpdate", {{"maxSurge", "25%"}, {"maxUnavailable", "25%"}}}});
      set_if_absent(spec, "progressDeadlineSeconds", 600);
    }
    if (plural != "replicasets") set_if_absent(spec, "revisionHistoryLimit", 10);
  }
  if (plural == "networkpolicies")
    set_if_absent(spec, "policyTypes", spec.contains("egress") ? Json{"Ingress", "Egress"} : Json{"Ingress"});
  if (plural == "customresourcedefinitions" && spec.contains("names") && spec["names"].is_object() &&
      spec["names"].contains("kind") && spec["names"]["kind"].is_string()) {
    std::string singular = spec["names"]["kind"];
    for (char& c : singular) c = static_cast<char>(tolower(c));
    set_if_absent(spec["names"], "singular", singular);
    set_if_absent(spec["names"], "listKind", spec["names"]["kind"].get<std::string>() + "List");
    set_if_absent(spec, "conversion", {{"strategy", "None"}});
  }
}

void prepare_builtin(const Kind& kind, Json& object) {
  if (kind.custom) return;
  const std::string& plural = kind.plural;
  if (plural == "pods") {
    object["status"] = {{"phase", "Pending"}};
    bool limited = false;
    for (const Json& container : object["spec"].value("containers", Json::array()))
      limited = limited || !container.value("resources", Json::object()).value("requests", Json::object()).empty() ||
                !container.value("resources", Json::object()).value("limits", Json::object()).empty();
    object["status"]["qosClass"] = limited ? "Burstable" : "BestEffort";
  }
  if (plural == "namespaces") {
    object["spec"]["finalizers"] = {"kubernetes"};
    object["status"] = {{"phase", "Active"}};
  }
  if (plural == "services") object["status"] = {{"loadBalancer", Json::object()}};
  if (plural == "persistentvolumeclaims") object["status"] = {{"phase", "Pending"}};
  if (plural == "persistentvolumes") object["status"] = {{"phase", "Available"}};
  if (plural == "deployments") object["status"] = Json::object();
  if (plural == "statefulsets" || plural == "replicasets") object["status"] = {{"replicas", 0}};
}

Causes validate_builtin(const Kind& kind, const Json& object, const Json* old_object) {
  Causes causes;
  if (kind.custom) return causes;
  const std::string& plural = kind.plural;
  static const std::set<std::string> kSpecified = {
      "pods",        "services",     "persistentvolumeclaims",   "persistentvolumes",
      "deployments", "statefulsets", "customresourcedefinitions"};
  if (kSpecified.contains(plural) && !object.value("spec", Json()).is_object()) {
    causes.push_back(required_value("spec"));
    return causes;
  }
  if (plural == "pods") validate_pod(object, old_object, causes);
  if (plural == "services") validate_service(object, old_object, causes);
  if (plural == "leases") validate_lease(object, causes);
  if (plural == "persistentvolumeclaims") validate_claim(object, old_object, causes);
  if (plural == "deployments" || plural == "statefulsets")
    validate_workload(object, old_object, kind.kind.c_str(), causes);
  if (plural == "customresourcedefinitions") causes = check_definition(object);
  if (plural == "secrets") {
    require_immutable(object, old_object, "/type", "type", causes);
    const Json data = object.value("data", Json::object());
    for (const auto& [name, value] : data.items()) {
      static const std::regex kName("^[-._a-zA-Z0-9]+$");
      if (!std::regex_match(name, kName))
        causes.push_back(invalid_value(fmt::format("data[{}]", name), name,
                                       "a valid config key must consist of alphanumeric characters, '-', '_' or '.'"));
    }
  }
  if ((plural == "secrets" || plural == "configmaps") && old_object && old_object->value("immutable", false)) {
    for (const char* part : {"data", "binaryData", "immutable"})
      if (object.value(part, Json()) != old_object->value(part, Json()))
        causes.push_back(forbidden_value(part, "field is immutable when `immutable` is set"));
  }
  if (plural == "rolebindings" || plural == "clusterrolebindings") {
    if (!object.contains("roleRef")) causes.push_back(required_value("roleRef"));
    if (old_object && object.value("roleRef", Json()) != old_object->value("roleRef", Json()))
      causes.push_back(invalid_value("roleRef", object.value("roleRef", Json()), "cannot change roleRef"));
  }
  if (plural == "poddisruptionbudgets") {
    const Json spec = object.value("spec", Json::object());
    if (spec.contains("minAvailable") && spec.contains("maxUnavailable"))
      causes.push_back(invalid_value("spec", spec, "minAvailable and maxUnavailable cannot be both set"));
  }
  if (plural == "endpointslices") require_immutable(object, old_object, "/addressType", "addressType", causes);
  if (plural == "events") {
    const std::string ns = object["metadata"].value("namespace", ""),
                      about = object.value("involvedObject", Json::object()).value("namespace", "");
    if (!about.empty() && about != ns)
      causes.push_back(invalid_value("involvedObject.namespace", about, "does not match event.namespace"));
  }
  return causes;
}

Causes validate_metadata(const Kind& kind, const Json& object, const Json* old_object) {
  Causes causes;
  const Json& metadata = object["metadata"];
  const std::string name = metadata.value("name", "");
  static const std::set<std::string> kLabels = {"namespaces", "services"};
  const bool path_only = kind.group == "rbac.authorization.k8s.io";
  if (!old_object) {
    if (name.empty()) {
      causes.push_back(required_value("metadata.name", "name or generateName is required"));
    } else if (!kind.custom && kLabels.contains(kind.plural)) {
      if (!is_dns_label(name))
        causes.push_back(invalid_value("metadata.name", name,
                                       "a lowercase RFC 1123 label must consist of lower case alphanumeric characters "
                                       "or '-', and must start and end with an "
                                       "alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for "
                                       "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"));
    } else if (!path_only && !is_dns_subdomain(name)) {
      causes.push_back(invalid_value("metadata.name", name,
                                     "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric "
                                     "characters, '-' or '.', and must start and end with "
                                     "an alphanumeric character (e.g. 'example.com', regex used for validation is "
                                     "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"));
    }
  }
  static const std::regex kValue("^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$");
  const Json labels = metadata.value("labels", Json::object());
  for (const auto& [key, value] : labels.items()) {
    if (!is_label_key(key))
      causes.push_back(
          invalid_value("metadata.labels", key, "name part must consist of alphanumeric characters, '-', '_' or '.'"));
    else if (value.is_string() && !std::regex_match(value.get<std::string>(), kValue))
      causes.push_back(invalid_value(
          "metadata.labels", value,
          "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must "
          "start and end with an "
          "alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is "
          "'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"));
  }
  const Json annotations = metadata.value("annotations", Json::object());
  for (const auto& [key, value] : annotations.items()) {
    std::string lowered = key;
    const size_t slash = key.find('/');
    for (size_t i = 0; i < std::min(slash, key.size()); ++i) lowered[i] = static_cast<char>(tolower(key[i]));
    if (!is_label_key(lowered))
      causes.push_back(invalid_value("metadata.annotations", key,
                                     "name part must consist of alphanumeric characters, '-', '_' or '.'"));
  }
  const Json owners = metadata.value("ownerReferences", Json::array());
  size_t controllers = 0;
  for (size_t i = 0; i < owners.size(); ++i) {
    for (const char* field : {"apiVersion", "kind", "name", "uid"})
      if (owners[i].value(field, "").empty())
        causes.push_back(
            invalid_value(fmt::format("metadata.ownerReferences[{}].{}", i, field), "", "must not be empty"));
    if (owners[i].value("controller", false)) ++controllers;
  }
  if (controllers > 1)
    causes.push_back(
        invalid_value("metadata.ownerReferences", owners, "Only one reference can have Controller set to true"));
  const Json finalizers = metadata.value("finalizers", Json::array());
  for (size_t i = 0; i < finalizers.size(); ++i) {
    static const std::set<std::string> kKnown = {"orphan", "foregroundDeletion", "kubernetes"};
    const std::string text = finalizers[i].is_string() ? finalizers[i].get<std::string>() : "";
    if (!kKnown.contains(text) && (text.find('/') == std::string::npos || !is_label_key(text)))
      causes.push_back(invalid_value("metadata.finalizers", text,
                                     "name is neither a standard finalizer name nor is it fully qualified"));
  }
  if (old_object && (*old_object)["metadata"].contains("deletionTimestamp")) {
    const Json before = (*old_object)["metadata"].value("finalizers", Json::array());
    for (const Json& finalizer : finalizers)
      if (std::find(before.begin(), before.end(), finalizer) == before.end())
        causes.push_back(forbidden_value(
            "metadata.finalizers",
            fmt::format(
                "no new finalizers can be added if the object is being deleted, found new finalizers []string{{{}}}",
                finalizer.dump())));
  }
  return causes;
}

}  // namespace twinspan::sandbox
