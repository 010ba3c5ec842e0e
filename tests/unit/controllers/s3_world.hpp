// An S3 link in its settled state, for tests that change one thing of it.
#pragma once
#include "controllers/link/render.hpp"
#include "controllers/link/render_set.hpp"
#include "controllers/s3/s3_plan.hpp"
#include "controllers/s3/s3_render.hpp"
#include "controllers/s3/s3_status.hpp"
#include "link_world.hpp"

namespace twinspan::controllers::testing {

inline Json s3_link_json() {
  return Json::parse(R"({
    "apiVersion": "twinspan.dev/v1alpha1", "kind": "ReplicationLink",
    "metadata": {"name": "backups", "namespace": "shop", "uid": "link-uid", "resourceVersion": "77", "generation": 3},
    "spec": {"engine": "S3",
      "source": {"name": "sgp", "s3": {"endpoint": "https://sgp1.example", "region": "sgp1", "bucket": "backups-sgp1",
                 "credentialsSecretRef": {"name": "spaces-sgp"}}},
      "targets": [{"name": "nyc", "s3": {"endpoint": "https://nyc3.example", "bucket": "backups-nyc3",
                   "credentialsSecretRef": {"name": "spaces-nyc"}, "caSecretRef": {"name": "own-ca"}}}]}})");
}

inline RenderConfig s3_render_config() {
  RenderConfig config = render_config();
  config.s3_worker_image = "registry.example/twinspan-operator:1.0";
  return config;
}

// Everything exists, the worker replicates, nyc follows.
inline S3Seen s3_world(const Json& json = s3_link_json()) {
  const auto owned = [](auto object, const char* uid) {
    object.uid = uid;
    object.resource_version = "5";
    object.managed = true;
    object.link = "backups";
    object.owner = "link-uid";
    object.endpoint = kS3Member;
    object.hash = "intact";
    return std::make_shared<decltype(object)>(std::move(object));
  };
  const auto rendered = [](Json object) {
    object["metadata"]["uid"] = object["kind"];
    return std::make_shared<Owned>(*decode_owned(object));
  };
  S3Seen seen;
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
  common.role = rendered(render_s3_role(*link, 1));
  common.binding = rendered(render_binding(*link));
  common.budget = rendered(render_set_budget(*link));
  common.lease = owned(Lease{}, "lease");
  seen.leases = {common.lease};
  EndpointSeen& worker = common.endpoints.emplace_back();
  worker.name = kS3Member;
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
  report.endpoint = kS3Member;
  report.instance = "i1";
  report.state = MemberState::kRunning;
  report.holds_lease = true;
  report.generation = link->metadata.generation;
  report.details = Json::parse(R"({
    "endpoints": [{"name": "sgp", "role": "Primary", "state": "Running"},
                  {"name": "nyc", "role": "Replica", "state": "Streaming", "lagSeconds": 12, "queueLength": 7,
                   "activeTransfers": 5}],
    "sync": {"total": 5003, "replicated": 4980, "skipped": 20, "failed": 3, "bytes": 1690000000,
             "startedAt": "2026-11-21T09:00:00Z", "completedAt": "2026-11-21T09:10:00Z"}})");
  worker.member.report = std::move(report);
  if (link->actionable) {
    Json set = render_s3_set(*link, s3_render_config());
    set["metadata"]["uid"] = "set";
    set["metadata"]["generation"] = 2;
    set["status"] = {{"observedGeneration", 2}, {"readyReplicas", 1}, {"updatedReplicas", 1}};
    seen.set = std::make_shared<StatefulSet>(*decode_stateful_set(set));
  }
  return seen;
}

inline MemberReport& s3_report(S3Seen& seen) { return *seen.common.endpoints.front().member.report; }

}  // namespace twinspan::controllers::testing
