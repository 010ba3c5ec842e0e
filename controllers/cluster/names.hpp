// Names, labels and annotations of everything that belongs to a link. One place, because Services, RBAC and people rely
// on them.
#pragma once
#include <string>
#include <string_view>

#include "api/types.hpp"
#include "kube/resource.hpp"

namespace twinspan::controllers {

inline constexpr std::string_view kFieldManager = "twinspan";
inline constexpr std::string_view kFinalizer = "twinspan.dev/cleanup";

inline constexpr std::string_view kManagedByLabel = "app.kubernetes.io/managed-by";
inline constexpr std::string_view kManagedBy = "twinspan";
inline constexpr std::string_view kNameLabel = "app.kubernetes.io/name";
inline constexpr std::string_view kWorkerName = "twinspan-worker";
inline constexpr std::string_view kLinkLabel = "twinspan.dev/link";
inline constexpr std::string_view kEndpointLabel = "twinspan.dev/endpoint";
inline constexpr std::string_view kRoleLabel = "twinspan.dev/role";  // Primary or Replica, on pods, for people
// Of S3 links: their workers' name where members of PostgreSQL links have their endpoint's (pod LINK-s3-0, Secret
// LINK-s3-tls, label twinspan.dev/endpoint).
inline constexpr std::string_view kS3Member = "s3";
inline constexpr std::string_view kReadsLabel =
    "twinspan.dev/reads";  // "true" on pods that a Replicas Service may select

inline constexpr size_t kS3SharesMax = 32;  // spec.s3.workers, at most
// On the leases of an S3 link's shares: status.division.generation as their holder obeys it (worker/s3/shares.hpp).
inline constexpr std::string_view kDivisionAnnotation = "twinspan.dev/division";

// Hash of what was rendered: an object that carries the wanted one is left alone.
inline constexpr std::string_view kHashAnnotation = "twinspan.dev/hash";
// On a link: "true" keeps the data volumes when the link, or an endpoint of it, is deleted.
inline constexpr std::string_view kKeepDataAnnotation = "twinspan.dev/keep-data";
// On Secrets with certificates: when they are renewed (RFC 3339).
inline constexpr std::string_view kRenewAtAnnotation = "twinspan.dev/renew-at";

std::string pod_name(std::string_view link, std::string_view endpoint);
std::string claim_name(std::string_view link, std::string_view endpoint);
std::string tls_secret_name(std::string_view link, std::string_view endpoint);
std::string ca_secret_name(std::string_view link);
std::string owner_secret_name(const api::ReplicationLink& link);
std::string worker_account_name(std::string_view link);  // of the ServiceAccount, the Role and the RoleBinding
std::string budget_name(std::string_view link);
std::string lease_name(std::string_view link);
std::string s3_set_name(std::string_view link);                   // of the StatefulSet
std::string s3_lease_name(std::string_view link, int64_t share);  // named as the pod that it belongs to
// The name of the ordinal-th worker of an S3 link among those whose reports are kept: kS3Member, then "s3-1".
std::string s3_member(int64_t ordinal);

kube::Key key_of(const api::ObjectMeta& meta);

}  // namespace twinspan::controllers
