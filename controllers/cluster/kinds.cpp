#include "controllers/cluster/kinds.hpp"

#include <fmt/format.h>

#include <charconv>

#include "api/accepted.hpp"
#include "api/validate.hpp"
#include "contract/primary_lease.hpp"
#include "controllers/cluster/names.hpp"
#include "core/base64.hpp"

namespace twinspan::controllers {
namespace {

std::optional<WallTime> time(const Json& json, std::string_view key) {
  const auto parsed = parse_rfc3339(text_of(json, key));
  return parsed ? std::optional(*parsed) : std::nullopt;
}

// As read_meta, but an object that somebody changed has no hash any more, and is rendered again.
void read_intact(const Json& json, Owned& owned) {
  read_meta(json, owned);
  if (owned.hash != content_hash(json)) owned.hash.clear();
}

const Json* condition(const Json& status, std::string_view type) {
  for (const Json& one : member_of(status, "conditions"))
    if (text_of(one, "type") == type) return &one;
  return nullptr;
}

std::string reason_and_message(const Json& json) {
  const std::string reason = text_of(json, "reason"), message = text_of(json, "message");
  return message.empty() ? reason : reason + ": " + message;
}

// The first thing a person would look for in `kubectl describe pod`.
std::string trouble_of(const Json& status) {
  if (text_of(status, "phase") == "Failed") return reason_and_message(status);
  if (const Json* scheduled = condition(status, "PodScheduled"); scheduled && text_of(*scheduled, "status") == "False")
    return reason_and_message(*scheduled);
  for (const Json& container : member_of(status, "containerStatuses")) {
    const Json& waiting = member_of(member_of(container, "state"), "waiting");
    const std::string reason = text_of(waiting, "reason");
    if (!reason.empty() && reason != "ContainerCreating" && reason != "PodInitializing")
      return reason_and_message(waiting);
  }
  return {};
}

// Those that the spec asks for; nobody else's count.
Json added_annotations(const Json& annotations) {
  Json added = Json::object();
  const std::string keys = text_of(annotations, kAddedAnnotation);
  for (size_t at = 0; at <= keys.size();) {
    const size_t end = std::min(keys.find(',', at), keys.size());
    const std::string key = keys.substr(at, end - at);
    added[key] = member_of(annotations, key);
    at = end + 1;
  }
  return added;
}

std::string decoded(const Json& data, const char* key) { return base64_decode(text_of(data, key)).value_or(""); }

// Ten thousand links stay in memory: what nobody decides by (kubectl's copy of the manifest above all) does not.
void slim(api::ObjectMeta& meta) {
  meta.labels.clear();
  std::erase_if(meta.annotations, [](const auto& one) { return !one.first.starts_with("twinspan.dev/"); });
}

void refuse(CachedLink& link, const std::vector<api::FieldError>& errors) {
  if (!errors.empty()) link.invalid = Error{Code::kInvalid, api::to_string(errors), false};
}

// As the agents read it (engines/postgres/owner.cpp).
std::string without_line_break(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  if (text.ends_with('\r')) text.pop_back();
  return text;
}

Connection connection_of(const Json& secret, const Json& data) {
  Connection out;
  out.username = without_line_break(decoded(data, "username"));
  out.password = without_line_break(decoded(data, "password"));
  for (const auto& [key, value] : data.items()) out.hashes[key] = stable_hash(decoded(data, key.c_str()));
  out.ours = text_of(member_of(member_of(secret, "metadata"), "annotations"), kConnectionAnnotation);
  out.immutable = secret.value("immutable", false);
  return out;
}

// Puts what was accepted in force. Where it is of the newest generation, the two are one; what a version that knew
// fewer fields accepted of it, or one that filled in others, is an earlier spec like any other.
void obey_accepted(CachedLink& link, bool readable) {
  auto& accepted = link.status.accepted;
  if (!accepted) return;
  if (accepted->generation == link.metadata.generation && readable) {
    link.actionable = true;
    if (link.invalid || api::is_accepted_as(accepted->spec, link.spec)) {
      accepted->spec = nullptr;
      return;
    }
  }
  auto before = api::parse_link_spec(accepted->spec);
  if (!before) return;  // of a version that knew other fields: the newest is judged as if it were the first
  if (!link.invalid) {
    api::ReplicationLink then;
    then.spec = *before;
    refuse(link, api::validate_change(then, link));
  }
  if (!link.invalid && link.spec != *before) link.wanted = std::move(link.spec);
  link.spec = std::move(*before);
  link.actionable = true;
}

}  // namespace

void read_meta(const Json& json, Owned& owned) {
  const Json& meta = member_of(json, "metadata");
  static_cast<Marks&>(owned) = marks_of(json);
  owned.uid = text_of(meta, "uid");
  owned.resource_version = text_of(meta, "resourceVersion");
  owned.endpoint = text_of(member_of(meta, "labels"), kEndpointLabel);
  owned.hash = text_of(member_of(meta, "annotations"), kHashAnnotation);
  owned.terminating = member_of(meta, "deletionTimestamp").is_string();
}

Result<CachedLink> decode_link(const Json& json) {
  CachedLink link;
  if (auto parsed = api::parse_replication_link(json)) {
    static_cast<api::ReplicationLink&>(link) = std::move(*parsed);
    refuse(link, api::validate(link));
    link.actionable = !link.invalid;
    slim(link.metadata);
    obey_accepted(link, true);
    return link;
  } else {
    // A spec of another version, or one that no schema checked. The status still has to say so.
    link.invalid = parsed.error();
    if (const auto engine = api::parse_engine(text_of(member_of(json, "spec"), "engine")))
      link.spec.engine = *engine;  // who looks after it
  }
  auto meta = api::parse_object_meta(member_of(json, "metadata"));
  if (!meta) return std::unexpected(meta.error());
  link.metadata = std::move(*meta);
  slim(link.metadata);
  if (auto status = api::parse_link_status(json.value("status", Json::object()))) link.status = std::move(*status);
  obey_accepted(link, false);
  return link;
}

Result<api::FailoverPolicy> decode_policy(const Json& json) {
  auto policy = api::parse_failover_policy(json);
  if (!policy || !policy->status.accepted) return policy;
  auto& accepted = *policy->status.accepted;
  if (accepted.generation == policy->metadata.generation && api::is_accepted_as(accepted.spec, policy->spec))
    accepted.spec = nullptr;
  return policy;
}

Result<Owned> decode_owned(const Json& json) {
  Owned owned;
  read_intact(json, owned);
  return owned;
}

Result<Pod> decode_pod(const Json& json) {
  Pod pod;
  read_meta(json, pod);
  const Json &meta = member_of(json, "metadata"), &status = member_of(json, "status");
  pod.origin = text_of(member_of(meta, "annotations"), kOriginAnnotation);
  pod.asked = text_of(member_of(meta, "annotations"), kAskedAnnotation);
  pod.phase = text_of(status, "phase");
  pod.ip = text_of(status, "podIP");
  pod.node = text_of(member_of(json, "spec"), "nodeName");
  if (const Json* ready = condition(status, "Ready")) pod.ready = text_of(*ready, "status") == "True";
  if (const Json* scheduled = condition(status, "PodScheduled"))
    pod.scheduled = text_of(*scheduled, "status") == "True";
  for (const Json& container : member_of(status, "containerStatuses"))
    pod.restarts += integer_of(container, "restartCount");
  pod.trouble = trouble_of(status);
  pod.role = text_of(member_of(meta, "labels"), kRoleLabel);
  pod.reads = text_of(member_of(meta, "labels"), kReadsLabel);
  pod.created = time(meta, "creationTimestamp");
  return pod;
}

Result<Claim> decode_claim(const Json& json) {
  Claim claim;
  read_meta(json, claim);
  claim.created = time(member_of(json, "metadata"), "creationTimestamp");
  claim.requested = text_of(member_of(member_of(member_of(json, "spec"), "resources"), "requests"), "storage");
  claim.phase = text_of(member_of(json, "status"), "phase");
  return claim;
}

Result<Secret> decode_secret(const Json& json) {
  Secret secret;
  read_intact(json, secret);
  secret.renew_at = time(member_of(member_of(json, "metadata"), "annotations"), kRenewAtAnnotation);
  secret.services = text_of(member_of(member_of(json, "metadata"), "annotations"), kServicesAnnotation);
  const Json& data = member_of(json, "data");
  if (const std::string bundle = text_of(data, "ca.crt"); !bundle.empty()) secret.bundle_hash = stable_hash(bundle);
  if (text_of(member_of(json, "metadata"), "name") == ca_secret_name(secret.link)) {
    secret.issuer_certificate_pem = decoded(data, "tls.crt");
    secret.issuer_key_pem = decoded(data, "tls.key");
    secret.bundle_pem = decoded(data, "ca.crt");
  } else if (data.contains("username") || data.contains("password")) {
    secret.connection = connection_of(json, data);
  }
  return secret;
}

Result<StatefulSet> decode_stateful_set(const Json& json) {
  StatefulSet set;
  read_meta(json, set);
  const Json& status = member_of(json, "status");
  set.origin = text_of(member_of(member_of(json, "metadata"), "annotations"), kOriginAnnotation);
  set.replicas = integer_of(member_of(json, "spec"), "replicas");
  set.ready_replicas = integer_of(status, "readyReplicas");
  set.updated_replicas = integer_of(status, "updatedReplicas");
  set.observed = integer_of(status, "observedGeneration") == integer_of(member_of(json, "metadata"), "generation");
  return set;
}

Result<Lease> decode_lease(const Json& json, BootTime now) {
  Lease lease;
  read_meta(json, lease);
  lease.created = time(member_of(json, "metadata"), "creationTimestamp");
  auto stored = parse_lease(json);
  if (!stored) return std::unexpected(stored.error());
  lease.record = std::move(stored->record);
  lease.duration = stored->duration;
  lease.seen_at = now;
  const std::string division = text_of(member_of(member_of(json, "metadata"), "annotations"), kDivisionAnnotation);
  std::from_chars(division.data(), division.data() + division.size(), lease.division);
  return lease;
}

bool is_mere_renewal(const Lease& before, const Lease& after) {
  LeaseRecord record = before.record;
  record.version = after.record.version;
  record.end = after.record.end;  // moves with the log
  return record == after.record && before.uid == after.uid && before.terminating == after.terminating &&
         after.seen_at - before.seen_at < before.duration;
}

std::string stable_hash(std::string_view bytes) {
  uint64_t hash = 14695981039346656037u;
  for (const unsigned char byte : bytes) hash = (hash ^ byte) * 1099511628211u;
  return fmt::format("{:016x}", hash);
}

std::string content_hash(const Json& object) {
  Json owned = Json::object();
  for (const char* key : {"rules", "roleRef", "subjects", "data"})
    if (const Json& part = member_of(object, key); !part.is_null()) owned[key] = part;
  const std::string kind = text_of(object, "kind");
  if (kind == "PodDisruptionBudget" || kind == "NetworkPolicy") owned["spec"] = member_of(object, "spec");
  const Json& meta = member_of(object, "metadata");
  const Json& labels = member_of(meta, "labels");
  if (const Json& annotations = member_of(meta, "annotations"); annotations.contains(std::string(kAddedAnnotation)))
    owned["annotations"] = added_annotations(annotations);
  for (const std::string_view label : {kManagedByLabel, kLinkLabel, kEndpointLabel})
    owned[std::string(label)] = text_of(labels, label);
  // Of what a person handed over the label is theirs, and not rendered.
  if (owned[std::string(kManagedByLabel)] != kManagedBy) owned[std::string(kManagedByLabel)] = "";
  return stable_hash(owned.dump());
}

}  // namespace twinspan::controllers
