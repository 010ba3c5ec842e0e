#include "api/validate_kafka.hpp"

#include <charconv>

#include "api/endpoints.hpp"
#include "api/kafka_topics.hpp"
#include "api/patterns.hpp"
#include "api/pod_resources.hpp"
#include "api/validate_placement.hpp"
#include "contract/names.hpp"
#include "core/text.hpp"

namespace twinspan::api {
namespace {

using Errors = std::vector<FieldError>;

constexpr size_t kTopicNameMost = 249;

std::string at(const std::string& list, size_t index) { return list + "[" + std::to_string(index) + "]"; }

int64_t port_of_broker(const std::string& broker) {
  int64_t port = 0;
  std::from_chars(broker.data() + broker.rfind(':') + 1, broker.data() + broker.size(), port);
  return port;
}

void check_brokers(const std::vector<std::string>& brokers, const std::string& field, Errors& errors) {
  if (brokers.empty()) errors.push_back({field, "is empty: name a broker at least, as HOST:PORT"});
  for (size_t i = 0; i < brokers.size(); ++i) {
    if (!is_broker(brokers[i]))
      errors.push_back({at(field, i), "is \"" + brokers[i] +
                                          "\", must be HOST:PORT such as broker1.example:9092, without a scheme or a "
                                          "path"});
    else if (port_of_broker(brokers[i]) > 65535)
      errors.push_back({at(field, i), "is \"" + brokers[i] + "\": a port is 65535 at most"});
    for (size_t j = 0; j < i; ++j)
      if (to_lower(brokers[j]) == to_lower(brokers[i]))
        errors.push_back({at(field, i), "\"" + brokers[i] + "\" stands there twice"});
  }
}

void check_secret(const std::optional<SecretReference>& secret, const std::string& field, Errors& errors) {
  if (secret && !is_object_name(secret->name))
    errors.push_back({field + ".name", "is \"" + secret->name + "\", must be the name of a Secret"});
}

void check_access(const KafkaEndpoint& kafka, const std::string& field, Errors& errors) {
  if (kafka.tls) {
    check_secret(kafka.tls->ca_secret_ref, field + ".tls.caSecretRef", errors);
    check_secret(kafka.tls->secret_ref, field + ".tls.secretRef", errors);
  }
  if (!kafka.sasl) return;
  check_secret(kafka.sasl->secret_ref, field + ".sasl.secretRef", errors);
  if (kafka.sasl->mechanism == KafkaMechanism::kPLAIN && !kafka.tls)
    errors.push_back(
        {field + ".sasl.mechanism", "is PLAIN, which shows the password to the network: tls is expected beside it"});
}

void check_endpoints(const ReplicationLink& link, Errors& errors) {
  for (const auto& [endpoint, field] : endpoint_places(link)) {
    if (endpoint->postgres)
      errors.push_back({field + ".postgres", "means nothing unless spec.engine is Postgres, leave it out"});
    if (endpoint->s3) errors.push_back({field + ".s3", "means nothing unless spec.engine is S3, leave it out"});
    if (!endpoint->kafka) {
      errors.push_back({field + ".kafka", "is required where spec.engine is Kafka"});
      continue;
    }
    check_brokers(endpoint->kafka->brokers, field + ".kafka.brokers", errors);
    check_access(*endpoint->kafka, field + ".kafka", errors);
  }
}

void check_targets(const ReplicationLink& link, Errors& errors) {
  const LinkSpec& spec = link.spec;
  if (spec.targets.size() > 1)
    errors.push_back({"spec.targets", "has " + std::to_string(spec.targets.size()) +
                                          " entries: must be exactly one where spec.engine is Kafka, make a link for "
                                          "each of several"});
  for (size_t i = 0; i < spec.targets.size(); ++i) {
    const Endpoint& target = spec.targets[i];
    const std::string field = at("spec.targets", i);
    if (target.from && *target.from != spec.source.name)
      errors.push_back({field + ".from", "is \"" + *target.from +
                                             "\": targets of Kafka links follow the source, cascading is not supported "
                                             "by this version"});
    if (!target.kafka || !spec.source.kafka) continue;
    const std::vector<std::string>& brokers = target.kafka->brokers;
    for (size_t j = 0; j < brokers.size(); ++j)
      for (const std::string& other : spec.source.kafka->brokers)
        if (to_lower(brokers[j]) == to_lower(other))
          errors.push_back(
              {at(field + ".kafka.brokers", j),
               "\"" + brokers[j] + "\" is a broker of spec.source as well: a cluster is not mirrored into itself"});
  }
}

void check_topics(const KafkaSettings& settings, Errors& errors) {
  const std::string field = "spec.kafka.topics.include";
  const std::vector<std::string>& include = settings.topics.include;
  if (include.empty()) errors.push_back({field, "is empty: name a topic or a pattern at least"});
  check_patterns(include, field, errors);
  check_patterns(settings.topics.exclude, "spec.kafka.topics.exclude", errors);
  for (size_t i = 0; i < include.size(); ++i) {
    if (is_internal_topic(include[i]))
      errors.push_back({at(field, i), "is \"" + include[i] +
                                          "\": Kafka's and Twinspan's own topics are of one cluster alone, and never "
                                          "carried"});
    if (is_topic_part(include[i]) && include[i].size() + settings.topic_prefix.size() > kTopicNameMost)
      errors.push_back({at(field, i), "\"" + include[i] + "\" behind spec.kafka.topicPrefix has " +
                                          std::to_string(include[i].size() + settings.topic_prefix.size()) +
                                          " characters: a topic's name has 249 at most"});
  }
  if (!is_topic_part(settings.topic_prefix))
    errors.push_back({"spec.kafka.topicPrefix",
                      "is \"" + settings.topic_prefix + "\", must be of letters, digits, '.', '_' and '-'"});
  if (settings.topic_prefix.starts_with("__"))
    errors.push_back({"spec.kafka.topicPrefix", "is \"" + settings.topic_prefix +
                                                    "\": names that begin with two underscores are for Kafka's and "
                                                    "Twinspan's own topics"});
}

void check_groups(const KafkaGroups& groups, Errors& errors) {
  if (groups.include.empty())
    errors.push_back({"spec.kafka.groups.include", "is empty: name a group or a pattern at least"});
  check_patterns(groups.include, "spec.kafka.groups.include", errors);
  check_patterns(groups.exclude, "spec.kafka.groups.exclude", errors);
}

void check_settings(const KafkaSettings& settings, Errors& errors) {
  if (settings.groups) check_groups(*settings.groups, errors);
  if (!settings.conflict.is_null())
    errors.push_back({"spec.kafka.conflict",
                      "means something where both sides are written, which this version does not support, leave it "
                      "out"});
  if (settings.delivery != KafkaDelivery::kExactlyOnce)
    errors.push_back({"spec.kafka.delivery",
                      "is " + std::string(to_string(settings.delivery)) + ": this version supports ExactlyOnce only"});
  if (settings.checkpoint_interval_milliseconds >= settings.transaction_timeout_seconds * 1000)
    errors.push_back({"spec.kafka.checkpointIntervalMilliseconds",
                      "is " + std::to_string(settings.checkpoint_interval_milliseconds) +
                          ", must be less than transactionTimeoutSeconds, which is " +
                          std::to_string(settings.transaction_timeout_seconds) + " s"});
  if (settings.workers != 1)
    errors.push_back(
        {"spec.kafka.workers", "is " + std::to_string(settings.workers) + ": this version supports one worker a link"});
  check_resources(
      settings.resources, [](const auto&, const auto&) { return "spec.kafka.resources"; }, errors);
  check_placement(
      {settings.node_selector, settings.affinity, settings.tolerations, settings.topology_spread_constraints},
      [](const auto&) { return "spec.kafka"; }, errors);
}

}  // namespace

void check_kafka(const ReplicationLink& link, Errors& errors) {
  const LinkSpec& spec = link.spec;
  check_endpoints(link, errors);
  check_targets(link, errors);
  if (spec.postgres != PostgresSettings{})
    errors.push_back({"spec.postgres", "means nothing unless spec.engine is Postgres, leave it out"});
  if (spec.s3 != S3Settings{}) errors.push_back({"spec.s3", "means nothing unless spec.engine is S3, leave it out"});
  if (spec.lag_threshold.bytes)
    errors.push_back({"spec.lagThreshold.bytes", "means nothing where spec.engine is Kafka, use seconds or records"});
  if (spec.kafka == KafkaSettings{}) {
    errors.push_back({"spec.kafka", "is required where spec.engine is Kafka: spec.kafka.topics says what is carried"});
    return;
  }
  check_topics(spec.kafka, errors);
  check_kafka_records(spec.kafka, errors);
  check_settings(spec.kafka, errors);
}

void refuse_kafka(const ReplicationLink& link, Errors& errors) {
  const std::string nothing = "means nothing unless spec.engine is Kafka, leave it out";
  for (const auto& [endpoint, field] : endpoint_places(link))
    if (endpoint->kafka) errors.push_back({field + ".kafka", nothing});
  if (link.spec.kafka != KafkaSettings{}) errors.push_back({"spec.kafka", nothing});
  if (link.spec.lag_threshold.records) errors.push_back({"spec.lagThreshold.records", nothing});
}

void check_kafka_clients(const FailoverPolicy&, const ReplicationLink& link, Errors& errors) {
  errors.push_back({"spec.linkRef.name", "link " + link.metadata.name +
                                             " is of engine Kafka: moving its primary is not supported by this "
                                             "version, delete this policy"});
}

void warn_kafka(const ReplicationLink& link, std::vector<std::string>& out) {
  for (const auto& [endpoint, field] : endpoint_places(link))
    if (endpoint->kafka && !endpoint->kafka->tls)
      out.push_back(field + ".kafka.tls: is absent: records can be read on their way");
  if (const auto& filter = link.spec.kafka.filter; filter && *filter == KafkaFilter{})
    out.push_back("spec.kafka.filter: has no condition: every record is carried");
}

void warn_kafka_policy(const FailoverPolicy&, const ReplicationLink&, std::vector<std::string>&) {}

std::vector<PodName> kafka_pod_names(const ReplicationLink& link) {
  return {{"metadata.name", pod_name(link.metadata.name, kKafkaMember), "the Kafka worker"}};
}

}  // namespace twinspan::api
