// What the schemas of a PostgreSQL link and of its policy cannot say.
#pragma once
#include <string>
#include <vector>

#include "api/engine_rules.hpp"

namespace twinspan::api {

void check_postgres(const ReplicationLink& link, std::vector<FieldError>& errors);
void check_postgres_clients(const FailoverPolicy& policy, const ReplicationLink& link, std::vector<FieldError>& errors);
void warn_postgres(const ReplicationLink& link, std::vector<std::string>& warnings);
void warn_postgres_policy(const FailoverPolicy& policy, const ReplicationLink& link,
                          std::vector<std::string>& warnings);
std::vector<PodName> postgres_pod_names(const ReplicationLink& link);

}  // namespace twinspan::api
