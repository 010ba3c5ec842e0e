#include "api/patterns.hpp"
#include "api/pod_resources.hpp"
#include "api/postgres_parameters.hpp"
#include "api/quantity.hpp"
#include "api/validate.hpp"
#include "api/validate_s3.hpp"

namespace twinspan::api {

namespace {

constexpr std::string_view kNobody = "twinspan-none";  // what a Service without a primary selects
constexpr size_t kLinkNameMax = 30;                    // LINK-ENDPOINT-0 is a host name: 63 at most

using Errors = std::vector<FieldError>;

struct Place {  // an endpoint and its field
  const Endpoint* endpoint;
  std::string field;
};

std::vector<Place> places(const ReplicationLink& link) {
  std::vector<Place> all{{&link.spec.source, "spec.source"}};
  for (size_t i = 0; i < link.spec.targets.size(); ++i)
    all.push_back({&link.spec.targets[i], "spec.targets[" + std::to_string(i) + "]"});
  return all;
}

const PostgresSettings& settings(const ReplicationLink& link) { return link.spec.postgres; }

void check_supported(const ReplicationLink& link, Errors& errors) {
  if (link.spec.engine == Engine::kKafka)
    errors.push_back({"spec.engine", "is Kafka: this version supports Postgres and S3 only"});
  const bool both_ways = link.spec.topology == Topology::kActiveActive && link.spec.engine == Engine::kS3;
  if (link.spec.topology != Topology::kActivePassive && !both_ways)
    errors.push_back(
        {"spec.topology", "is " + std::string(to_string(link.spec.topology)) +
                              ": this version supports ActivePassive and, where spec.engine is S3, ActiveActive"});
  if (settings(link).durability.mode == DurabilityMode::kSemiSync)
    errors.push_back({"spec.postgres.durability.mode", "SemiSync is not supported by this version: use Sync or Async"});
  for (const Place& place : places(link)) {
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
  for (const Place& place : places(link)) {
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
  for (const Place& place : places(link)) by_name.emplace(place.endpoint->name, place.endpoint);
  for (const Place& place : places(link)) {
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

void check_durability(const ReplicationLink& link, Errors& errors) {
  if (settings(link).durability.mode == DurabilityMode::kAsync) return;
  const auto direct = std::count_if(link.spec.targets.begin(), link.spec.targets.end(),
                                    [&](const Endpoint& t) { return !t.from || *t.from == link.spec.source.name; });
  if (settings(link).durability.replicas > direct)
    errors.push_back({"spec.postgres.durability.replicas",
                      "is " + std::to_string(settings(link).durability.replicas) + ", but only " +
                          std::to_string(direct) +
                          " targets follow the source directly: no commit would ever be answered"});
}

void check_managed(const ReplicationLink& link, const ManagedPostgres& managed, const std::string& field,
                   Errors& errors) {
  const auto size = parse_quantity(managed.storage.size);
  if (!size || *size <= 0)
    errors.push_back(
        {field + ".storage.size", "is \"" + managed.storage.size + "\", must be a size greater than 0 such as 10Gi"});
  if (managed.storage.ephemeral && managed.storage.storage_class_name)
    errors.push_back({field + ".storage.storageClassName", "means nothing with ephemeral, leave one of them out"});
  check_resources(managed.resources, field + ".resources", errors);
  const ParameterBounds bounds{settings(link).durability.mode, static_cast<int64_t>(1 + link.spec.targets.size())};
  for (const auto& [name, value] : managed.parameters)
    if (auto refused = refuse_parameter(name, value, bounds))
      errors.push_back({field + ".parameters[" + name + "]", std::move(*refused)});
}

void check_postgres(const ReplicationLink& link, Errors& errors) {
  for (const Place& place : places(link))
    if (place.endpoint->s3)
      errors.push_back({place.field + ".s3", "means nothing unless spec.engine is S3, leave it out"});
  const std::string& database = settings(link).database;
  if (database == "postgres" || database == "template0" || database == "template1")
    errors.push_back({"spec.postgres.database", database + " belongs to PostgreSQL itself, choose another name"});
  const ManagedPostgres* source = nullptr;
  if (link.spec.source.postgres && link.spec.source.postgres->managed) source = &*link.spec.source.postgres->managed;
  for (const Place& place : places(link)) {
    const std::string field = place.field + ".postgres";
    const auto& postgres = place.endpoint->postgres;
    if (!postgres) {
      errors.push_back({field, "is required where spec.engine is Postgres"});
      continue;
    }
    if (postgres->managed.has_value() == postgres->external.has_value())
      errors.push_back({field, "exactly one of managed and external must be set"});
    if (!postgres->managed) continue;
    check_managed(link, *postgres->managed, field + ".managed", errors);
    if (!source || source == &*postgres->managed) continue;
    std::set<std::string> names;
    for (const auto* parameters : {&source->parameters, &postgres->managed->parameters})
      for (const auto& [name, value] : *parameters)
        if (must_be_equal_everywhere(name)) names.insert(name);
    for (const std::string& name : names) {
      const auto here = postgres->managed->parameters.find(name), there = source->parameters.find(name);
      const bool same = here != postgres->managed->parameters.end() && there != source->parameters.end() &&
                        here->second == there->second;
      if (!same)
        errors.push_back(
            {field + ".managed.parameters[" + name + "]",
             "must be set to the same value on every endpoint: a replica with less than its primary stops following"});
    }
  }
}

}  // namespace

std::string to_string(const std::vector<FieldError>& errors) {
  std::string text;
  for (const FieldError& error : errors) text += (text.empty() ? "" : "; ") + error.field + ": " + error.message;
  return text;
}

std::string pod_name(const ReplicationLink& link, const Endpoint& endpoint) {
  return link.metadata.name + "-" + endpoint.name + "-0";
}

int64_t lag_threshold_seconds(const LinkSpec& spec) {
  return spec.lag_threshold.seconds.value_or(spec.engine == Engine::kS3 ? 300 : 1);
}

namespace {

struct PodName {
  std::string field, name, of;
};

std::vector<PodName> pod_names(const ReplicationLink& link) {
  if (link.spec.engine == Engine::kS3) return {{"metadata.name", link.metadata.name + "-s3-0", "the S3 workers"}};
  std::vector<PodName> names;
  for (const Place& place : places(link))
    names.push_back({place.field + ".name", pod_name(link, *place.endpoint), "endpoint " + place.endpoint->name});
  return names;
}

}  // namespace

std::vector<FieldError> validate(const ReplicationLink& link) {
  Errors errors;
  check_supported(link, errors);
  check_names(link, errors);
  if (link.spec.targets.empty()) errors.push_back({"spec.targets", "must name at least one endpoint"});
  check_upstreams(link, errors);
  if (link.spec.engine == Engine::kPostgres) {
    check_durability(link, errors);
    check_postgres(link, errors);
  }
  if (link.spec.engine == Engine::kS3) check_s3(link, errors);
  return errors;
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
  if (settings(before).database != settings(after).database)
    errors.push_back({"spec.postgres.database", "is immutable, renaming a database is not supported"});
  for (const Place& now : places(after))
    for (const Place& then : places(before)) {
      if (now.endpoint->name != then.endpoint->name || !now.endpoint->postgres || !then.endpoint->postgres) continue;
      if (!now.endpoint->postgres->managed || !then.endpoint->postgres->managed) continue;
      const PostgresStorage &wanted = now.endpoint->postgres->managed->storage,
                            &had = then.endpoint->postgres->managed->storage;
      const std::string field = now.field + ".postgres.managed.storage";
      if (wanted.ephemeral != had.ephemeral)
        errors.push_back({field + ".ephemeral", "is immutable, add another target instead"});
      else if (!wanted.ephemeral && parse_quantity(wanted.size) < parse_quantity(had.size))
        errors.push_back(
            {field + ".size", "is " + wanted.size + " and was " + had.size + ": a volume can grow but never shrink"});
      if (wanted.storage_class_name != had.storage_class_name)
        errors.push_back({field + ".storageClassName", "is immutable, add another target instead"});
    }
  return errors;
}

}  // namespace twinspan::api
