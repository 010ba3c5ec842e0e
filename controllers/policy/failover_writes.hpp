// What the failover controller writes of links and policies, each with the resourceVersion it was decided from as its
// precondition.
#pragma once
#include <stop_token>

#include "controllers/cluster/cluster.hpp"
#include "controllers/cluster/reference.hpp"
#include "kube/client.hpp"
#include "kube/events.hpp"

namespace twinspan::controllers {

Status write_policy_status(kube::Client& client, Cluster& cluster, const api::FailoverPolicy& policy,
                           const api::PolicyStatus& status, const std::stop_token& stop);
// `assignment`: status.assignment as it is to be, whole.
Status write_assignment(kube::Client& client, Cluster& cluster, const CachedLink& link,
                        const api::AssignmentStatus& assignment, const std::stop_token& stop);
// `requested_at`: status.rehearsal.requestedAt; empty: there is to be none.
Status write_rehearsal(kube::Client& client, Cluster& cluster, const CachedLink& link, const std::string& requested_at,
                       const std::stop_token& stop);

}  // namespace twinspan::controllers
