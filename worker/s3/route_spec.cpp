#include "worker/s3/route_spec.hpp"

#include <fmt/format.h>

namespace twinspan::worker_s3 {

std::string state_name(const std::string& ns, const std::string& link, const std::string& target) {
  return fmt::format("{}/{}/{}", ns, link, target);
}

Result<Division> division_of(const api::ReplicationLink& link) {
  if (const auto& known = link.status.division) return Division{known->generation, static_cast<int>(known->shares)};
  if (link.spec.s3.workers == 1) return Division{};
  return fail(Code::kUnavailable, "the keys are not divided yet");  // the operator will
}

std::vector<RouteSpec> routes_of(const api::ReplicationLink& link, const Division& division,
                                 const std::set<int>& shares) {
  std::vector<RouteSpec> routes;
  const Direction direction = direction_of(link);
  const api::Endpoint* primary = endpoint_of(link.spec, direction.primary);
  if (!primary) return routes;
  for (const api::Endpoint& target : endpoints_of(link.spec)) {
    if (target.name == direction.primary) continue;
    RouteSpec route{link.metadata.name, link.metadata.ns,   *primary, target,
                    link.spec.s3,       link.spec.topology, direction};
    route.source.from.reset();  // which side an endpoint stands on in the spec is no reason to begin anew
    route.target.from.reset();
    // Of the settings only what the engine does: where the pod runs is no reason to begin anew.
    route.settings.image.reset();
    route.settings.resources = route.settings.affinity = nullptr;
    route.settings.node_selector.clear();
    route.settings.tolerations.clear();
    route.settings.topology_spread_constraints.clear();
    route.settings.verification.schedule.reset();
    route.settings.workers = 1;
    for (const int share : shares) {
      route.share = {share, division.shares, division.generation};
      routes.push_back(route);
    }
  }
  return routes;
}

s3::Settings engine_settings(const RouteSpec& spec) {
  const api::S3Settings& from = spec.settings;
  const api::S3Endpoint &source = *spec.source.s3, &target = *spec.target.s3;
  s3::Settings to;
  to.link = state_name(spec.ns, spec.link, spec.target.name);
  to.both_ways = spec.topology == api::Topology::kActiveActive;
  to.share = spec.share;
  // One server and one identity: it may copy by itself. Others would have to be allowed to read there.
  to.same_endpoint = source.endpoint == target.endpoint && source.region == target.region &&
                     source.credentials_secret_ref == target.credentials_secret_ref;
  to.objects_at_once.min = static_cast<int>(from.objects_at_once.min);
  to.objects_at_once.initial = static_cast<int>(from.objects_at_once.initial);
  to.objects_at_once.max = static_cast<int>(from.objects_at_once.max);
  to.objects_at_once.grow_above = static_cast<size_t>(from.objects_at_once.grow_above);
  to.objects_at_once.shrink_below = static_cast<size_t>(from.objects_at_once.shrink_below);
  for (const api::KeyPriority& rule : from.priorities)
    to.priorities.push_back({rule.prefix, static_cast<int>(rule.priority)});
  to.deletes.mode =
      from.deletes.mode == api::DeletesMode::kReplicate ? s3::DeleteMode::kReplicate : s3::DeleteMode::kIgnore;
  to.deletes.max_per_sync = static_cast<size_t>(from.deletes.max_per_sync);
  to.retries.max = static_cast<int>(from.retries.max);
  to.retries.network_max = static_cast<int>(from.retries.network_max);
  to.retries.backoff_base = std::chrono::seconds(from.retries.backoff_base_seconds);
  to.bandwidth_bytes_per_second = from.bandwidth.bytes_per_second;
  if (from.compression == api::Compression::kGzip) to.stored.packing = s3::Packing::kGzip;
  if (from.compression == api::Compression::kZstd) to.stored.packing = s3::Packing::kZstd;
  to.restore = from.restore;
  to.all_versions = from.versions == api::ObjectVersions::kAll;
  to.guarded = !to.both_ways && to.stored.plain() && !from.client_encryption && !to.restore && !to.all_versions;
  // A server copies bytes as they are, and is not asked for a certain version.
  if (!to.stored.plain() || from.client_encryption || to.all_versions) to.same_endpoint = false;
  return to;
}

s3::ClientConfig client_config(const api::S3Endpoint& endpoint, std::string ca_pem, int64_t objects_at_once) {
  s3::ClientConfig config;
  config.endpoint = endpoint.endpoint;
  config.region = endpoint.region;
  config.bucket = endpoint.bucket;
  config.path_style = endpoint.path_style;
  config.ca_pem = std::move(ca_pem);
  config.connections = static_cast<size_t>(objects_at_once) + 8;  // and the listings
  return config;
}

}  // namespace twinspan::worker_s3
