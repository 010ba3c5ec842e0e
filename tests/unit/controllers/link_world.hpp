// A link in its settled state, for tests that change one thing of it.
#pragma once
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "controllers/cluster/names.hpp"
#include "controllers/link/link_plan.hpp"
#include "controllers/link/link_seen.hpp"
#include "controllers/link/render.hpp"
#include "controllers/postgres/postgres_plan.hpp"

namespace twinspan::controllers::testing {

inline RenderConfig render_config() {
  RenderConfig config;
  config.worker_image = "registry.example/twinspan-worker:1.0";
  config.image_pull_policy = "IfNotPresent";
  return config;
}

inline Json link_json() {
  return Json::parse(R"({
    "apiVersion": "twinspan.dev/v1alpha1", "kind": "ReplicationLink",
    "metadata": {"name": "orders", "namespace": "shop", "uid": "link-uid", "resourceVersion": "77", "generation": 3},
    "spec": {"engine": "Postgres",
      "source": {"name": "east", "postgres": {"managed": {"storage": {"size": "10Gi"},
                 "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}}}}},
      "targets": [{"name": "west", "postgres": {"managed": {"storage": {"size": "10Gi"}}}},
                  {"name": "west-2", "postgres": {"managed": {"storage": {"size": "10Gi"}}}}],
      "postgres": {"database": "shop"}},
    "status": {"assignment": {"epoch": 7, "primary": "east", "previous": "", "cause": "Initial"}}})");
}

// Everything exists, east is primary in epoch 7, both replicas stream.
class World {
 public:
  World() : World(link_json()) {}
  explicit World(const Json& json) {
    link = std::make_shared<CachedLink>(*decode_link(json));
    now = *parse_rfc3339("2026-11-21T10:00:00Z");
    ca = std::make_shared<Secret>(owned<Secret>("", "ca"));
    ca->renew_at = now + std::chrono::days(2000);
    ca->issuer_certificate_pem = ca->issuer_key_pem = "pem";
    ca->bundle_hash = "bundle";
    ca->bundle_pem = "bundle";
    owner = std::make_shared<Secret>(lasting<Secret>("", "owner"));
    lease = std::make_shared<Lease>(owned<Lease>("", "lease"));
    lease->record.holder_endpoint = "east";
    lease->record.holder_instance = "i1";
    lease->record.epoch = {7};
    lease->record.promoted = true;
    lease->duration = std::chrono::seconds(5);
    account = there(render_account(*link));
    role = there(render_role(*link));
    binding = there(render_binding(*link));
    budget = there(render_budget(*link));
    ca_bundle = there(render_ca_bundle(*link, "bundle"));
    std::vector<const api::Endpoint*> wanted{&link->spec.source};
    for (const api::Endpoint& target : link->spec.targets) wanted.push_back(&target);
    for (const api::Endpoint* endpoint : wanted) add(endpoint->name, endpoint);
  }

  struct Member {
    std::string name;
    const api::Endpoint* spec;
    std::shared_ptr<Pod> pod;
    std::shared_ptr<Claim> claim;
    std::shared_ptr<Secret> tls;
    MemberView view;
  };

  void add(const std::string& name, const api::Endpoint* spec) {
    Member member;
    member.name = name;
    member.spec = spec;
    member.pod = std::make_shared<Pod>(owned<Pod>(name, "pod-" + name));
    member.pod->hash = spec && link->actionable ? pod_hash(*link, *spec, render_config()) : "old";
    member.pod->phase = "Running";
    member.pod->ip = "10.0.0." + std::to_string(members.size() + 1);
    member.pod->ready = member.pod->scheduled = true;
    member.pod->created = now - std::chrono::hours(1);
    member.pod->role = name == "east" ? "Primary" : "Replica";
    member.claim = std::make_shared<Claim>(lasting<Claim>(name, "claim-" + name));
    member.claim->requested = "10Gi";
    member.tls = std::make_shared<Secret>(owned<Secret>(name, "tls-" + name));
    member.tls->renew_at = now + std::chrono::days(60);
    member.tls->bundle_hash = "bundle";
    MemberReport report;
    report.endpoint = name;
    report.instance = "i-" + name;
    report.role = name == "east" ? Role::kPrimary : Role::kReplica;
    report.state = name == "east" ? MemberState::kRunning : MemberState::kStreaming;
    report.received = Position{0x5000148};
    report.timeline = 3;
    report.sql_healthy = true;
    report.generation = link->metadata.generation;
    report.volume = {10ULL << 30, 8ULL << 30};
    if (name == "east") {
      for (const char* replica : {"west", "west-2"})
        report.downstreams[replica] = {"streaming", "sync", {}, {}, {}, {}};
    } else {
      report.lag_seconds = 0.0;
      report.lag_bytes = 0;
      report.upstream = "east";
    }
    member.view.report = std::move(report);
    members.push_back(std::move(member));
  }

  Member& operator[](const std::string& name) {
    for (Member& member : members)
      if (member.name == name) return member;
    throw std::out_of_range(name);
  }
  MemberReport& report(const std::string& name) { return *(*this)[name].view.report; }

  LinkSeen seen() const {
    LinkSeen out;
    out.link = link;
    for (const Member& member : members)
      out.endpoints.push_back({member.name, member.spec, member.pod, member.claim, member.tls, member.view});
    out.ca = ca;
    out.owner = owner;
    out.owner_secret = owner_secret;
    out.foreign = foreign;
    out.lease = lease;
    out.lease_unchanged_for = lease_unchanged_for;
    out.account = account;
    out.role = role;
    out.binding = binding;
    out.budget = budget;
    out.ca_bundle = ca_bundle;
    out.services = services;
    out.primary_service = primary_service;
    out.fails_over = fails_over;
    out.now = now;
    out.doubt_unheard();
    out.set_foreign_aside();
    return out;
  }
  LinkPlan plan() const { return plan_link(seen(), render_config()); }

  std::shared_ptr<CachedLink> link;
  std::vector<Member> members;
  std::shared_ptr<Secret> ca, owner;
  OwnerSecret owner_secret;
  std::vector<KnownForeign> foreign;
  std::shared_ptr<Lease> lease;
  std::chrono::milliseconds lease_unchanged_for{300};
  std::shared_ptr<Owned> account, role, binding, budget, ca_bundle;
  std::vector<std::string> services;
  std::string primary_service;
  bool fails_over = true;
  WallTime now;

 private:
  template <class T>
  T owned(const std::string& endpoint, const std::string& uid) const {
    T object;
    object.uid = uid;
    object.resource_version = "5";
    object.managed = true;
    object.link = "orders";
    object.owner = "link-uid";
    object.endpoint = endpoint;
    object.hash = "intact";
    return object;
  }
  // As deletionPolicy Retain has it: without an owner.
  template <class T>
  T lasting(const std::string& endpoint, const std::string& uid) const {
    T object = owned<T>(endpoint, uid);
    object.made_for = std::exchange(object.owner, "");
    return object;
  }
  static std::shared_ptr<Owned> there(Json object) {
    object["metadata"]["uid"] = object["kind"];
    return std::make_shared<Owned>(*decode_owned(object));
  }
};

// A plan in a line per step: "Create Pod orders-east-0", "Remove Secret orders-west-tls", "HandOver east" …
inline std::vector<std::string> lines(const LinkPlan& plan) {
  std::vector<std::string> out;
  const auto object = [](const kube::Resource& resource, const std::string& name) {
    return std::string(resource.kind) + " " + name;
  };
  for (const Step& step : plan.steps) {
    if (const auto* one = std::get_if<Apply>(&step.effect))
      out.push_back("Apply " + object(one->resource, one->object["metadata"]["name"]));
    if (const auto* one = std::get_if<Create>(&step.effect))
      out.push_back("Create " + object(one->resource, one->object["metadata"]["name"]));
    if (const auto* one = std::get_if<Patch>(&step.effect))
      out.push_back("Patch " + object(one->resource, one->key.name));
    if (const auto* one = std::get_if<Remove>(&step.effect))
      out.push_back("Remove " + object(one->resource, one->key.name));
    if (std::holds_alternative<MakeAuthority>(step.effect)) out.push_back("MakeAuthority");
    if (const auto* one = std::get_if<IssueCertificates>(&step.effect))
      out.push_back("IssueCertificates " + one->endpoint);
    if (std::holds_alternative<MakeOwner>(step.effect)) out.push_back("MakeOwner");
    if (std::holds_alternative<LookForOwner>(step.effect)) out.push_back("LookForOwner");
    if (const auto* one = std::get_if<HandOver>(&step.effect)) out.push_back("HandOver " + one->from);
  }
  return out;
}

using Lines = std::vector<std::string>;

}  // namespace twinspan::controllers::testing
