// The link controller against the embedded API, with pods that this rig runs in name and agents that say what it wants.
#pragma once
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "contract/primary_lease.hpp"
#include "controllers/cluster/names.hpp"
#include "controllers/link/link_reconciler.hpp"
#include "core/wait.hpp"
#include "integration/eventually.hpp"
#include "operator/engines.hpp"
#include "sandbox/api/server.hpp"
#include "tests/places.hpp"

namespace twinspan::controllers::testing {

class LinkRig {
 public:
  LinkRig() {
    sandbox::ApiOptions options;
    options.tls = false;  // the handshakes are net's business
    api = std::make_unique<sandbox::ApiServer>(options);
    EXPECT_TRUE(api->start());
    EXPECT_TRUE(api->install_crds(test::in_source("/crds")));
    client = std::make_unique<kube::Client>(api->config());
    EXPECT_TRUE(client->create(kube::kNamespaces,
                               {{"apiVersion", "v1"}, {"kind", "Namespace"}, {"metadata", {{"name", "shop"}}}}));
    start_operator();
  }
  ~LinkRig() { stop_operator(); }

  void start_operator() {
    one = std::make_unique<Operator>(*this);
    ASSERT_TRUE(eventually([&] { return one->cluster.synced(); }));
    one->reports.start();
    one->controller.start();
  }
  void stop_operator() {
    if (!one) return;
    one->controller.stop();
    one->reports.stop();
    one->cluster.stop();
    one.reset();
  }

  // Polls; while it waits, pods are run and agents report.
  template <class Condition>
  bool eventually(Condition condition, std::chrono::seconds patience = std::chrono::seconds(60)) {
    const auto holds = [&] {
      if (condition()) return true;
      if (kubelet) run_pods();
      return false;
    };
    return twinspan::eventually(holds, patience, std::chrono::milliseconds(5));
  }

  static Json link(std::vector<std::string> targets = {"west", "west-2"}) {
    const Json managed = {{"managed", {{"storage", {{"size", "1Gi"}}}}}};
    Json json = {
        {"apiVersion", "twinspan.dev/v1alpha1"},
        {"kind", "ReplicationLink"},
        {"metadata", {{"name", "orders"}, {"namespace", "shop"}}},
        {"spec",
         {{"engine", "Postgres"}, {"source", {{"name", "east"}, {"postgres", managed}}}, {"targets", Json::array()}}}};
    for (const std::string& target : targets)
      json["spec"]["targets"].push_back({{"name", target}, {"postgres", managed}});
    return json;
  }
  void apply(const Json& object) {
    const auto applied = client->apply(kube::kReplicationLinks, object, "person");
    ASSERT_TRUE(applied) << applied.error().message;
  }
  void change(const Json& spec_patch) {
    const auto patched = client->merge_patch(kube::kReplicationLinks, key("orders"), {{"spec", spec_patch}});
    ASSERT_TRUE(patched) << patched.error().message;
  }

  static kube::Key key(const std::string& name) { return {"shop", name}; }
  // Null where it is not there.
  Json get(const kube::Resource& resource, const std::string& name) const {
    return client->get(resource, key(name)).value_or(Json());
  }
  bool exists(const kube::Resource& resource, const std::string& name) const { return !get(resource, name).is_null(); }
  std::vector<std::string> names(const kube::Resource& resource) const {
    std::vector<std::string> out;
    EXPECT_TRUE(client->list(resource, "shop", {}, [&](Json&& object) { out.push_back(object["metadata"]["name"]); }));
    std::sort(out.begin(), out.end());
    return out;
  }
  std::string condition(const std::string& type) const {
    const Json link_now = get(kube::kReplicationLinks, "orders");
    for (const Json& one_condition : link_now.value("/status/conditions"_json_pointer, Json::array()))
      if (one_condition["type"] == type)
        return one_condition["status"].get<std::string>() + " " + one_condition["reason"].get<std::string>();
    return "absent";
  }
  // Everything that belongs to the link, with versions: equal before and after means nothing was written.
  std::map<std::string, std::string> versions() const {
    std::map<std::string, std::string> out;
    for (const kube::Resource& resource :
         {kube::kReplicationLinks, kube::kPods, kube::kSecrets, kube::kPersistentVolumeClaims, kube::kServiceAccounts,
          kube::kRoles, kube::kRoleBindings, kube::kPodDisruptionBudgets, kube::kLeases, kube::kCoreEvents})
      EXPECT_TRUE(client->list(resource, "shop", {}, [&](Json&& object) {
        out[std::string(resource.kind) + "/" + object["metadata"]["name"].get<std::string>()] =
            object["metadata"]["resourceVersion"];
      }));
    return out;
  }

  // As the failover controller and the agents would: `endpoint` is primary in `epoch`.
  void make_primary(const std::string& endpoint, int64_t epoch) {
    const Json assignment = {{"epoch", epoch}, {"primary", endpoint}, {"previous", ""}, {"cause", "Initial"}};
    ASSERT_TRUE(client->merge_patch(kube::kReplicationLinks, key("orders"), {{"status", {{"assignment", assignment}}}},
                                    kube::Subresource::kStatus));
    const Json held = {
        {"metadata", {{"annotations", {{std::string(kPromotedAnnotation), std::to_string(epoch)}}}}},
        {"spec", {{"holderIdentity", endpoint + "/i1"}, {"leaseTransitions", epoch}, {"leaseDurationSeconds", 3600}}}};
    // A lease of a former link is still collected, and what is written there goes with it.
    ASSERT_TRUE(eventually([&] {
      const auto link = client->get(kube::kReplicationLinks, key("orders"));
      const auto lease = client->get(kube::kLeases, key("orders-primary"));
      if (!link || !lease) return false;
      const Json& owners = member_of(lease->at("metadata"), "ownerReferences");
      return owners.is_array() && !owners.empty() && owners[0].at("uid") == link->at("metadata").at("uid") &&
             client->merge_patch(kube::kLeases, key("orders-primary"), held);
    }));
    std::lock_guard lock(mutex);
    primary = endpoint;
  }

  // From now on that member says this; nullopt: it does not answer.
  void say(std::string_view member, std::optional<MemberReport> report) {
    std::lock_guard lock(mutex);
    said[std::string(member)] = std::move(report);
  }

  Result<MemberReport> answer_of(const std::string& endpoint) {
    {
      std::lock_guard lock(mutex);
      if (const auto found = said.find(endpoint); found != said.end()) {
        if (found->second) return *found->second;
        return fail(Code::kUnavailable, "it is dead");
      }
    }
    return report_of(endpoint);
  }

  MemberReport report_of(const std::string& endpoint) {
    std::lock_guard lock(mutex);
    MemberReport report;
    report.endpoint = endpoint;
    report.instance = "i-" + endpoint;
    report.generation = 1 << 20;
    report.role = primary == endpoint ? Role::kPrimary : primary.empty() ? Role::kNone : Role::kReplica;
    report.state = primary == endpoint ? MemberState::kRunning
                   : primary.empty()   ? MemberState::kEmpty
                                       : MemberState::kStreaming;
    report.sql_healthy = true;
    if (report.role == Role::kReplica) report.lag_seconds = 0.0;
    if (report.role == Role::kPrimary)
      for (const std::string& slot : slots) report.downstreams[slot].state = "streaming";
    return report;
  }

  void run_pods() {
    (void)client->list(kube::kPods, "shop", {}, [&](Json&& pod) {
      if (!pod.value("/status/podIP"_json_pointer, std::string()).empty()) return;
      const Json status = {
          {"phase", "Running"},
          {"podIP", "10.0.0." + std::to_string(++addresses)},
          {"conditions", {{{"type", "Ready"}, {"status", "True"}}, {{"type", "PodScheduled"}, {"status", "True"}}}}};
      (void)client->merge_patch(kube::kPods, key(pod["metadata"]["name"]), {{"status", status}},
                                kube::Subresource::kStatus);
    });
  }

  // A settled link: everything streams.
  void settle() {
    apply(link());
    ASSERT_TRUE(
        eventually([&] { return exists(kube::kLeases, "orders-primary") && exists(kube::kPods, "orders-west-2-0"); }));
    make_primary("east", 1);
    ASSERT_TRUE(eventually([&] {
      return condition("Ready") == "True Replicating" && condition("Reconciling") == "False Settled";
    })) << get(kube::kReplicationLinks, "orders").dump(1);
  }

  struct Operator {
    explicit Operator(LinkRig& rig)
        : client(as_operator(rig.api->config())),
          cluster(client, rig.clock, {}),
          events(client, rig.clock, "twinspan-operator", "test"),
          reports({4, std::chrono::milliseconds(20), std::chrono::milliseconds(20)}, rig.clock,
                  [&rig](const Target& target) { return std::make_unique<Probe>(rig, target.pod_name); }),
          engines(make_link_engines({rig.clock, render()})),
          reconciler(client, cluster, reports, events, rig.clock, engines),
          controller("link", 2, rig.clock, [this](const kube::Key& link_key, const std::stop_token& stop) {
            return reconciler.reconcile(link_key, stop);
          }) {
      cluster.on_change_of_link(
          [this](const kube::Key& changed, bool first) { controller.queue().add(changed, first); });
      reports.add_listener(
          [this](const kube::Key& changed, const std::string&, const std::optional<Seen>& before, const Seen& after) {
            if (reconciler.news(changed, before, after) == LinkReconciler::News::kNow) controller.queue().add(changed);
          });
      cluster.start();
    }
    static kube::Config as_operator(kube::Config config) {
      config.user_agent = "twinspan-operator";  // as operator/main.cpp has it: who owns fields must not hang on it
      return config;
    }
    static RenderConfig render() {
      RenderConfig out;
      out.worker_image = "worker:1";
      out.s3_worker_image = "operator:1";
      return out;
    }
    struct Probe final : StatusProbe {
      Probe(LinkRig& r, std::string pod) : rig(r), endpoint(pod.substr(7, pod.size() - 9)) {}  // orders-ENDPOINT-0
      Result<MemberReport> ask(std::stop_token) override { return rig.answer_of(endpoint); }
      LinkRig& rig;
      std::string endpoint;
    };
    kube::Client client;
    Cluster cluster;
    kube::EventRecorder events;
    WorkerReports reports;
    LinkEngines engines;
    LinkReconciler reconciler;
    kube::Controller controller;
  };

  SystemClock clock;
  std::unique_ptr<sandbox::ApiServer> api;
  std::unique_ptr<kube::Client> client;
  std::mutex mutex;
  std::string primary;
  std::set<std::string> slots{"west", "west-2"};
  std::map<std::string, std::optional<MemberReport>> said;  // by members, in place of report_of
  std::atomic<int> addresses{0};
  bool kubelet = true;
  std::unique_ptr<Operator> one;
};

}  // namespace twinspan::controllers::testing
