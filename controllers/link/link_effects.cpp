#include "controllers/link/link_effects.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "controllers/cluster/names.hpp"
#include "controllers/link/certificates.hpp"
#include "core/base64.hpp"
#include "core/log.hpp"
#include "pki/random.hpp"

namespace twinspan::controllers {
namespace {

constexpr std::chrono::minutes kUsableFor{10};  // until a person's owner Secret is looked at again
constexpr std::chrono::minutes kRefusedFor{5};  // until a volume that could not grow is tried again

template <class... Handlers>
struct Overloaded : Handlers... {
  using Handlers::operator()...;
};

// What was not taken.
RefusedObject object_of(const LinkSeen& seen, const Step& step, const Error& error) {
  const std::string& link = seen.link->metadata.name;
  const auto written = [](const Json& object) {
    return RefusedObject{text_of(object, "kind"), text_of(member_of(object, "metadata"), "name"), ""};
  };
  const auto named = [](const kube::Resource& resource, std::string name) {
    return RefusedObject{std::string(resource.kind), std::move(name), ""};
  };
  auto object = std::visit(
      Overloaded{
          [&](const Apply& one) { return written(one.object); }, [&](const Create& one) { return written(one.object); },
          [&](const Patch& one) { return named(one.resource, one.key.name); },
          [&](const Remove& one) { return named(one.resource, one.key.name); },
          [&](const MakeAuthority&) { return named(kube::kSecrets, ca_secret_name(link)); },
          [&](const IssueCertificates& one) { return named(kube::kSecrets, tls_secret_name(link, one.endpoint)); },
          [&](const MakeOwner&) { return named(kube::kSecrets, owner_secret_name(*seen.link)); },
          [&](const LookForOwner&) { return named(kube::kSecrets, owner_secret_name(*seen.link)); },
          [&](const HandOver& one) { return named(kube::kPods, pod_name(link, one.from)); }},
      step.effect);
  object.words = error.message;
  return object;
}

// Whether nothing that follows makes sense without it. What else is refused, by a quota or a rule of the namespace,
// keeps no pod from being made again.
bool all_rest_on(const Step& step, const LinkSeen& seen) {
  const auto account_or_lease = [](const kube::Resource& resource) {
    for (const kube::Resource& one : {kube::kServiceAccounts, kube::kRoles, kube::kRoleBindings, kube::kLeases})
      if (resource.kind == one.kind) return true;
    return false;
  };
  if (const auto* apply = std::get_if<Apply>(&step.effect)) return !apply->there && account_or_lease(apply->resource);
  if (const auto* create = std::get_if<Create>(&step.effect)) return account_or_lease(create->resource);
  if (const auto* patch = std::get_if<Patch>(&step.effect)) return patch->takes_over;
  // Clients come with a primary.
  const bool had_a_primary = seen.lease && seen.lease->record.epoch.value > 0;
  return std::holds_alternative<MakeOwner>(step.effect) && !had_a_primary;
}

// What it would be replaced by may need what was refused.
bool ends_what_runs(const Step& step, const LinkSeen& seen) {
  if (std::holds_alternative<HandOver>(step.effect)) return true;
  const auto* removed = std::get_if<Remove>(&step.effect);
  if (!removed || removed->resource.kind != kube::kPods.kind) return false;
  const std::string& link = seen.link->metadata.name;
  return std::ranges::none_of(seen.endpoints, [&](const EndpointSeen& one) {
    return pod_name(link, one.name) == removed->key.name && one.pod &&
           (one.pod->finished() || !one.pod->trouble.empty());
  });
}

}  // namespace

LinkEffects::LinkEffects(kube::Client& client, Cluster& cluster, kube::EventRecorder& events, const Clock& clock)
    : client_(client), cluster_(cluster), events_(events), clock_(clock), writer_(client, clock) {}

Status LinkEffects::carry_out(const LinkSeen& seen, const LinkPlan& plan, const std::stop_token& stop) {
  std::vector<RefusedObject> refused;
  Status result;
  for (const Step& step : plan.steps) {
    if (!refused.empty() && ends_what_runs(step, seen)) continue;
    if (stop.stop_requested()) return fail(Code::kCancelled, "stopping");
    if (auto done = carry_out(seen, step, stop); !done) {
      if (done.error().code == Code::kAlreadyExists) continue;  // left alone, and told in the status
      // What we knew of is gone, or its namespace is going: the next news tells.
      if (done.error().code == Code::kNotFound) break;
      if (!is_refusal(done.error())) return done;
      events_.warning(reference_to(*seen.link), "Refused", done.error().message);
      if (!step.grows_volume_of.empty()) {
        note_volume(seen, step, &done.error());
        continue;
      }
      refused.push_back(object_of(seen, step, done.error()));
      if (result) result = done;
      if (all_rest_on(step, seen)) break;
      continue;
    }
    note_volume(seen, step, nullptr);
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
  note_refused(key_of(seen.link->metadata), std::move(refused));
  return result;
}

void LinkEffects::note_refused(const kube::Key& link, std::vector<RefusedObject> refused) {
  MutexLock lock(mutex_);
  if (refused.empty())
    refused_.erase(link);
  else
    refused_[link] = std::move(refused);
}

Status LinkEffects::carry_out(const LinkSeen& seen, const Step& step, const std::stop_token& stop) {
  const Claimant who = claimant(*seen.link);
  return std::visit(
      Overloaded{
          [&](const Apply& one) {
            return done(one.resource, writer_.apply(one.resource, one.object, who, one.there.get(), stop));
          },
          [&](const Create& one) { return done(one.resource, writer_.create(one.resource, one.object, who, stop)); },
          [&](const Patch& one) { return patch(one, stop); }, [&](const Remove& one) { return remove(one, stop); },
          [&](const MakeAuthority&) { return make_authority(seen, stop); },
          [&](const IssueCertificates& one) { return issue_certificates(seen, one.endpoint, stop); },
          [&](const MakeOwner&) { return make_owner(seen, stop); },
          [&](const LookForOwner&) { return look_for_owner(seen, stop); },
          [&](const HandOver& one) { return hand_over(seen, one.from, stop); }},
      step.effect);
}

Status LinkEffects::done(const kube::Resource& resource, ObjectWriter::Written written) {
  if (!written) return std::unexpected(written.error());
  if (!*written) return fail(Code::kAlreadyExists, "somebody else's object is there");
  cluster_.wrote(resource, **written);
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
  if (there && whose(marks_of(*there), claimant(link)) == Whose::kForeign)
    return done(kube::kSecrets, writer_.replace(kube::kSecrets, *there, claimant(link), *there, stop));
  auto authority = there ? read_authority(*there) : controllers::make_authority(link.metadata.name, seen.now);
  if (authority) authority = advance(std::move(*authority), link.metadata.name, seen.now);
  if (!authority) return fail(Code::kInvalid, fmt::format("Secret {}: {}", key.str(), authority.error().message));
  auto secret = render_authority(link, *authority);
  if (!secret) return std::unexpected(secret.error());
  const Claimant who = claimant(link);
  return done(kube::kSecrets, there ? writer_.replace(kube::kSecrets, *secret, who, *there, stop)
                                    : writer_.create(kube::kSecrets, *secret, who, stop));
}

Status LinkEffects::issue_certificates(const LinkSeen& seen, const std::string& endpoint, const std::stop_token& stop) {
  const EndpointSeen* member = seen.find(endpoint);
  if (!member || !seen.ca) return {};
  auto secret =
      render_certificates(*seen.link, endpoint, seen.services,
                          {seen.ca->issuer_certificate_pem, seen.ca->issuer_key_pem}, seen.ca->bundle_pem, seen.now);
  if (!secret) return std::unexpected(secret.error());
  const Claimant who = claimant(*seen.link);
  if (!member->tls) return done(kube::kSecrets, writer_.create(kube::kSecrets, *secret, who, stop));
  const auto there = client_.get(kube::kSecrets, {seen.link->metadata.ns, (*secret)["metadata"]["name"]}, stop);
  if (!there) return std::unexpected(there.error());
  return done(kube::kSecrets, writer_.replace(kube::kSecrets, *secret, who, *there, stop));
}

// Whether there is a Secret of that name; one of a person's is remembered.
Result<bool> LinkEffects::find_owner(const LinkSeen& seen, const std::stop_token& stop) {
  const kube::Key key{seen.link->metadata.ns, owner_secret_name(*seen.link)};
  const auto there = client_.get(kube::kSecrets, key, stop);
  if (!there && there.error().code != Code::kNotFound) return std::unexpected(there.error());
  const Whose its = there ? whose(marks_of(*there), claimant(*seen.link)) : Whose::kForeign;
  if (its != Whose::kForeign) {
    auto known = there;
    if (its == Whose::kHandedOver && marks_of(*there).link != seen.link->metadata.name) {
      // With the label our caches see it, and what it lacks is written.
      const Json wanted = render_meta(*seen.link, "v1", "Secret", key.name, "", false);
      known = client_.merge_patch(
          kube::kSecrets, key, takeover_patch(wanted, its, text_of(member_of(*there, "metadata"), "resourceVersion")),
          kube::Subresource::kNone, stop);
      if (!known) return std::unexpected(known.error());
    }
    cluster_.wrote(kube::kSecrets, *known);
    return true;
  }
  const Json& data = there ? member_of(*there, "data") : member_of(Json(), "data");
  const bool usable = !text_of(data, "username").empty() && !text_of(data, "password").empty();
  MutexLock lock(mutex_);
  owners_[key_of(seen.link->metadata)] = {!there   ? OwnerSecret::State::kMissing
                                          : usable ? OwnerSecret::State::kUsable
                                                   : OwnerSecret::State::kIncomplete,
                                          key.name, clock_.boot_now()};
  return there.has_value();
}

Status LinkEffects::look_for_owner(const LinkSeen& seen, const std::stop_token& stop) {
  const auto found = find_owner(seen, stop);
  return found ? Status() : std::unexpected(found.error());
}

Status LinkEffects::make_owner(const LinkSeen& seen, const std::stop_token& stop) {
  const auto found = find_owner(seen, stop);
  if (!found) return std::unexpected(found.error());
  if (*found) return {};
  const auto password = pki::random_text(24);
  if (!password) return std::unexpected(password.error());
  const Json secret = render_owner(*seen.link, *password);
  const Status made = done(kube::kSecrets, writer_.create(kube::kSecrets, secret, claimant(*seen.link), stop));
  if (made) return made;
  // It was looked for and not made: the next look begins at the beginning.
  MutexLock lock(mutex_);
  owners_.erase(key_of(seen.link->metadata));
  return made;
}

Status LinkEffects::hand_over(const LinkSeen& seen, const std::string& from, const std::stop_token& stop) {
  const kube::Key link = key_of(seen.link->metadata);
  const EndpointSeen* endpoint = seen.find(from);
  if (!endpoint || !endpoint->pod) return {};
  // Its agent hands its log over to the replicas before it releases the lease.
  return remove({kube::kPods, {link.ns, pod_name(link.name, from)}, endpoint->pod->uid}, stop);
}

Recalled LinkEffects::recall(const CachedLink& link) const {
  const kube::Key key = key_of(link.metadata);
  Recalled recalled;
  recalled.foreign = writer_.foreign().of(key);
  recalled.refused_volumes = refused_volumes(key);
  MutexLock lock(mutex_);
  if (const auto refused = refused_.find(key); refused != refused_.end()) recalled.refused = refused->second;
  const auto found = owners_.find(key);
  if (found == owners_.end() || found->second.secret != owner_secret_name(link)) return recalled;
  const bool usable = found->second.state == OwnerSecret::State::kUsable;
  const auto until = found->second.at + (usable ? BootTime::duration(kUsableFor) : OwnerSecret::kAwaitedLook);
  recalled.owner_secret = {found->second.state, clock_.boot_now() >= until};
  return recalled;
}

void LinkEffects::note_volume(const LinkSeen& seen, const Step& step, const Error* error) {
  if (step.grows_volume_of.empty()) return;
  MutexLock lock(mutex_);
  auto& of_link = refused_volumes_[key_of(seen.link->metadata)];
  of_link.erase(step.grows_volume_of);
  if (!error) return;
  Refused refused;
  const EndpointSeen* endpoint = seen.find(step.grows_volume_of);
  if (endpoint && endpoint->spec) refused.size = endpoint->spec->postgres->managed->storage.size;
  refused.words = error->message;
  refused.until = clock_.boot_now() + kRefusedFor;
  of_link.emplace(step.grows_volume_of, std::move(refused));
}

std::map<std::string, RefusedVolume> LinkEffects::refused_volumes(const kube::Key& link) const {
  MutexLock lock(mutex_);
  std::map<std::string, RefusedVolume> out;
  const auto found = refused_volumes_.find(link);
  if (found == refused_volumes_.end()) return out;
  for (const auto& [endpoint, refused] : found->second)
    if (clock_.boot_now() < refused.until) out.emplace(endpoint, refused);
  return out;
}

void LinkEffects::forget(const kube::Key& link) {
  writer_.foreign().forget(link);
  MutexLock lock(mutex_);
  owners_.erase(link);
  refused_volumes_.erase(link);
  refused_.erase(link);
}

}  // namespace twinspan::controllers
