#include "api/endpoints.hpp"
#include "api/engine_rules.hpp"
#include "api/managed_defaults.hpp"
#include "api/patterns.hpp"
#include "api/postgres_parameters.hpp"
#include "api/quantity.hpp"
#include "api/validate.hpp"
#include "core/text.hpp"

namespace twinspan::api {

namespace {

constexpr std::string_view kNobody = "twinspan-none";  // what a Service without a primary selects
constexpr size_t kLinkNameMax = 30;                    // LINK-ENDPOINT-0 is a host name: 63 at most

using Errors = std::vector<FieldError>;

std::string supported_list() {
  const std::vector<Engine> all = supported_engines();
  std::string text;
  for (size_t i = 0; i < all.size(); ++i)
    text += (i == 0 ? "" : i + 1 < all.size() ? ", " : " and ") + std::string(to_string(all[i]));
  return text;
}

void check_supported(const ReplicationLink& link, Errors& errors) {
  const EngineRules* rules = engine_rules(link.spec.engine);
  if (!rules)
    errors.push_back({"spec.engine", "is " + std::string(to_string(link.spec.engine)) + ": this version supports " +
                                         supported_list() + " only"});
  const bool both_ways = link.spec.topology == Topology::kActiveActive && rules && rules->may_go_both_ways;
  if (link.spec.topology != Topology::kActivePassive && !both_ways)
    errors.push_back(
        {"spec.topology", "is " + std::string(to_string(link.spec.topology)) +
                              ": this version supports ActivePassive and, where spec.engine is S3, ActiveActive"});
  if (link.spec.postgres.durability.mode == DurabilityMode::kSemiSync)
    errors.push_back({"spec.postgres.durability.mode", "SemiSync is not supported by this version: use Sync or Async"});
  for (const EndpointPlace& place : endpoint_places(link)) {
    if (place.endpoint->site)
      errors.push_back(
          {place.field + ".site", "endpoints in other clusters are not supported by this version, leave it out"});
    if (place.endpoint->postgres && place.endpoint->postgres->external)
      errors.push_back({place.field + ".postgres.external",
                        "servers outside the cluster are not supported by this version, use managed"});
  }
}

void check_names(const ReplicationLink& link, Errors& errors) {
  if (link.metadata.name.size() > kLinkNameMax || !is_dns_label(link.metadata.name))
    errors.push_back({"metadata.name",
                      "\"" + link.metadata.name +
                          "\" must be a DNS label of at most 30 characters, because pods are named LINK-ENDPOINT-0"});
  std::set<std::string_view> seen;
  for (const EndpointPlace& place : endpoint_places(link)) {
    const std::string& name = place.endpoint->name;
    if (name == kNobody)
      errors.push_back({place.field + ".name", "twinspan-none is reserved: a Service without a primary selects it"});
    if (!seen.insert(name).second)
      errors.push_back({place.field + ".name", "\"" + name + "\" is the name of another endpoint of this link"});
  }
}

// Where each target's chain of `from` leads; a chain longer than there are endpoints never ends.
void check_upstreams(const ReplicationLink& link, Errors& errors) {
  if (link.spec.source.from) errors.push_back({"spec.source.from", "the source follows nobody, leave it out"});
  std::map<std::string_view, const Endpoint*> by_name;
  for (const EndpointPlace& place : endpoint_places(link)) by_name.emplace(place.endpoint->name, place.endpoint);
  for (const EndpointPlace& place : endpoint_places(link)) {
    if (!place.endpoint->from || place.endpoint == &link.spec.source) continue;
    const std::string field = place.field + ".from";
    if (*place.endpoint->from == place.endpoint->name) {
      errors.push_back({field, "an endpoint cannot follow itself"});
      continue;
    }
    if (!by_name.contains(*place.endpoint->from)) {
      errors.push_back({field, "\"" + *place.endpoint->from + "\" is no endpoint of this link"});
      continue;
    }
    const Endpoint* at = place.endpoint;
    std::string way = at->name;
    for (size_t steps = 0; at && at != &link.spec.source && at->from; ++steps) {
      const auto next = by_name.find(*at->from);
      at = next == by_name.end() ? nullptr : next->second;
      if (at) way += " → " + at->name;
      if (at == place.endpoint) {
        errors.push_back({field, "leads in a circle: " + way});
        break;
      }
      if (steps > by_name.size()) break;  // a circle further up; it is named there
    }
  }
}

}  // namespace

std::string to_string(const std::vector<FieldError>& errors) {
  std::string text;
  for (const FieldError& error : errors) text += (text.empty() ? "" : "; ") + error.field + ": " + error.message;
  return text;
}

int64_t lag_threshold_seconds(const LinkSpec& spec) {
  const EngineRules* rules = engine_rules(spec.engine);
  return spec.lag_threshold.seconds.value_or(rules ? rules->lag_seconds : 1);
}

namespace {

// What stands in one place is wrong of every endpoint that takes it from there.
Errors said_once(Errors errors) {
  Errors out;
  for (FieldError& error : errors)
    if (std::find(out.begin(), out.end(), error) == out.end()) out.push_back(std::move(error));
  return out;
}

bool same_import(const LinkSpec& before, const LinkSpec& after) {
  const auto without_cut_over = [](const LinkSpec& spec) {
    std::optional<ImportSettings> settings = spec.postgres.bootstrap ? spec.postgres.bootstrap->import_ : std::nullopt;
    if (settings) settings->cut_over = false;
    return settings;
  };
  return without_cut_over(before) == without_cut_over(after);
}

std::vector<PodName> pod_names(const ReplicationLink& link) {
  const EngineRules* rules = engine_rules(link.spec.engine);
  return rules ? rules->pod_names(link) : std::vector<PodName>();
}

}  // namespace

std::vector<FieldError> validate(const ReplicationLink& link) {
  Errors errors;
  check_supported(link, errors);
  check_names(link, errors);
  if (link.spec.targets.empty()) errors.push_back({"spec.targets", "must name at least one endpoint"});
  check_upstreams(link, errors);
  if (const EngineRules* rules = engine_rules(link.spec.engine)) rules->check_link(link, errors);
  return said_once(std::move(errors));
}

std::vector<FieldError> validate(const ReplicationLink& link, const std::vector<ReplicationLink>& others) {
  Errors errors = validate(link);
  const auto age = [](const ReplicationLink& l) { return std::tie(l.metadata.creation_timestamp, l.metadata.name); };
  for (const ReplicationLink& other : others) {
    if (other.metadata.ns != link.metadata.ns || other.metadata.name == link.metadata.name || age(link) < age(other))
      continue;
    for (const PodName& mine : pod_names(link))
      for (const PodName& theirs : pod_names(other))
        if (mine.name == theirs.name)
          errors.push_back({mine.field, "its pod would be named " + mine.name + ", as that of " + theirs.of +
                                            " of link " + other.metadata.name});
  }
  return errors;
}

std::vector<FieldError> validate_change(const ReplicationLink& before, const ReplicationLink& after) {
  Errors errors;
  if (before.spec.engine != after.spec.engine)
    errors.push_back({"spec.engine", "is immutable, delete this link and create another"});
  if (before.spec.source.name != after.spec.source.name)
    errors.push_back(
        {"spec.source.name", "is immutable; to move the primary set desiredPrimary in the FailoverPolicy"});
  if (before.spec.kafka.topic_prefix != after.spec.kafka.topic_prefix)
    errors.push_back({"spec.kafka.topicPrefix",
                      "is immutable, what was carried is known by its names at the target; make a new link"});
  if (before.spec.postgres.database != after.spec.postgres.database)
    errors.push_back({"spec.postgres.database", "is immutable, renaming a database is not supported"});
  if (before.spec.postgres.initdb != after.spec.postgres.initdb)
    errors.push_back(
        {"spec.postgres.initdb", "is immutable, the cluster was made with it; load a dump into a new link"});
  if (!same_import(before.spec, after.spec))
    errors.push_back(
        {"spec.postgres.bootstrap.import", "is immutable but for cutOver, a link begins with it; make a new link"});
  for (const EndpointPlace& now : endpoint_places(after))
    for (const EndpointPlace& then : endpoint_places(before)) {
      if (now.endpoint->name != then.endpoint->name || !now.endpoint->postgres || !then.endpoint->postgres) continue;
      if (!now.endpoint->postgres->managed || !then.endpoint->postgres->managed) continue;
      const PostgresStorage &wanted = now.endpoint->postgres->managed->storage,
                            &had = then.endpoint->postgres->managed->storage;
      if (wanted.ephemeral != had.ephemeral)
        errors.push_back(
            {managed_field(after, now, [](const auto& one) { return one.storage.ephemeral; }) + ".storage.ephemeral",
             "is immutable, add another target instead"});
      if (wanted.storage_class_name != had.storage_class_name)
        errors.push_back({managed_field(after, now, [](const auto& one) { return one.storage.storage_class_name; }) +
                              ".storage.storageClassName",
                          "is immutable, add another target instead"});
    }
  return said_once(std::move(errors));
}

}  // namespace twinspan::api
