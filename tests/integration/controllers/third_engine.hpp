// A third engine, of tests alone: pods that echo, one for each endpoint, and whichever answers is primary. That it is
// this short, and that no file of the product knows of it, is what the seams are for. It is tried in S3's row, because
// an API's schema and validation's table have no name for it; nothing of S3 runs.
#pragma once
#include <nlohmann/json.hpp>

#include "api/conditions.hpp"
#include "contract/assignment.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/link/engine.hpp"
#include "controllers/link/link_gatherer.hpp"
#include "controllers/link/link_status.hpp"
#include "controllers/link/plan_builder.hpp"
#include "controllers/policy/policy_rules.hpp"
#include "controllers/policy/primary_mover.hpp"

namespace twinspan::controllers::testing {

class EchoPlanner : PlanBuilder {
 public:
  explicit EchoPlanner(const LinkSeen& seen) : PlanBuilder(seen) {}
  LinkPlan plan() {
    if (!authority()) return std::move(plan_);
    for (const EndpointSeen& endpoint : seen_.endpoints) {
      Json pod = render_meta(link_, "v1", "Pod", pod_name(name(), endpoint.name), endpoint.name, true);
      pod["spec"]["containers"] = Json::array({{{"name", "echo"}, {"image", "echo:1"}}});
      if (standing(kube::kPods, endpoint.pod, pod) == Standing::kAbsent)
        step(Create{kube::kPods, std::move(pod)}, "PodCreated", endpoint.name);
    }
    return std::move(plan_);
  }
};

class EchoLinks final : public LinkEngine {
 public:
  explicit EchoLinks(const Clock& clock) : clock_(clock) {}

  LinkLook look(const LinkFacts& facts, const Cluster& cluster, const WorkerReports& reports) const override {
    const CachedLink& link = *facts.link;
    const kube::Key key = key_of(link.metadata);
    LinkLook look;
    look.seen.link = facts.link;
    gather_common(look.seen, cluster, clock_);
    for (const std::string& name : endpoint_names(link.spec)) {
      EndpointSeen& endpoint = look.seen.endpoints.emplace_back();
      endpoint.name = name;
      endpoint.pod = cluster.pods.find({key.ns, pod_name(key.name, name)});
      endpoint.member = view_of(reports.latest(key, name), clock_.boot_now());
      look.members.push_back(link_member(name, endpoint.pod.get(), pod_name(key.name, name)));
    }
    look.seen.recall(facts.recalled);
    if (link.actionable && !link.metadata.deleting()) look.plan = EchoPlanner(look.seen).plan();
    look.status = status_of_link(look.seen);
    return look;
  }
  bool is_news(const MemberReport& before, const MemberReport& after) const override {
    return before.state != after.state;
  }

 private:
  static api::LinkStatus status_of_link(const LinkSeen& seen) {
    api::LinkStatus status;
    status.observed_generation = seen.link->metadata.generation;
    status.accepted = next_accepted(*seen.link);
    const auto& assignment = seen.link->status.assignment;
    status.primary = assignment ? assignment->primary : "";
    status.epoch = assignment ? assignment->epoch : 0;
    for (const EndpointSeen& endpoint : seen.endpoints) {
      api::EndpointStatus& row = status.endpoints.emplace_back();
      row.name = endpoint.name;
      row.role = endpoint.name == status.primary ? "Primary" : "Replica";
      const MemberReport* report = endpoint.member.fresh();
      row.state = to_string(report ? report->state : MemberState::kUnknown);
    }
    return status;
  }

  const Clock& clock_;
};

class EchoMover final : public PrimaryMover {
 public:
  EchoMover(const FailoverCaches& caches, const WorkerReports& reports) : caches_(caches), reports_(reports) {}

  Result<Move> look(const MoveFacts& facts, const std::stop_token&) override {
    const kube::Key key = key_of(facts.link->metadata);
    const Assignment now = facts.assignment.value_or(Assignment{});
    const auto answers = [&](const std::string& name) {
      const auto said = reports_.latest(key, name);
      return said && said->report && said->failures == 0;
    };
    std::string primary = now.primary;
    for (const std::string& name : endpoint_names(facts.link->spec))
      if ((primary.empty() || !answers(primary)) && answers(name)) primary = name;
    Move move;
    move.next = kube::Requeue::after(std::chrono::milliseconds(50));
    if (primary != now.primary)
      move.assignment = status_of(Assignment{now.epoch.next(), primary, now.primary, Cause::kPrimaryUnreachable});
    if (!facts.policy) return move;
    move.status = facts.policy->status;
    move.status.observed_generation = facts.policy->metadata.generation;
    move.status.primary = primary;
    move.status.epoch = now.epoch.value;
    for (const api::PolicyService& service : facts.policy->spec.services) {
      const std::map<std::string, std::string> wanted{{std::string(kEndpointLabel), primary}};
      const auto there = caches_.service({key.ns, service.name});
      if (there && there->selector == wanted) continue;
      const Json ports = Json::array({{{"port", service.port}}});
      move.routes.push_back({{{"apiVersion", "v1"},
                              {"kind", "Service"},
                              {"metadata", render_route_meta(*facts.policy, service.name)},
                              {"spec", {{"selector", wanted}, {"ports", ports}}}},
                             primary});
    }
    return move;
  }
  std::vector<Told> events(const api::PolicyStatus& before, const api::PolicyStatus& after) const override {
    if (before.primary == after.primary) return {};
    return {{false, "PrimaryMoved", after.primary.value_or("")}};
  }
  bool is_news(const MemberReport& before, const MemberReport& after) const override {
    return before.state != after.state;
  }
  void forget(const kube::Key&) override {}

 private:
  const FailoverCaches& caches_;
  const WorkerReports& reports_;
};

}  // namespace twinspan::controllers::testing
