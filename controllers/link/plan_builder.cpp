#include "controllers/link/plan_builder.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "controllers/cluster/names.hpp"

namespace twinspan::controllers {

void PlanBuilder::step(Effect effect, std::string reason, std::string message, bool warning) {
  plan_.steps.push_back({std::move(effect), std::move(reason), std::move(message), warning});
}

void PlanBuilder::wait(std::string reason, std::string message) {
  if (!plan_.waiting_reason.empty()) return;
  plan_.waiting_reason = std::move(reason);
  plan_.waiting_message = std::move(message);
}

void PlanBuilder::check_at(WallTime time) {
  const auto left =
      std::max(std::chrono::ceil<std::chrono::milliseconds>(time - seen_.now), std::chrono::milliseconds(0));
  if (!plan_.next_check || left < *plan_.next_check) plan_.next_check = left;
}

bool PlanBuilder::has_finalizer() const {
  const auto& all = link_.metadata.finalizers;
  return std::find(all.begin(), all.end(), kFinalizer) != all.end();
}

void PlanBuilder::patch_link(Json meta) {
  meta["resourceVersion"] = link_.metadata.resource_version;
  step(Patch{kube::kReplicationLinks, key(name()), {{"metadata", std::move(meta)}}});
}

void PlanBuilder::add_finalizer() {
  Json finalizers = link_.metadata.finalizers;
  finalizers.push_back(kFinalizer);
  patch_link({{"finalizers", std::move(finalizers)}});
}

void PlanBuilder::drop_finalizer() {
  Json finalizers = Json::array();
  for (const std::string& one : link_.metadata.finalizers)
    if (one != kFinalizer) finalizers.push_back(one);
  patch_link({{"finalizers", std::move(finalizers)}});
}

void PlanBuilder::keep(const kube::Resource& resource, const std::shared_ptr<const Owned>& there, Json object) {
  const std::string& wanted =
      object["metadata"]["annotations"][std::string(kHashAnnotation)].get_ref<const std::string&>();
  if (!there || there->hash != wanted) step(Apply{resource, std::move(object)});
}

bool PlanBuilder::due(const std::shared_ptr<const Secret>& secret) {
  if (!secret || !secret->renew_at || secret->hash.empty() || *secret->renew_at <= seen_.now) return true;
  check_at(*secret->renew_at);
  return false;
}

bool PlanBuilder::authority() {
  const bool damaged = seen_.ca && (seen_.ca->issuer_key_pem.empty() || seen_.ca->issuer_certificate_pem.empty());
  if (damaged) {
    wait("AuthorityDamaged",
         fmt::format("Secret {} has no tls.crt or tls.key: restore it, or delete it to have every certificate "
                     "issued anew",
                     ca_secret_name(name())));
    return false;
  }
  if (due(seen_.ca))
    step(MakeAuthority{}, seen_.ca ? "AuthorityRotated" : "",
         "the link's certificate authority went one step of its rotation");
  return seen_.ca != nullptr;  // what it is made of arrives with the next look
}

void PlanBuilder::certificates(const EndpointSeen& member) {
  if (!due(member.tls) && member.tls->bundle_hash == seen_.ca->bundle_hash) return;
  step(IssueCertificates{member.name}, member.tls ? "CertificatesRenewed" : "",
       fmt::format("certificates of {} were issued anew", member.name));
}

void PlanBuilder::remove_common() {
  remove(kube::kSecrets, seen_.ca, ca_secret_name(name()));
  remove(kube::kPodDisruptionBudgets, seen_.budget, budget_name(name()));
  remove(kube::kRoleBindings, seen_.binding, worker_account_name(name()));
  remove(kube::kRoles, seen_.role, worker_account_name(name()));
  remove(kube::kServiceAccounts, seen_.account, worker_account_name(name()));
}

}  // namespace twinspan::controllers
