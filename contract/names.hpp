// Names, labels and annotations that operator, workers and people rely on. Objects are found by them: none may ever
// change without the old one being read as well.
#pragma once
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace twinspan {

inline constexpr std::string_view kManagedByLabel = "app.kubernetes.io/managed-by";
inline constexpr std::string_view kManagedBy = "twinspan";
inline constexpr std::string_view kNameLabel = "app.kubernetes.io/name";
inline constexpr std::string_view kWorkerName = "twinspan-worker";
inline constexpr std::string_view kLinkLabel = "twinspan.dev/link";
inline constexpr std::string_view kEndpointLabel = "twinspan.dev/endpoint";
inline constexpr std::string_view kRoleLabel = "twinspan.dev/role";  // Primary or Replica, on pods, for people
// "true" on pods that a Replicas Service may select.
inline constexpr std::string_view kReadsLabel = "twinspan.dev/reads";

// On a Backup that a BackupSchedule made: the schedule's name.
inline constexpr std::string_view kScheduleLabel = "twinspan.dev/schedule";

// On a BackupSchedule: the label of a backup whose data are to be deleted.
inline constexpr std::string_view kDeleteDataAnnotation = "twinspan.dev/delete-data";

// On a link that a Restore made: the Restore's name. Its first data come from status.restore, and nothing is made
// before that is there.
inline constexpr std::string_view kRestoreAnnotation = "twinspan.dev/restore";

// On a Restore in place: the link's name, where the data that were there before are to be put back.
inline constexpr std::string_view kBringBackAnnotation = "twinspan.dev/bring-back";

// On an S3 link: a new value asks for a verification.
inline constexpr std::string_view kVerifyAnnotation = "twinspan.dev/verify";
// On the leases of an S3 link's shares: status.division.generation as their holder obeys it, and who asks for it
// (worker/s3/shares.hpp).
inline constexpr std::string_view kDivisionAnnotation = "twinspan.dev/division";
inline constexpr std::string_view kWantedByAnnotation = "twinspan.dev/wanted-by";

// Workers of S3 links carry this where members of PostgreSQL links have their endpoint's name (pod LINK-s3-0, Secret
// LINK-s3-tls, label twinspan.dev/endpoint).
inline constexpr std::string_view kS3Member = "s3";
// The same for the worker of a Kafka link (pod LINK-kafka-0, Secret LINK-kafka-tls).
inline constexpr std::string_view kKafkaMember = "kafka";
inline constexpr size_t kS3SharesMax = 32;                      // spec.s3.workers, at most
inline constexpr std::chrono::seconds kShareLeaseDuration{15};  // that every holder of a share promises

std::string pod_name(std::string_view link, std::string_view endpoint);
std::string claim_name(std::string_view link, std::string_view endpoint);
std::string tls_secret_name(std::string_view link, std::string_view endpoint);
std::string ca_secret_name(std::string_view link);
std::string ca_bundle_name(std::string_view link);       // of the ConfigMap for clients
std::string worker_account_name(std::string_view link);  // of the ServiceAccount, the Role and the RoleBinding
std::string budget_name(std::string_view link);
std::string network_policy_name(std::string_view link);
std::string lease_name(std::string_view link);  // the primary lease
// What the stanza of a link's database begins with: a link of the same name made anew, or brought to another cluster
// with its status, is another's.
std::string stanza_prefix(std::string_view link, std::string_view uid);
std::string kafka_set_name(std::string_view link);                // of the StatefulSet
std::string s3_set_name(std::string_view link);                   // of the StatefulSet
std::string s3_lease_name(std::string_view link, int64_t share);  // named as the pod that it belongs to
// The name of the ordinal-th worker of an S3 link among those whose reports are kept: kS3Member, then "s3-1".
std::string s3_member(int64_t ordinal);
// The same from the worker's side: "backups-s3-1" is "s3-1".
std::string s3_member_of(std::string_view pod);

}  // namespace twinspan
