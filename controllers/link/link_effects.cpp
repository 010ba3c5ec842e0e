#include "controllers/link/link_effects.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "controllers/cluster/names.hpp"
#include "controllers/link/certificates.hpp"
#include "core/log.hpp"
#include "kube/base64.hpp"
#include "pki/random.hpp"

namespace twinspan::controllers {
namespace {

constexpr std::chrono::minutes kTheirsFor{10};

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};

std::string not_ours(const kube::Resource& resource, const kube::Key& key) {
  return fmt::format("{} {} exists and is not Twinspan's: rename the link or its endpoint, or remove that object",
                     resource.kind, key.str());
}

bool is_ours(const Json& object) {
  const Json labels = object.value("/metadata/labels"_json_pointer, Json::object());
  return labels.is_object() && labels.value(std::string(kManagedByLabel), "") == kManagedBy;
}

}  // namespace

kube::ObjectRef reference_to(const api::ReplicationLink& link) {
  return {std::string(api::ReplicationLink::kApiVersion), std::string(api::ReplicationLink::kKind), link.metadata.ns,
          link.metadata.name, link.metadata.uid};
}

LinkEffects::LinkEffects(kube::Client& client, Cluster& cluster, kube::EventRecorder& events, const Clock& clock)
    : client_(client), cluster_(cluster), events_(events), clock_(clock) {}

Status LinkEffects::carry_out(const LinkSeen& seen, const LinkPlan& plan, const std::stop_token& stop) {
  for (const Step& step : plan.steps) {
    if (stop.stop_requested()) return fail(Code::kCancelled, "stopping");
    if (auto done = carry_out(seen, step, stop); !done) {
      if (done.error().code == Code::kAlreadyExists || done.error().code == Code::kDenied ||
          done.error().code == Code::kInvalid)
        events_.warning(reference_to(*seen.link), "Refused", done.error().message);
      return done;
    }
    if (step.reason.empty()) continue;
    if (step.warning)
      events_.warning(reference_to(*seen.link), step.reason, step.message);
    else
      events_.normal(reference_to(*seen.link), step.reason, step.message);
    log::info("link step done", {{"namespace", seen.link->metadata.ns},
                                 {"link", seen.link->metadata.name},
                                 {"generation", seen.link->metadata.generation},
                                 {"reason", step.reason},
                                 {"detail", step.message}});
  }
  return {};
}

Status LinkEffects::carry_out(const LinkSeen& seen, const Step& step, const std::stop_token& stop) {
  return std::visit(
      Overloaded{[&](const Apply& one) { return apply(one, stop); },
                 [&](const Create& one) { return create(one.resource, one.object, stop); },
                 [&](const Patch& one) { return patch(one, stop); },
                 [&](const Remove& one) { return remove(one, stop); },
                 [&](const MakeAuthority&) { return make_authority(seen, stop); },
                 [&](const IssueCertificates& one) { return issue_certificates(seen, one.endpoint, stop); },
                 [&](const MakeOwner&) { return make_owner(seen, stop); },
                 [&](const HandOver& one) { return hand_over(seen, one.from, stop); }},
      step.effect);
}

Status LinkEffects::apply(const Apply& step, const std::stop_token& stop) {
  if (step.unseen) {
    const kube::Key key{step.object["metadata"]["namespace"], step.object["metadata"]["name"]};
    if (const auto there = client_.get(step.resource, key, stop); there && !is_ours(*there))
      return fail(Code::kAlreadyExists, not_ours(step.resource, key));
    else if (!there && there.error().code != Code::kNotFound)
      return std::unexpected(there.error());
  }
  const auto applied = client_.apply(step.resource, step.object, kFieldManager, kube::Subresource::kNone, stop);
  if (!applied) return std::unexpected(applied.error());
  cluster_.wrote(step.resource, *applied);
  return {};
}

Status LinkEffects::create(const kube::Resource& resource, const Json& object, const std::stop_token& stop) {
  const auto created = client_.create(resource, object, stop);
  if (created) {
    cluster_.wrote(resource, *created);
    return {};
  }
  if (created.error().code != Code::kAlreadyExists) return std::unexpected(created.error());
  // Either the cache is behind, or the name is somebody else's.
  const kube::Key key{object["metadata"]["namespace"], object["metadata"]["name"]};
  const auto there = client_.get(resource, key, stop);
  if (!there) return std::unexpected(there.error());
  if (is_ours(*there)) return fail(Code::kConflict, fmt::format("{} {} is there already", resource.kind, key.str()));
  return fail(Code::kAlreadyExists, not_ours(resource, key));
}

Status LinkEffects::update(const kube::Resource& resource, const Json& object, const std::stop_token& stop) {
  const auto updated = client_.update(resource, object, kube::Subresource::kNone, stop);
  if (!updated) return std::unexpected(updated.error());
  cluster_.wrote(resource, *updated);
  return {};
}

Status LinkEffects::patch(const Patch& step, const std::stop_token& stop) {
  const auto patched = client_.merge_patch(step.resource, step.key, step.patch, kube::Subresource::kNone, stop);
  if (!patched) return std::unexpected(patched.error());
  // The last finalizer's removal answers with an object that is gone: never put it back into the cache.
  const Json& meta = patched->at("metadata");
  if (!meta.contains("deletionTimestamp") || !meta.value("finalizers", Json::array()).empty())
    cluster_.wrote(step.resource, *patched);
  return {};
}

Status LinkEffects::remove(const Remove& step, const std::stop_token& stop) {
  kube::DeleteOptions options;
  options.uid = step.uid;
  options.propagation = "Background";
  const auto removed = client_.remove(step.resource, step.key, options, stop);
  if (!removed && removed.error().code != Code::kNotFound) return removed;
  return {};
}

Status LinkEffects::make_authority(const LinkSeen& seen, const std::stop_token& stop) {
  const api::ReplicationLink& link = *seen.link;
  const kube::Key key{link.metadata.ns, ca_secret_name(link.metadata.name)};
  // Read from the API server, never from the cache: an authority that is overwritten is lost.
  const auto there = client_.get(kube::kSecrets, key, stop);
  if (!there && there.error().code != Code::kNotFound) return std::unexpected(there.error());
  auto authority = there ? read_authority(*there) : controllers::make_authority(link.metadata.name, seen.now);
  if (authority) authority = advance(std::move(*authority), link.metadata.name, seen.now);
  if (!authority) return fail(Code::kInvalid, fmt::format("Secret {}: {}", key.str(), authority.error().message));
  auto secret = render_authority(link, *authority);
  if (!secret) return std::unexpected(secret.error());
  if (!there) return create(kube::kSecrets, *secret, stop);
  (*secret)["metadata"]["resourceVersion"] = (*there)["metadata"]["resourceVersion"];
  (*secret)["type"] = there->value("type", "Opaque");
  return update(kube::kSecrets, *secret, stop);
}

Status LinkEffects::issue_certificates(const LinkSeen& seen, const std::string& endpoint, const std::stop_token& stop) {
  const EndpointSeen* member = seen.find(endpoint);
  if (!member || !seen.ca) return {};
  auto secret = render_certificates(*seen.link, endpoint, {seen.ca->issuer_certificate_pem, seen.ca->issuer_key_pem},
                                    seen.ca->bundle_pem, seen.now);
  if (!secret) return std::unexpected(secret.error());
  if (!member->tls) return create(kube::kSecrets, *secret, stop);
  (*secret)["metadata"]["resourceVersion"] = member->tls->resource_version;
  return update(kube::kSecrets, *secret, stop);
}

Status LinkEffects::make_owner(const LinkSeen& seen, const std::stop_token& stop) {
  const api::ReplicationLink& link = *seen.link;
  const kube::Key key{link.metadata.ns, owner_secret_name(link)};
  const auto there = client_.get(kube::kSecrets, key, stop);
  if (there) {
    if (is_ours(*there) &&
        there->value("/metadata/labels"_json_pointer, Json::object()).value(std::string(kLinkLabel), "") ==
            link.metadata.name) {
      cluster_.wrote(kube::kSecrets, *there);
      return {};
    }
    std::lock_guard lock(mutex_);
    owner_is_theirs_[key_of(link.metadata)] = clock_.boot_now() + kTheirsFor;
    return {};
  }
  if (there.error().code != Code::kNotFound) return std::unexpected(there.error());
  const auto password = pki::random_text(24);
  if (!password) return std::unexpected(password.error());
  Json secret = render_meta(link, "v1", "Secret", key.name, "", true);
  secret["type"] = "kubernetes.io/basic-auth";
  secret["data"] = {{"username", kube::base64_encode(link.spec.postgres.database)},
                    {"password", kube::base64_encode(*password)}};
  return create(kube::kSecrets, secret, stop);
}

Status LinkEffects::hand_over(const LinkSeen& seen, const std::string& from, const std::stop_token& stop) {
  const kube::Key link = key_of(seen.link->metadata);
  const EndpointSeen* endpoint = seen.find(from);
  if (!endpoint || !endpoint->pod) return {};
  // Its agent hands its log over to the replicas before it releases the lease.
  return remove({kube::kPods, {link.ns, pod_name(link.name, from)}, endpoint->pod->uid}, stop);
}

bool LinkEffects::owner_is_theirs(const kube::Key& link) const {
  std::lock_guard lock(mutex_);
  const auto found = owner_is_theirs_.find(link);
  return found != owner_is_theirs_.end() && clock_.boot_now() < found->second;
}

void LinkEffects::forget(const kube::Key& link) {
  std::lock_guard lock(mutex_);
  owner_is_theirs_.erase(link);
}

}  // namespace twinspan::controllers
