// What the schemas of a Kafka link and of its policy cannot say.
#pragma once
#include <string>
#include <vector>

#include "api/engine_rules.hpp"

namespace twinspan::api {

void check_kafka(const ReplicationLink& link, std::vector<FieldError>& errors);
// Each must be one, of a length that may be (RE2).
void check_patterns(const std::vector<std::string>& patterns, const std::string& field,
                    std::vector<FieldError>& errors);
// spec.kafka.filter and spec.kafka.transform.
void check_kafka_records(const KafkaSettings& settings, std::vector<FieldError>& errors);
// Of a link of another engine: nothing of Kafka's may be there.
void refuse_kafka(const ReplicationLink& link, std::vector<FieldError>& errors);
void check_kafka_clients(const FailoverPolicy& policy, const ReplicationLink& link, std::vector<FieldError>& errors);
void warn_kafka(const ReplicationLink& link, std::vector<std::string>& warnings);
void warn_kafka_policy(const FailoverPolicy& policy, const ReplicationLink& link, std::vector<std::string>& warnings);
std::vector<PodName> kafka_pod_names(const ReplicationLink& link);

}  // namespace twinspan::api
