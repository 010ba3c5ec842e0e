#include "api/validate_postgres.hpp"

#include <nlohmann/json.hpp>

#include "api/custom_queries.hpp"
#include "api/declared_objects.hpp"
#include "api/endpoints.hpp"
#include "api/hba_lines.hpp"
#include "api/labels.hpp"
#include "api/managed_defaults.hpp"
#include "api/pod_resources.hpp"
#include "api/pod_template.hpp"
#include "api/postgres_parameters.hpp"
#include "api/quantity.hpp"
#include "api/update_settings.hpp"
#include "api/validate_kafka.hpp"
#include "api/validate_placement.hpp"
#include "contract/names.hpp"
#include "core/text.hpp"

namespace twinspan::api {
namespace {

using Errors = std::vector<FieldError>;

const PostgresSettings& settings(const ReplicationLink& link) { return link.spec.postgres; }

void check_durability(const ReplicationLink& link, Errors& errors) {
  constexpr int64_t kUnsaid = 10;  // what the schema fills in
  if (settings(link).durability.mode != DurabilityMode::kSemiSync &&
      settings(link).durability.timeout_seconds != kUnsaid)
    errors.push_back(
        {"spec.postgres.durability.timeoutSeconds", "is " + std::to_string(settings(link).durability.timeout_seconds) +
                                                        ", but only a SemiSync commit stops waiting, leave it out"});
  if (settings(link).durability.mode == DurabilityMode::kAsync) return;
  const auto direct = std::count_if(link.spec.targets.begin(), link.spec.targets.end(),
                                    [&](const Endpoint& t) { return !t.from || *t.from == link.spec.source.name; });
  if (settings(link).durability.replicas > direct)
    errors.push_back({"spec.postgres.durability.replicas",
                      "is " + std::to_string(settings(link).durability.replicas) + ", but only " +
                          std::to_string(direct) +
                          " targets follow the source directly: no commit would ever be answered"});
}

// The settings of that name, in whatever case: nullopt where it is not said.
auto parameter(std::string name) {
  return [name = to_lower(name)](const ManagedPostgres& managed) -> std::optional<std::string> {
    for (const auto& [key, value] : managed.parameters)
      if (to_lower(key) == name) return value;
    return std::nullopt;
  };
}

Json amount(const Json& resources, const std::string& kind, const std::string& name) {
  return member_of(member_of(resources, kind), name);
}

void check_pods(const ReplicationLink& link, const EndpointPlace& place, Errors& errors) {
  const ManagedPostgres& managed = *place.endpoint->postgres->managed;
  check_placement(
      {managed.node_selector, managed.affinity, managed.tolerations, managed.topology_spread_constraints},
      [&](const std::string& named) {
        return managed_field(link, place, [&](const ManagedPostgres& one) { return member_of(to_json(one), named); });
      },
      errors);
  if (managed.pod_template)
    check_pod_template(
        *managed.pod_template,
        [&](const auto& part) {
          return managed_field(
              link, place, [&](const ManagedPostgres& one) { return part(one.pod_template.value_or(PodTemplate())); });
        },
        errors);
}

void check_managed(const ReplicationLink& link, const EndpointPlace& place, Errors& errors) {
  const ManagedPostgres& managed = *place.endpoint->postgres->managed;
  const auto field = [&](auto part) { return managed_field(link, place, part); };
  const auto size = parse_quantity(managed.storage.size);
  if (!size || *size <= 0)
    errors.push_back({field([](const auto& one) { return one.storage.size; }) + ".storage.size",
                      "is \"" + managed.storage.size + "\", must be a size greater than 0 such as 10Gi"});
  if (const auto& shared = managed.shared_memory; shared && parse_quantity(*shared).value_or(0) < 1 << 20)
    errors.push_back({field([](const auto& one) { return one.shared_memory; }) + ".sharedMemory",
                      "is \"" + *shared + "\", must be at least 1Mi, such as 512Mi"});
  if (managed.storage.ephemeral && managed.storage.storage_class_name)
    errors.push_back(
        {field([](const auto& one) { return one.storage.storage_class_name; }) + ".storage.storageClassName",
         "means nothing with ephemeral, leave one of them out"});
  check_resources(
      managed.resources,
      [&](const std::string& kind, const std::string& name) {
        return field([&](const auto& one) { return amount(one.resources, kind, name); }) + ".resources";
      },
      errors);
  check_pods(link, place, errors);
  const ParameterBounds bounds{settings(link).durability.mode, static_cast<int64_t>(1 + link.spec.targets.size())};
  std::set<std::string> names;
  for (const auto& [name, value] : managed.parameters) {
    auto refused = refuse_parameter(name, value, bounds);
    if (!names.insert(to_lower(name)).second)
      refused = "stands there twice: names are the same in upper and lower case";
    if (refused) errors.push_back({field(parameter(name)) + ".parameters[" + name + "]", std::move(*refused)});
  }
}

void check_import(const ReplicationLink& link, Errors& errors) {
  const auto& bootstrap = settings(link).bootstrap;
  if (!bootstrap || !bootstrap->import_) return;
  if (const std::string& host = bootstrap->import_->host; host.find_first_of("/@, \t") != std::string::npos)
    errors.push_back({"spec.postgres.bootstrap.import.host",
                      "is \"" + host + "\", expected one host name or address, and no path of a socket"});
  const bool logical = bootstrap->import_->method == ImportMethod::kLogical;
  if (logical && bootstrap->import_->schema_only)
    errors.push_back(
        {"spec.postgres.bootstrap.import.schemaOnly", "means nothing where method is Logical, leave one of them out"});
  if (bootstrap->import_->cut_over && !logical)
    errors.push_back(
        {"spec.postgres.bootstrap.import.cutOver", "means nothing unless method is Logical, leave it out"});
}

}  // namespace

void check_postgres(const ReplicationLink& link, Errors& errors) {
  check_durability(link, errors);
  refuse_kafka(link, errors);
  for (const EndpointPlace& place : endpoint_places(link))
    if (place.endpoint->s3)
      errors.push_back({place.field + ".s3", "means nothing unless spec.engine is S3, leave it out"});
  const std::string& database = settings(link).database;
  if (database == "postgres" || database == "template0" || database == "template1")
    errors.push_back({"spec.postgres.database", database + " belongs to PostgreSQL itself, choose another name"});
  check_initdb(settings(link).initdb, errors);
  check_import(link, errors);
  check_objects(link, errors);
  if (const auto& account = settings(link).service_account)
    check_added_annotations(
        account->annotations, [](const auto&) { return "spec.postgres.serviceAccount.annotations"; }, errors);
  check_hba(settings(link).hba, errors);
  if (settings(link).metrics) check_queries(settings(link).metrics->queries, errors);
  if (settings(link).updates) check_updates(*settings(link).updates, errors);
  const ManagedPostgres* source = nullptr;
  if (link.spec.source.postgres && link.spec.source.postgres->managed) source = &*link.spec.source.postgres->managed;
  for (const EndpointPlace& place : endpoint_places(link)) {
    const std::string field = place.field + ".postgres";
    const auto& postgres = place.endpoint->postgres;
    if (!postgres) {
      errors.push_back({field, "is required where spec.engine is Postgres, unless spec.postgres.managed is set"});
      continue;
    }
    if (postgres->managed.has_value() == postgres->external.has_value())
      errors.push_back({field, "exactly one of managed and external must be set, or spec.postgres.managed for all"});
    if (!postgres->managed) continue;
    check_managed(link, place, errors);
    if (!source || source == &*postgres->managed) continue;
    const Parameters here = peoples_parameters(postgres->managed->parameters),
                     there = peoples_parameters(source->parameters);
    std::set<std::string> names;
    for (const Parameters* parameters : {&here, &there})
      for (const auto& [name, value] : *parameters)
        if (must_be_equal_everywhere(name)) names.insert(name);
    for (const std::string& name : names) {
      const auto ours = here.find(name), theirs = there.find(name);
      if (ours == here.end() || theirs == there.end() || to_lower(ours->second) != to_lower(theirs->second))
        errors.push_back(
            {managed_field(link, place, parameter(name)) + ".parameters[" + name + "]",
             "must be set to the same value on every endpoint: a replica with less than its primary stops following"});
    }
  }
}

void check_postgres_clients(const FailoverPolicy& policy, const ReplicationLink&, Errors& errors) {
  const std::string only = "only for policies of S3 links, leave it out";
  for (size_t i = 0; i < policy.spec.services.size(); ++i) {
    const std::string field = "spec.services[" + std::to_string(i) + "]";
    if (!policy.spec.services[i].external_names.empty()) errors.push_back({field + ".externalNames", only});
    if (!policy.spec.services[i].selectors.empty()) errors.push_back({field + ".selectors", only});
  }
  if (!policy.spec.config_maps.empty()) errors.push_back({"spec.configMaps", only});
  if (policy.spec.drill) errors.push_back({"spec.drill", only});
  if (policy.spec.promotion.both_ways_seconds) errors.push_back({"spec.promotion.bothWaysSeconds", only});
  if (policy.spec.candidates.max_missing_keys) errors.push_back({"spec.candidates.maxMissingKeys", only});
}

std::vector<PodName> postgres_pod_names(const ReplicationLink& link) {
  std::vector<PodName> names;
  for (const EndpointPlace& place : endpoint_places(link)) {
    const std::string& endpoint = place.endpoint->name;
    names.push_back({place.field + ".name", pod_name(link.metadata.name, endpoint), "endpoint " + endpoint});
  }
  return names;
}

}  // namespace twinspan::api
