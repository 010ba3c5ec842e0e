#include "controllers/link/plan_builder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "controllers/cluster/names.hpp"
#include "controllers/link/certificates.hpp"

namespace twinspan::controllers {

void PlanBuilder::step(Effect effect, std::string reason, std::string message, bool warning) {
  plan_.steps.push_back({std::move(effect), std::move(reason), std::move(message), warning});
}

void PlanBuilder::wait(WaitFor what, std::string message) {
  if (plan_.waits_for != WaitFor::kNothing) return;
  plan_.waits_for = what;
  plan_.waiting_message = std::move(message);
}

void PlanBuilder::check_at(WallTime time) {
  const auto left =
      std::max(std::chrono::ceil<std::chrono::milliseconds>(time - seen_.now), std::chrono::milliseconds(0));
  if (!plan_.next_check || left < *plan_.next_check) plan_.next_check = left;
}

void PlanBuilder::drop_finalizer() {
  Json finalizers = Json::array();
  for (const std::string& one : link_.metadata.finalizers)
    if (one != kFormerFinalizer) finalizers.push_back(one);
  if (finalizers.size() == link_.metadata.finalizers.size()) return;
  step(Patch{
      kube::kReplicationLinks,
      key(name()),
      {{"metadata", {{"resourceVersion", link_.metadata.resource_version}, {"finalizers", std::move(finalizers)}}}}});
}

void PlanBuilder::note_foreign(const kube::Resource& resource, const std::string& object) {
  const Foreign one{std::string(resource.kind), object};
  const auto at = std::lower_bound(plan_.foreign.begin(), plan_.foreign.end(), one);
  if (at == plan_.foreign.end() || *at != one) plan_.foreign.insert(at, one);
}

bool PlanBuilder::is_foreign(const kube::Resource& resource, const std::string& object) const {
  return std::binary_search(plan_.foreign.begin(), plan_.foreign.end(), Foreign{std::string(resource.kind), object});
}

PlanBuilder::Standing PlanBuilder::absent(const kube::Resource& resource, const std::string& object) {
  for (const KnownForeign& known : seen_.foreign) {
    if (known.what != Foreign{std::string(resource.kind), object}) continue;
    note_foreign(resource, object);
    check_at(seen_.now + ForeignObjects::kLookAgain);
    return known.due ? Standing::kAbsent : Standing::kForeign;  // trying to make it is how it is looked at
  }
  return Standing::kAbsent;
}

PlanBuilder::Standing PlanBuilder::standing(const kube::Resource& resource, const Owned* there, const Json& wanted) {
  const std::string object = text_of(member_of(wanted, "metadata"), "name");
  if (!there) return absent(resource, object);
  const Whose its = whose(*there, claimant_);
  if (its == Whose::kHandedOver || there->terminating) return Standing::kUsable;
  // An earlier link's, or one whose owner follows spec.deletionPolicy.
  const bool owned = wanted["metadata"].contains("ownerReferences");
  if (there->owner != (owned ? claimant_.uid : ""))
    step(Patch{resource, key(object), takeover_patch(wanted, its, there->resource_version),
               its == Whose::kPredecessors});
  return Standing::kUsable;
}

bool PlanBuilder::keep(const kube::Resource& resource, const std::shared_ptr<const Owned>& there, Json object) {
  const std::string object_name = text_of(object["metadata"], "name");
  if (!there && absent(resource, object_name) == Standing::kForeign) return false;
  if (there && there->terminating) return true;
  const Whose its = there ? whose(*there, claimant_) : Whose::kOurs;
  object = as_may_be_written(std::move(object), its);
  const std::string& wanted =
      object["metadata"]["annotations"][std::string(kHashAnnotation)].get_ref<const std::string&>();
  if (!there || there->hash != wanted || its == Whose::kPredecessors) step(Apply{resource, std::move(object), there});
  return !is_foreign(resource, object_name);
}

bool PlanBuilder::due(const std::shared_ptr<const Secret>& secret) {
  if (!secret || !secret->renew_at || secret->hash.empty() || *secret->renew_at <= seen_.now) return true;
  check_at(*secret->renew_at);
  return false;
}

bool PlanBuilder::authority() {
  const std::string secret = ca_secret_name(name());
  if (standing(kube::kSecrets, seen_.ca, render_meta(link_, "v1", "Secret", secret, "", true)) == Standing::kForeign)
    return false;
  const bool damaged = seen_.ca && (seen_.ca->issuer_key_pem.empty() || seen_.ca->issuer_certificate_pem.empty());
  if (damaged) {
    wait(WaitFor::kAuthority,
         fmt::format("Secret {} has no tls.crt or tls.key: restore it, or delete it to have every certificate "
                     "issued anew",
                     secret));
    return false;
  }
  if (due(seen_.ca))
    step(MakeAuthority{}, seen_.ca ? "AuthorityRotated" : "",
         "the link's certificate authority went one step of its rotation");
  return seen_.ca != nullptr;  // what it is made of arrives with the next look
}

void PlanBuilder::certificates(const EndpointSeen& member) {
  const std::string secret = tls_secret_name(name(), member.name);
  if (standing(kube::kSecrets, member.tls, render_meta(link_, "v1", "Secret", secret, member.name, true)) ==
      Standing::kForeign)
    return;
  const bool named = member.tls && member.tls->services == services_text(seen_.services);
  if (!due(member.tls) && named && member.tls->bundle_hash == seen_.ca->bundle_hash) return;
  step(IssueCertificates{member.name}, member.tls ? "CertificatesRenewed" : "",
       fmt::format("certificates of {} were issued anew", member.name));
}

}  // namespace twinspan::controllers
