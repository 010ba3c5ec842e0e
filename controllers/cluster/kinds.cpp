#include "controllers/cluster/kinds.hpp"

#include <fmt/format.h>

#include "api/validate.hpp"
#include "controllers/cluster/names.hpp"
#include "kube/base64.hpp"

namespace twinspan::controllers {
namespace {

const Json& at(const Json& json, const char* key) {
  static const Json kAbsent;
  if (!json.is_object()) return kAbsent;
  const auto found = json.find(key);
  return found == json.end() ? kAbsent : *found;
}

std::string text(const Json& json, std::string_view key) {
  if (!json.is_object()) return {};
  const auto found = json.find(std::string(key));
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

int64_t integer(const Json& json, const char* key) {
  const Json& value = at(json, key);
  return value.is_number_integer() ? value.get<int64_t>() : 0;
}

std::optional<WallTime> time(const Json& json, std::string_view key) {
  const auto parsed = parse_rfc3339(text(json, key));
  return parsed ? std::optional(*parsed) : std::nullopt;
}

// `hash` as it is annotated, taken for granted.
void read_meta(const Json& json, Owned& owned) {
  const Json& meta = at(json, "metadata");
  owned.uid = text(meta, "uid");
  owned.resource_version = text(meta, "resourceVersion");
  owned.link = text(at(meta, "labels"), kLinkLabel);
  owned.endpoint = text(at(meta, "labels"), kEndpointLabel);
  owned.hash = text(at(meta, "annotations"), kHashAnnotation);
  owned.terminating = at(meta, "deletionTimestamp").is_string();
}

// As read_meta, but an object that somebody changed has no hash any more, and is rendered again.
void read_intact(const Json& json, Owned& owned) {
  read_meta(json, owned);
  if (owned.hash != content_hash(json)) owned.hash.clear();
}

const Json* condition(const Json& status, std::string_view type) {
  for (const Json& one : at(status, "conditions"))
    if (text(one, "type") == type) return &one;
  return nullptr;
}

std::string reason_and_message(const Json& json) {
  const std::string reason = text(json, "reason"), message = text(json, "message");
  return message.empty() ? reason : reason + ": " + message;
}

// The first thing a person would look for in `kubectl describe pod`.
std::string trouble_of(const Json& status) {
  if (text(status, "phase") == "Failed") return reason_and_message(status);
  if (const Json* scheduled = condition(status, "PodScheduled"); scheduled && text(*scheduled, "status") == "False")
    return reason_and_message(*scheduled);
  for (const Json& container : at(status, "containerStatuses")) {
    const Json& waiting = at(at(container, "state"), "waiting");
    const std::string reason = text(waiting, "reason");
    if (!reason.empty() && reason != "ContainerCreating" && reason != "PodInitializing")
      return reason_and_message(waiting);
  }
  return {};
}

std::string decoded(const Json& data, const char* key) { return kube::base64_decode(text(data, key)).value_or(""); }

// Ten thousand links stay in memory: what nobody decides by (kubectl's copy of the manifest above all) does not.
void slim(api::ObjectMeta& meta) {
  meta.labels.clear();
  std::erase_if(meta.annotations, [](const auto& one) { return !one.first.starts_with("twinspan.dev/"); });
}

}  // namespace

Result<CachedLink> decode_link(const Json& json) {
  CachedLink link;
  if (auto parsed = api::parse_replication_link(json)) {
    static_cast<api::ReplicationLink&>(link) = std::move(*parsed);
    if (const auto errors = api::validate(link); !errors.empty())
      link.invalid = Error{Code::kInvalid, api::to_string(errors), false};
    slim(link.metadata);
    return link;
  } else {
    // A spec of another version, or one that no schema checked. The status still has to say so.
    link.invalid = parsed.error();
  }
  auto meta = api::parse_object_meta(at(json, "metadata"));
  if (!meta) return std::unexpected(meta.error());
  link.metadata = std::move(*meta);
  slim(link.metadata);
  if (auto status = api::parse_link_status(json.value("status", Json::object()))) link.status = std::move(*status);
  return link;
}

Result<Owned> decode_owned(const Json& json) {
  Owned owned;
  read_intact(json, owned);
  return owned;
}

Result<Pod> decode_pod(const Json& json) {
  Pod pod;
  read_meta(json, pod);
  const Json &meta = at(json, "metadata"), &status = at(json, "status");
  pod.phase = text(status, "phase");
  pod.ip = text(status, "podIP");
  pod.node = text(at(json, "spec"), "nodeName");
  if (const Json* ready = condition(status, "Ready")) pod.ready = text(*ready, "status") == "True";
  if (const Json* scheduled = condition(status, "PodScheduled")) pod.scheduled = text(*scheduled, "status") == "True";
  for (const Json& container : at(status, "containerStatuses")) pod.restarts += integer(container, "restartCount");
  pod.trouble = trouble_of(status);
  pod.role = text(at(meta, "labels"), kRoleLabel);
  pod.reads = text(at(meta, "labels"), kReadsLabel);
  pod.created = time(meta, "creationTimestamp");
  return pod;
}

Result<Claim> decode_claim(const Json& json) {
  Claim claim;
  read_meta(json, claim);
  claim.requested = text(at(at(at(json, "spec"), "resources"), "requests"), "storage");
  claim.phase = text(at(json, "status"), "phase");
  return claim;
}

Result<Secret> decode_secret(const Json& json) {
  Secret secret;
  read_intact(json, secret);
  secret.renew_at = time(at(at(json, "metadata"), "annotations"), kRenewAtAnnotation);
  const Json& data = at(json, "data");
  if (const std::string bundle = text(data, "ca.crt"); !bundle.empty()) secret.bundle_hash = stable_hash(bundle);
  if (text(at(json, "metadata"), "name") == ca_secret_name(secret.link)) {
    secret.issuer_certificate_pem = decoded(data, "tls.crt");
    secret.issuer_key_pem = decoded(data, "tls.key");
    secret.bundle_pem = decoded(data, "ca.crt");
  }
  return secret;
}

Result<Lease> decode_lease(const Json& json, BootTime now) {
  Lease lease;
  read_meta(json, lease);
  auto record = parse_lease_record(json);
  if (!record) return std::unexpected(record.error());
  lease.record = std::move(*record);
  lease.duration = std::chrono::seconds(integer(at(json, "spec"), "leaseDurationSeconds"));
  lease.seen_at = now;
  return lease;
}

Result<LeaseRecord> parse_lease_record(const Json& lease) {
  const Json &meta = at(lease, "metadata"), &spec = at(lease, "spec"), &annotations = at(meta, "annotations");
  LeaseRecord record;
  record.version = text(meta, "resourceVersion");
  const std::string holder = text(spec, "holderIdentity");
  const size_t slash = holder.find('/');
  record.holder_endpoint = holder.substr(0, slash);
  if (slash != std::string::npos) record.holder_instance = holder.substr(slash + 1);
  record.epoch = {integer(spec, "leaseTransitions")};
  record.promoted = text(annotations, kPromotedAnnotation) == std::to_string(record.epoch.value);
  const std::string cause = text(annotations, kReleaseCauseAnnotation);
  if (record.held() || cause.empty()) return record;
  const auto known = parse_cause(cause);
  if (!known) return fail(Code::kInvalid, fmt::format("{}: \"{}\" is no cause", kReleaseCauseAnnotation, cause));
  record.release = Release{text(annotations, kReleasedByAnnotation), *known, std::nullopt};
  const std::string position = text(annotations, kFinalPositionAnnotation);
  if (position.empty()) return record;
  record.release->final_position = parse_position(position);
  if (!record.release->final_position)
    return fail(Code::kInvalid, fmt::format("{}: \"{}\" is no position", kFinalPositionAnnotation, position));
  return record;
}

std::string stable_hash(std::string_view bytes) {
  uint64_t hash = 14695981039346656037u;
  for (const unsigned char byte : bytes) hash = (hash ^ byte) * 1099511628211u;
  return fmt::format("{:016x}", hash);
}

std::string content_hash(const Json& object) {
  Json owned = Json::object();
  for (const char* key : {"rules", "roleRef", "subjects", "data"})
    if (const Json& part = at(object, key); !part.is_null()) owned[key] = part;
  if (text(object, "kind") == "PodDisruptionBudget") owned["spec"] = at(object, "spec");
  for (const std::string_view label : {kManagedByLabel, kLinkLabel, kEndpointLabel})
    owned[std::string(label)] = text(at(at(object, "metadata"), "labels"), label);
  return stable_hash(owned.dump());
}

}  // namespace twinspan::controllers
