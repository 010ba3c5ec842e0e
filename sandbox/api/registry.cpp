#include "sandbox/api/registry.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <random>

#include "sandbox/api/apply.hpp"
#include "sandbox/api/patch.hpp"
#include "sandbox/api/strategy.hpp"

namespace twinspan::sandbox {
namespace {

constexpr int kPatchAttempts = 5;  // as the real server: then the conflict is the client's

uint64_t random_bits() {
  static std::mutex mutex;
  static std::mt19937_64 source{std::random_device{}()};
  std::lock_guard lock(mutex);
  return source();
}

std::string random_suffix() {
  static constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";
  std::string out;
  for (int i = 0; i < 5; ++i) out += kAlphabet[random_bits() % kAlphabet.size()];
  return out;
}

bool status_only(const std::string& subresource) { return subresource == "status"; }

void copy_or_erase(Json& to, const Json& from, const char* name) {
  if (from.contains(name))
    to[name] = from[name];
  else
    to.erase(name);
}

// What a change of is a new generation: all but metadata and status; of built-in kinds their spec alone.
bool wants_new_generation(const Kind& kind, const Json& before, const Json& after) {
  if (!kind.generation) return false;
  if (!kind.custom)
    return before.value("spec", Json()) != after.value("spec", Json()) ||
           (kind.plural == "endpointslices" && (before.value("endpoints", Json()) != after.value("endpoints", Json()) ||
                                                before.value("ports", Json()) != after.value("ports", Json())));
  const auto rest = [&](Json object) {
    for (const char* name : {"metadata", "apiVersion"}) object.erase(name);
    if (kind.status) object.erase("status");
    return object;
  };
  return rest(before) != rest(after);
}

// In a PUT a uid is a precondition; in a patch it is a field that can't change.
std::unexpected<Refusal> another_uid(const Kind& kind, const kube::Key& key, const Json& uid) {
  return invalid(kind.group, kind.kind, key.name, {invalid_value("metadata.uid", uid, "field is immutable")});
}

bool has_finalizers(const Json& object) {
  const auto finalizers = object["metadata"].find("finalizers");
  return finalizers != object["metadata"].end() && !finalizers->empty();
}

}  // namespace

std::string random_uid() {
  uint64_t high = random_bits(), low = random_bits();
  high = (high & ~0xF000ull) | 0x4000ull;
  low = (low & ~(3ull << 62)) | (2ull << 62);
  return fmt::format("{:08x}-{:04x}-{:04x}-{:04x}-{:012x}", high >> 32, (high >> 16) & 0xFFFF, high & 0xFFFF, low >> 48,
                     low & 0xFFFFFFFFFFFFull);
}

Registry::Registry(Store& store, Catalog& catalog, const Clock& clock, int service_network)
    : store_(store),
      catalog_(catalog),
      clock_(clock),
      next_address_((static_cast<uint32_t>(service_network) << 8) + 10) {}

std::string Registry::now() const { return to_rfc3339(clock_.wall_now()); }

Answer<Object> Registry::get(const Kind& kind, const kube::Key& key) const {
  Object found = store_.find(kind.resource(), key);
  if (!found) return not_found(kind.resource(), key.name);
  return found;
}

Answer<void> Registry::check_namespace(const Kind& kind, const std::string& ns) const {
  if (!kind.namespaced) return {};
  const Object found = store_.find({"", "namespaces"}, {"", ns});
  if (!found) return not_found({"", "namespaces"}, ns);
  if ((*found)["metadata"].contains("deletionTimestamp")) {
    auto out = refuse(403, "Forbidden",
                      fmt::format("unable to create new content in namespace {} because it is being terminated", ns));
    out.error().causes.push_back(
        {"NamespaceTerminating", fmt::format("namespace {} is being terminated", ns), "metadata.namespace"});
    return out;
  }
  return {};
}

// The object is what it says it is, of this kind, and holds nothing its schema doesn't.
Answer<Json> Registry::admit(const Kind& kind, const kube::Key& key, Json object, const WriteOptions& options) const {
  if (!object.is_object()) return bad_request("the body of the request must be an object");
  if (!object.contains("apiVersion")) object["apiVersion"] = kind.api_version();
  if (!object.contains("kind")) object["kind"] = kind.kind;
  if (object["apiVersion"] != kind.api_version() || object["kind"] != kind.kind)
    return bad_request(fmt::format("{} in version {} does not match the expected {}, Kind={}", object["kind"].dump(),
                                   object["apiVersion"].dump(), kind.api_version(), kind.kind));
  if (!object.contains("metadata") || object["metadata"].is_null()) object["metadata"] = Json::object();
  Json& metadata = object["metadata"];
  if (!metadata.is_object()) return bad_request("metadata: must be an object");
  for (const char* name : {"name", "namespace", "generateName", "uid", "resourceVersion"}) {
    if (!metadata.contains(name)) continue;
    if (metadata[name].is_null())
      metadata.erase(name);
    else if (!metadata[name].is_string())
      return bad_request(fmt::format("metadata.{}: must be a string", name));
  }
  for (const char* name : {"labels", "annotations"}) {
    if (!metadata.contains(name)) continue;
    if (metadata[name].is_null()) {
      metadata.erase(name);
      continue;
    }
    if (!metadata[name].is_object()) return bad_request(fmt::format("metadata.{}: must be a map of strings", name));
    for (const auto& [label, value] : metadata[name].items())
      if (!value.is_string())
        return bad_request(
            fmt::format("json: cannot unmarshal {} into Go struct field ObjectMeta.metadata.{} of type string",
                        value.type_name(), name));
  }
  for (const char* name : {"finalizers", "ownerReferences"}) {
    if (!metadata.contains(name)) continue;
    if (metadata[name].is_null())
      metadata.erase(name);
    else if (!metadata[name].is_array())
      return bad_request(fmt::format("metadata.{}: must be a list", name));
  }
  if (kind.namespaced) {
    if (!key.ns.empty() && metadata.contains("namespace") && metadata["namespace"] != "" &&
        metadata["namespace"] != key.ns)
      return bad_request(
          fmt::format("the namespace of the provided object does not match the namespace sent on the request"));
    metadata["namespace"] = key.ns;
  } else {
    metadata.erase("namespace");
  }
  std::vector<std::string> unknown;
  prune(object, kind.schema, "", unknown);
  if (!unknown.empty() && options.validation == FieldValidation::kStrict) {
    std::string all;
    for (const std::string& each : unknown) all += (all.empty() ? "" : ", ") + each;
    return bad_request(fmt::format("{} in version \"{}\" cannot be handled as a {}: strict decoding error: {}",
                                   kind.kind, kind.version, kind.kind, all));
  }
  if (options.validation == FieldValidation::kWarn && options.warnings)
    options.warnings->insert(options.warnings->end(), unknown.begin(), unknown.end());
  return object;
}

Answer<Object> Registry::create(const Kind& kind, const std::string& ns, Json object, const WriteOptions& options) {
  if (kind.namespaced && ns.empty()) return bad_request("an empty namespace may not be set during creation");
  auto admitted = admit(kind, {ns, ""}, std::move(object), options);
  if (!admitted) return std::unexpected(admitted.error());
  Json& metadata = (*admitted)["metadata"];
  if (metadata.value("resourceVersion", "") != "")
    return bad_request("resourceVersion should not be set on objects to be created");
  if (metadata.value("name", "").empty() && !metadata.value("generateName", "").empty()) {
    for (int attempt = 0;; ++attempt) {
      metadata["name"] = metadata["generateName"].get<std::string>() + random_suffix();
      if (attempt == 7 || !store_.find(kind.resource(), {ns, metadata["name"]})) break;
    }
  }
  const kube::Key key{kind.namespaced ? ns : "", metadata.value("name", "")};
  if (auto there = check_namespace(kind, ns); !there) return std::unexpected(there.error());
  return store_create(kind, key, std::move(*admitted), options, false);
}

Answer<Object> Registry::store_create(const Kind& kind, const kube::Key& key, Json object, const WriteOptions& options,
                                      bool applied) {
  Json& metadata = object["metadata"];
  Json managed = metadata.value("managedFields", Json());
  for (const char* name : {"deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "managedFields", "generation",
                           "resourceVersion"})
    metadata.erase(name);
  metadata["uid"] = random_uid();
  metadata["creationTimestamp"] = now();
  if (kind.generation) metadata["generation"] = 1;
  if (kind.status) object.erase("status");
  set_defaults(object, kind.schema);
  default_builtin(kind, object);
  if (!applied) {
    Json status;  // its default belongs to nobody
    if (kind.custom && kind.status && object.contains("status")) {
      status = std::move(object["status"]);
      object.erase("status");
    }
    track_update(nullptr, object, kind.schema, {options.manager, kind.api_version(), "", now()});
    if (!status.is_null()) object["status"] = std::move(status);
  } else if (!managed.is_null())
    metadata["managedFields"] = managed;
  prepare_builtin(kind, object);
  Causes causes = validate_metadata(kind, object, nullptr);
  for (Cause& cause :
       kind.custom ? validate_custom(object, nullptr, kind.schema) : validate(object, kind.schema, "", {true}))
    causes.push_back(std::move(cause));
  if (causes.empty())
    for (Cause& cause : validate_builtin(kind, object, nullptr)) causes.push_back(std::move(cause));
  if (!causes.empty()) return invalid(kind.group, kind.kind, key.name, std::move(causes));
  if (kind.group.empty() && kind.plural == "services")
    if (auto allocated = allocate_cluster_ip(object); !allocated) return std::unexpected(allocated.error());

  const bool definition = kind.plural == "customresourcedefinitions";
  if (definition) {
    const Json& spec = object["spec"];
    Json stored = Json::array();
    for (const Json& version : spec["versions"])
      if (version.value("storage", false)) stored.push_back(version["name"]);
    object["status"] = {{"acceptedNames", spec["names"]},
                        {"storedVersions", stored},
                        {"conditions",
                         {{{"type", "NamesAccepted"},
                           {"status", "True"},
                           {"reason", "NoConflicts"},
                           {"message", "no conflicts found"},
                           {"lastTransitionTime", now()}},
                          {{"type", "Established"},
                           {"status", "True"},
                           {"reason", "InitialNamesAccepted"},
                           {"message", "the initial names have been accepted"},
                           {"lastTransitionTime", now()}}}}};
  }
  if (options.dry_run) {
    if (store_.find(kind.resource(), key)) return already_exists(kind.resource(), key.name);
    return std::make_shared<const Json>(std::move(object));
  }
  if (definition) establish(object);
  auto stored = store_.create(kind.resource(), key, std::move(object));
  if (!stored) return already_exists(kind.resource(), key.name);
  return *stored;
}

void Registry::establish(const Json& definition) { catalog_.install(definition); }

Answer<Object> Registry::update(const Kind& kind, const kube::Key& key, Json object, const std::string& subresource,
                                const WriteOptions& options) {
  auto admitted = admit(kind, key, std::move(object), options);
  if (!admitted) return std::unexpected(admitted.error());
  const Json& metadata = (*admitted)["metadata"];
  const std::string name = metadata.value("name", "");
  if (name.empty()) return bad_request("name must be provided");
  if (name != key.name)
    return bad_request(
        fmt::format("the name of the object ({}) does not match the name on the URL ({})", name, key.name));
  const bool names_version = metadata.value("resourceVersion", "") != "";
  for (int attempt = 0;; ++attempt) {
    const Object old_object = store_.find(kind.resource(), key);
    if (!old_object) return not_found(kind.resource(), key.name);
    if (!names_version && kind.must_name_version)
      return invalid(kind.group, kind.kind, key.name,
                     {invalid_value("metadata.resourceVersion", Json(0), "must be specified for an update")});
    auto out = finish_update(kind, key, old_object, *admitted, subresource, options, false);
    if (out || out.error().reason != "Conflict" || names_version || attempt == kPatchAttempts) return out;
  }
}

Answer<Written> Registry::patch(const Kind& kind, const kube::Key& key, PatchType type, const Json& patch,
                                const std::string& subresource, const WriteOptions& options) {
  if (type == PatchType::kStrategic && kind.custom)
    return refuse(
        415, "UnsupportedMediaType",
        "the body of the request was in an unknown format - accepted media types include: application/json-patch+json, "
        "application/merge-patch+json, application/apply-patch+yaml");
  for (int attempt = 0;; ++attempt) {
    const Object old_object = store_.find(kind.resource(), key);
    if (!old_object && (type != PatchType::kApply || !subresource.empty())) return not_found(kind.resource(), key.name);
    Answer<Json> next = Json();
    bool names_version = false;
    if (type == PatchType::kApply) {
      if (!patch.is_object()) return bad_request("an applied object must be an object");
      for (const char* field : {"apiVersion", "kind"})
        if (!patch.contains(field))
          return bad_request(fmt::format("invalid object type: {} is required in an apply patch", field));
      if (patch.value("metadata", Json::object()).contains("managedFields") &&
          !patch["metadata"]["managedFields"].is_null())
        return bad_request("metadata.managedFields must be nil");
      const std::string name = patch.value("metadata", Json::object()).value("name", "");
      if (!name.empty() && name != key.name)
        return bad_request(
            fmt::format("the name of the object ({}) does not match the name on the URL ({})", name, key.name));
      auto admitted = admit(kind, key, patch, options);
      if (!admitted) return std::unexpected(admitted.error());
      if (status_only(subresource)) {
        for (auto field = admitted->begin(); field != admitted->end();) {
          const bool kept = field.key() == "status" || field.key() == "metadata" || field.key() == "apiVersion" ||
                            field.key() == "kind";
          field = kept ? std::next(field) : admitted->erase(field);
        }
      } else if (kind.status) {
        admitted->erase("status");
      }
      Json& metadata = (*admitted)["metadata"];
      const std::string version = metadata.value("resourceVersion", "");
      names_version = !version.empty();
      if (names_version && old_object && version != (*old_object)["metadata"]["resourceVersion"])
        return conflict(kind.resource(), key.name, kObjectModified);
      if (names_version && !old_object) return not_found(kind.resource(), key.name);
      if (!old_object && !metadata.value("uid", "").empty())
        return conflict(
            kind.resource(), key.name,
            fmt::format("uid mismatch: the provided object specified uid {}, and no existing object was found",
                        metadata["uid"].get<std::string>()));
      if (metadata.contains("uid") && old_object && metadata["uid"] != (*old_object)["metadata"]["uid"])
        return another_uid(kind, key, metadata["uid"]);
      metadata["name"] = key.name;
      for (const char* system : {"creationTimestamp", "generation", "resourceVersion", "uid", "deletionTimestamp",
                                 "deletionGracePeriodSeconds", "selfLink"})
        metadata.erase(system);
      if (kind.group.empty() && kind.plural == "secrets")
        default_builtin(kind, *admitted);  // stringData becomes data before it is owned
      next = apply_object(old_object.get(), std::move(*admitted), kind.schema,
                          {options.manager, kind.api_version(), subresource, now()}, options.force);
      if (!next) return std::unexpected(next.error());
      if (!old_object) {
        if (auto there = check_namespace(kind, key.ns); !there) return std::unexpected(there.error());
        auto created = store_create(kind, key, std::move(*next), options, true);
        if (created) return Written{*created, true};
        if (created.error().reason != "AlreadyExists" || attempt == kPatchAttempts)
          return std::unexpected(created.error());
        continue;
      }
    } else {
      if (type == PatchType::kJson) {
        if (!patch.is_array()) return bad_request("a JSON patch must be a list");
        next = json_patch(*old_object, patch);
      } else {
        if (!patch.is_object()) return bad_request("a patch must be an object");
        next = type == PatchType::kMerge ? merge_patch(*old_object, patch)
                                         : strategic_merge_patch(*old_object, patch, kind.schema);
        names_version = patch.value("metadata", Json::object()).value("resourceVersion", Json()).is_string();
      }
      if (!next) return std::unexpected(next.error());
      next = admit(kind, key, std::move(*next), options);
      if (!next) return std::unexpected(next.error());
      if ((*next)["metadata"].value("name", "") != key.name)
        return bad_request(fmt::format("the name of the object ({}) does not match the name on the URL ({})",
                                       (*next)["metadata"].value("name", ""), key.name));
      if (const Json& uid = (*next)["metadata"]["uid"]; uid != (*old_object)["metadata"]["uid"])
        return another_uid(kind, key, uid);
    }
    auto out = finish_update(kind, key, old_object, std::move(*next), subresource, options, type == PatchType::kApply);
    if (out) return Written{*out, false};
    const bool retries =
        out.error().reason == "Conflict" && out.error().causes.empty() && !names_version && attempt < kPatchAttempts;
    if (!retries) return std::unexpected(out.error());
  }
}

Answer<Object> Registry::finish_update(const Kind& kind, const kube::Key& key, const Object& old_object, Json object,
                                       const std::string& subresource, const WriteOptions& options, bool applied) {
  const Json& before = *old_object;
  const Json& old_metadata = before["metadata"];
  Json& metadata = object["metadata"];
  const std::string version = metadata.value("resourceVersion", "");
  if (!version.empty() && version != old_metadata["resourceVersion"])
    return conflict(kind.resource(), key.name, kObjectModified);
  if (const std::string uid = metadata.value("uid", ""); !uid.empty() && uid != old_metadata["uid"])
    return conflict(kind.resource(), key.name,
                    fmt::format("Precondition failed: UID in precondition: {}, UID in object meta: {}", uid,
                                old_metadata["uid"].get<std::string>()));
  // Who owns what may be rewritten (kubectl does so when it turns to server-side apply); an empty list forgets it all.
  Json managed = metadata.value("managedFields", Json());
  if (managed.is_null()) managed = old_metadata.value("managedFields", Json());
  if (managed == Json::array() || managed == Json::array({Json::object()})) managed = Json();

  if (status_only(subresource)) {  // of the object given, only the status counts
    Json status = object.value("status", Json());
    object = before;
    if (status.is_null())
      object.erase("status");
    else
      object["status"] = std::move(status);
  } else {
    for (const char* name : {"uid", "creationTimestamp", "generation", "deletionTimestamp",
                             "deletionGracePeriodSeconds", "namespace", "generateName", "resourceVersion"})
      copy_or_erase(object["metadata"], old_metadata, name);
    if (kind.status) copy_or_erase(object, before, "status");
    if (kind.group.empty() && kind.plural == "services" && object.contains("spec") && object["spec"].is_object() &&
        before["spec"].value("clusterIP", "") != "" && object["spec"].value("clusterIP", "").empty() &&
        object["spec"].value("type", "ClusterIP") == before["spec"].value("type", "ClusterIP")) {
      for (const char* name : {"clusterIP", "clusterIPs"})
        copy_or_erase(object["spec"], before["spec"], name);  // what was allocated stays
    }
    if (kind.group.empty() && kind.plural == "namespaces" && before.contains("spec")) object["spec"] = before["spec"];
  }
  Json& final_metadata = object["metadata"];
  copy_or_erase(final_metadata, before["metadata"], "resourceVersion");
  if (managed.is_null())
    final_metadata.erase("managedFields");
  else
    final_metadata["managedFields"] = managed;

  set_defaults(object, kind.schema);
  default_builtin(kind, object);
  if (!applied) {
    Json reference = before;
    if (managed.is_null())
      reference["metadata"].erase("managedFields");
    else
      reference["metadata"]["managedFields"] = managed;
    track_update(&reference, object, kind.schema, {options.manager, kind.api_version(), subresource, now()});
  }
  Causes causes = validate_metadata(kind, object, &before);
  for (Cause& cause :
       kind.custom ? validate_custom(object, &before, kind.schema) : validate(object, kind.schema, "", {true}))
    causes.push_back(std::move(cause));
  if (causes.empty() && !status_only(subresource))
    for (Cause& cause : validate_builtin(kind, object, &before)) causes.push_back(std::move(cause));
  if (!causes.empty()) return invalid(kind.group, kind.kind, key.name, std::move(causes));

  if (!status_only(subresource) && wants_new_generation(kind, before, object))
    object["metadata"]["generation"] = before["metadata"].value("generation", int64_t{1}) + 1;
  if (same_but_times(before, object)) return old_object;
  if (kind.plural == "customresourcedefinitions" && !options.dry_run && before["spec"] != object["spec"])
    establish(object);
  return store_update(kind, key, old_object, std::move(object), options.dry_run);
}

Answer<Object> Registry::store_update(const Kind& kind, const kube::Key& key, const Object& old_object, Json object,
                                      bool dry_run) {
  const uint64_t expected = revision_of(*old_object);
  const bool finished = object["metadata"].contains("deletionTimestamp") && !has_finalizers(object) &&
                        object["metadata"].value("deletionGracePeriodSeconds", int64_t{0}) == 0 &&
                        object.value("spec", Json::object()).value("finalizers", Json::array()).empty();
  if (dry_run) return std::make_shared<const Json>(std::move(object));
  auto stored = finished ? store_.erase(kind.resource(), key, std::move(object), expected)
                         : store_.update(kind.resource(), key, std::move(object), expected);
  if (stored) {
    if (finished && kind.plural == "customresourcedefinitions") {
      const Json& spec = (**stored)["spec"];
      catalog_.remove({spec["group"], spec["names"]["plural"]});
    }
    return *stored;
  }
  if (stored.error() == StoreError::kMissing) return not_found(kind.resource(), key.name);
  return conflict(kind.resource(), key.name, kObjectModified);
}

Answer<Object> Registry::amend(const Kind& kind, const kube::Key& key, const std::function<bool(Json&)>& change) {
  for (int attempt = 0;; ++attempt) {
    const Object old_object = store_.find(kind.resource(), key);
    if (!old_object) return not_found(kind.resource(), key.name);
    Json object = *old_object;
    if (!change(object)) return old_object;
    auto out = store_update(kind, key, old_object, std::move(object), false);
    if (out || out.error().reason != "Conflict" || attempt == 20) return out;
  }
}

Answer<Deleted> Registry::remove(const Kind& kind, const kube::Key& key, const DeleteRequest& request) {
  for (int attempt = 0;; ++attempt) {
    const Object old_object = store_.find(kind.resource(), key);
    if (!old_object) return not_found(kind.resource(), key.name);
    const Json& metadata = (*old_object)["metadata"];
    if (!request.uid.empty() && request.uid != metadata["uid"])
      return conflict(kind.resource(), key.name,
                      fmt::format("Precondition failed: UID in precondition: {}, UID in object meta: {}", request.uid,
                                  metadata["uid"].get<std::string>()));
    if (!request.resource_version.empty() && request.resource_version != metadata["resourceVersion"])
      return conflict(
          kind.resource(), key.name,
          fmt::format("Precondition failed: ResourceVersion in precondition: {}, ResourceVersion in object meta: {}",
                      request.resource_version, metadata["resourceVersion"].get<std::string>()));
    Json object = *old_object;
    Json finalizers = metadata.value("finalizers", Json::array());
    const auto want = [&](const char* finalizer, bool wanted) {
      const auto found = std::find(finalizers.begin(), finalizers.end(), finalizer);
      if (wanted && found == finalizers.end()) finalizers.push_back(finalizer);
      if (!wanted && found != finalizers.end()) finalizers.erase(found);
    };
    if (!request.propagation.empty()) {
      want("foregroundDeletion", request.propagation == "Foreground");
      want("orphan", request.propagation == "Orphan");
    }
    if (kind.plural == "customresourcedefinitions") {
      const ResourceName instances{object["spec"]["group"], object["spec"]["names"]["plural"]};
      const auto listed = store_.list(instances, "");
      want("customresourcecleanup.apiextensions.k8s.io", listed && !listed->items.empty());
    }
    int64_t grace = 0;
    if (kind.group.empty() && kind.plural == "pods") {
      const Json spec = object.value("spec", Json::object());
      const std::string phase = object.value("status", Json::object()).value("phase", "");
      grace = request.grace_seconds.value_or(spec.value("terminationGracePeriodSeconds", int64_t{30}));
      if (spec.value("nodeName", "").empty() || phase == "Succeeded" || phase == "Failed") grace = 0;
      if (metadata.contains("deletionTimestamp"))
        grace = std::min(grace, metadata.value("deletionGracePeriodSeconds", int64_t{0}));
    }
    const bool lingers = grace > 0 || !finalizers.empty() || (kind.plural == "namespaces" && kind.group.empty());
    if (!lingers) {
      if (request.dry_run) return Deleted{old_object, true};
      object["metadata"].erase("finalizers");
      auto erased = store_.erase(kind.resource(), key, std::move(object), revision_of(*old_object));
      if (erased) {
        if (kind.plural == "customresourcedefinitions")
          catalog_.remove({(**erased)["spec"]["group"], (**erased)["spec"]["names"]["plural"]});
        return Deleted{*erased, true};
      }
    } else {
      Json& changed = object["metadata"];
      const bool first = !changed.contains("deletionTimestamp");
      if (finalizers.empty())
        changed.erase("finalizers");
      else
        changed["finalizers"] = finalizers;
      if (first || grace < changed.value("deletionGracePeriodSeconds", int64_t{0})) {
        changed["deletionTimestamp"] = to_rfc3339(clock_.wall_now() + std::chrono::seconds(grace));
        changed["deletionGracePeriodSeconds"] = grace;
        if (first && changed.contains("generation")) changed["generation"] = changed["generation"].get<int64_t>() + 1;
        if (first && kind.plural == "namespaces") object["status"]["phase"] = "Terminating";
      }
      if (request.dry_run) return Deleted{std::make_shared<const Json>(std::move(object)), false};
      if (object == *old_object) return Deleted{old_object, false};
      auto stored = store_.update(kind.resource(), key, std::move(object), revision_of(*old_object));
      if (stored) return Deleted{*stored, false};
    }
    if (attempt == 20 || (attempt > 0 && !request.resource_version.empty()))
      return conflict(kind.resource(), key.name, kObjectModified);
  }
}

// 127.96.0.10 to 127.96.255.254: loopback, so that the process runtime can listen there. "None" and a given free
// address are kept.
Answer<void> Registry::allocate_cluster_ip(Json& service) {
  Json& spec = service["spec"];
  if (spec.value("type", "") == "ExternalName") return {};
  std::lock_guard lock(addresses_mutex_);
  const auto listed = store_.list({"", "services"}, "");
  std::set<std::string> taken;
  for (const auto& [key, object] : listed->items) taken.insert((*object)["spec"].value("clusterIP", ""));
  const std::string given = spec.value("clusterIP", "");
  if (given.empty()) {
    std::string address;
    do {
      next_address_ = next_address_ >= 65534 ? 10 : next_address_ + 1;
      address = fmt::format("127.96.{}.{}", next_address_ >> 8, next_address_ & 255);
    } while (taken.contains(address));
    spec["clusterIP"] = address;
  } else if (given != "None" && taken.contains(given)) {
    return invalid("", "Service", service["metadata"].value("name", ""),
                   {invalid_value("spec.clusterIPs", Json::array({given}),
                                  fmt::format("failed to allocate IP {}: provided IP is already allocated", given))});
  }
  spec["clusterIPs"] = {spec["clusterIP"]};
  return {};
}

}  // namespace twinspan::sandbox
