// What the schemas of an S3 link and of its policy cannot say.
#pragma once
#include <string>
#include <vector>

#include "api/engine_rules.hpp"

namespace twinspan::api {

void check_s3(const ReplicationLink& link, std::vector<FieldError>& errors);
void check_s3_clients(const FailoverPolicy& policy, const ReplicationLink& link, std::vector<FieldError>& errors);
void warn_s3(const ReplicationLink& link, std::vector<std::string>& warnings);
void warn_s3_policy(const FailoverPolicy& policy, const ReplicationLink& link, std::vector<std::string>& warnings);
std::vector<PodName> s3_pod_names(const ReplicationLink& link);

}  // namespace twinspan::api
