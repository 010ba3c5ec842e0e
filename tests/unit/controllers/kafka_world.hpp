// A Kafka link in its settled state, for tests that change one thing of it.
#pragma once
#include "controllers/kafka/kafka_plan.hpp"
#include "controllers/kafka/kafka_render.hpp"
#include "controllers/kafka/kafka_status.hpp"
#include "controllers/link/render_set.hpp"
#include "link_world.hpp"

namespace twinspan::controllers::testing {

inline Json kafka_link_json() {
  return Json::parse(R"({
    "apiVersion": "twinspan.dev/v1alpha1", "kind": "ReplicationLink",
    "metadata": {"name": "orders", "namespace": "shop", "uid": "link-uid", "resourceVersion": "77", "generation": 3},
    "spec": {"engine": "Kafka",
      "source": {"name": "us-west", "kafka": {"brokers": ["west-1.example:9092", "west-2.example:9093"],
                 "tls": {"caSecretRef": {"name": "west-ca"}, "secretRef": {"name": "west-client"}}}},
      "targets": [{"name": "us-east", "kafka": {"brokers": ["east-1.example:9094"], "tls": {},
                   "sasl": {"mechanism": "SCRAM-SHA-512", "secretRef": {"name": "east-user"}}}}],
      "kafka": {"topics": {"include": ["orders.*"]}}}})");
}

inline RenderConfig kafka_render_config() {
  RenderConfig config = render_config();
  config.s3_worker_image = "registry.example/twinspan-operator:1.0";
  return config;
}

// Everything exists, us-east follows.
inline KafkaSeen kafka_world(const Json& json = kafka_link_json()) {
  const auto owned = [](auto object, const char* uid) {
    object.uid = uid;
    object.resource_version = "5";
    object.managed = true;
    object.link = "orders";
    object.owner = "link-uid";
    object.endpoint = kKafkaMember;
    object.hash = "intact";
    return std::make_shared<decltype(object)>(std::move(object));
  };
  const auto rendered = [](Json object) {
    object["metadata"]["uid"] = object["kind"];
    return std::make_shared<Owned>(*decode_owned(object));
  };
  KafkaSeen seen;
  auto link = std::make_shared<CachedLink>(*decode_link(json));
  LinkSeen& common = seen.common;
  common.link = link;
  common.now = *parse_rfc3339("2026-11-21T10:00:00Z");
  auto ca = owned(Secret{}, "ca");
  ca->renew_at = common.now + std::chrono::days(2000);
  ca->issuer_certificate_pem = ca->issuer_key_pem = "pem";
  ca->bundle_hash = "bundle";
  common.ca = ca;
  common.account = rendered(render_account(*link));
  common.role = rendered(render_kafka_role(*link));
  common.binding = rendered(render_binding(*link));
  common.budget = rendered(render_set_budget(*link));
  EndpointSeen& worker = common.endpoints.emplace_back();
  worker.name = kKafkaMember;
  auto tls = owned(Secret{}, "tls");
  tls->renew_at = common.now + std::chrono::days(60);
  tls->bundle_hash = "bundle";
  worker.tls = tls;
  auto pod = owned(Pod{}, "pod");
  pod->phase = "Running";
  pod->ip = "10.0.0.1";
  pod->ready = pod->scheduled = true;
  worker.pod = pod;
  MemberReport report;
  report.endpoint = kKafkaMember;
  report.instance = "i1";
  report.state = MemberState::kRunning;
  report.generation = link->metadata.generation;
  report.details = Json::parse(R"({
    "endpoints": [{"name": "us-west", "role": "Primary", "state": "Running"},
                  {"name": "us-east", "role": "Replica", "state": "Streaming", "lagSeconds": 0.4, "lagRecords": 12}],
    "kafka": {"topics": 2, "partitions": 6, "partitionsByState": {"Following": 6}, "records": 5000, "bytes": 900000,
              "recordsPerSecond": 40.5, "passedPercent": 100, "sourceClusterId": "w", "targetClusterId": "e"}})");
  worker.member.report = std::move(report);
  if (link->actionable) {
    Json set = render_kafka_set(*link, kafka_render_config());
    set["metadata"]["uid"] = "set";
    set["metadata"]["generation"] = 2;
    set["status"] = {{"observedGeneration", 2}, {"readyReplicas", 1}, {"updatedReplicas", 1}};
    seen.set = std::make_shared<StatefulSet>(*decode_stateful_set(set));
  }
  return seen;
}

inline MemberReport& kafka_report(KafkaSeen& seen) { return *seen.common.endpoints.front().member.report; }
inline Json& kafka_details(KafkaSeen& seen) { return kafka_report(seen).details; }

}  // namespace twinspan::controllers::testing
